"""What an export says of itself, for machines: the file ``export.json`` beside the data."""

from __future__ import annotations

from typing import Literal

from massie.catalogue import Access, Content, Licence
from massie.types import Split, Task

EXPORT = "export.json"


class ExportedDataset(Content):
    """A dataset of an export: what it is, by which licence, from where, and how many samples of it there are.

    ``obstacle`` is what stands against passing them on, null where nothing does; ``access``, ``citation`` and
    ``homepage`` are null where the dataset's card was not at hand.
    """

    name: str
    licence: Licence
    obstacle: str | None
    access: Access | None
    citation: str | None
    homepage: str | None
    pin: str
    tasks: list[Task]
    languages: list[str]
    samples: dict[Split, int]


class ExportedFile(Content):
    """A file of an export: the samples of one task and split."""

    path: str
    task: Task
    split: Split
    samples: int
    bytes: int
    sha256: str


class Export(Content):
    """An export: its form, whether it may be passed on, the build that it is of, its datasets and its files.

    ``left_out`` are the datasets that the licence gate kept back, each with the reason; ``prompts`` are the ids of the
    prompts that chat records were rendered with; ``remake`` are the commands that make build and export again.
    """

    format: Literal[1] = 1
    form: str
    redistributable: bool
    notice: str
    benchmark: str
    version: str
    manifest_digest: str
    built_with: str
    created: str
    remake: list[str]
    prompts: dict[Task, str] = {}
    datasets: dict[str, ExportedDataset]
    left_out: dict[str, str] = {}
    files: list[ExportedFile]

    @property
    def tasks(self) -> list[Task]:
        """The tasks that have files."""
        return list(dict.fromkeys(file.task for file in self.files))

    @property
    def splits(self) -> list[Split]:
        """The splits that have files, in the order of ``Split``."""
        return [split for split in Split if any(file.split is split for file in self.files)]

    @property
    def languages(self) -> list[str]:
        """The codes of all languages, sorted."""
        return sorted({code for dataset in self.datasets.values() for code in dataset.languages})

    @property
    def samples(self) -> int:
        """How many samples there are."""
        return sum(file.samples for file in self.files)

    @property
    def title(self) -> str:
        """Benchmark and version, and whether the export is private."""
        return f"{self.benchmark.upper()} {self.version}" + ("" if self.redistributable else " (private)")

    @property
    def summary(self) -> str:
        """What it is, in a sentence or two."""
        return (
            f"Samples of {self.benchmark}, version {self.version}, for multilingual information extraction "
            f"({', '.join(self.tasks)}): a text, the labels that are asked for, and the records to find. "
            f"{self.samples:,} samples in {len(self.languages)} languages from {len(self.datasets)} datasets."
        )
