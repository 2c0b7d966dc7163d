"""What the paper prints of its own size (``tasks/paper.yaml``): datasets, languages, samples."""

from __future__ import annotations

from functools import cache

from massie._content import content_folder
from massie.catalogue.yaml import Content, read_yaml, validated
from massie.types import Split, Task


class Published(Content):
    """The figures that the paper ``paper`` prints of its collection.

    ``datasets`` are those of each task in appendix L, ``datasets_in_all`` counts those of two tasks once; ``languages``
    and ``families`` are those of appendix K; ``samples`` are those of table 1, by benchmark, task and split.
    """

    paper: str
    languages: int
    families: int
    datasets: dict[Task, int]
    datasets_in_all: int
    samples: dict[str, dict[Task, dict[Split, int]]]


@cache
def published() -> Published:
    """The paper's figures."""
    path = content_folder("tasks") / "paper.yaml"
    return validated(Published, read_yaml(path), path)
