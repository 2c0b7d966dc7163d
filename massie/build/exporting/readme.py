"""An export's README: what it holds, by which licences, whom to cite, how to make it again.

For the Hugging Face hub it begins with the YAML header that a dataset card has there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from massie.build.exporting.exported import Export, ExportedDataset
from massie.types import Split, Task

README = "README.md"

_MARKDOWN = re.compile(r"([\\`*_\[\]|~$])")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_ADDRESS = re.compile(r"https?://[^\s<>`|\\]+")

_HUB_TAGS = {
    Task.NER: "named-entity-recognition",
    Task.RE: "relation-extraction",
    Task.SF: "slot-filling",
    Task.ED: "event-detection",
    Task.EE: "event-extraction",
}
_HUB_LICENCES = frozenset(
    {
        "agpl-3.0", "apache-2.0", "bsd-2-clause", "bsd-3-clause", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0",
        "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0",
        "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc0-1.0", "gfdl",
        "gpl-2.0", "gpl-3.0", "lgpl-2.1", "lgpl-3.0", "mit", "mpl-2.0", "odbl", "odc-by", "pddl", "unlicense",
    }
)  # fmt: skip
"""Ids of licences on the hub (SPDX, in small letters, without -only); one that is not here is ``other`` there."""


def readme(export: Export, fields: Mapping[str, str], *, hub: bool) -> str:
    """The text; ``fields`` are those of a record with their meanings. With ``hub`` it has the hub's header."""
    parts = [
        f"---\n{_header(export)}---\n" if hub else "",
        f"# {escaped(export.title)}\n",
        "" if export.redistributable else f"> **{escaped(export.notice)}**\n",
        f"{escaped(export.summary)}\n",
        f"{export.notice}\n" if export.redistributable else "",
        _files(export, hub),
        "## Fields\n\n" + _table(("field", "meaning"), [(f"`{name}`", escaped(fields[name])) for name in fields]),
        _datasets(export),
        _sources(export),
        _left_out(export),
        _remake(export),
    ]
    return "\n".join(part for part in parts if part)


def escaped(text: str) -> str:
    """Text of others as one line of Markdown that shows it as it is: no markup, no HTML, no end of a table's cell."""
    plain = "".join(_HTML.get(char, char) for char in " ".join(text.split()))
    return _MARKDOWN.sub(r"\\\1", plain)


def _linked(address: str) -> str:
    return f"<{address}>" if _ADDRESS.fullmatch(address) else escaped(address)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _files(export: Export, hub: bool) -> str:
    prompts = "".join(f"; {task} by the prompt `{prompt}`" for task, prompt in export.prompts.items())
    table = _table(
        ("file", "samples", "bytes"),
        [(f"`{file.path}`", f"{file.samples:,}", f"{file.bytes:,}") for file in export.files],
    )
    loading = ""
    if hub:
        loading = (
            "\n```python\nfrom datasets import load_dataset\n\n"
            f'load_dataset("path/to/this/folder", "{export.tasks[0]}")  # one task\n'
            'load_dataset("path/to/this/folder")  # all\n```\n'
        )
    return f"## Files\n\nOne file for each task and split{prompts}.\n\n{table}{loading}"


def _datasets(export: Export) -> str:
    rows = [
        (
            escaped(dataset),
            ", ".join(entry.tasks),
            ", ".join(map(escaped, entry.languages)),
            escaped(entry.licence.title),
            "yes" if entry.obstacle is None else "no",
            *(f"{entry.samples.get(split, 0):,}" for split in export.splits),
        )
        for dataset, entry in export.datasets.items()
    ]
    head = ("dataset", "tasks", "languages", "licence", "may be passed on", *export.splits)
    return "## Datasets\n\nWith the number of samples in each split.\n\n" + _table(head, rows)


def _sources(export: Export) -> str:
    lines = [_source(dataset, entry) for dataset, entry in export.datasets.items()]
    return "## Sources and citations\n\nPlease cite the datasets that your results rest on.\n\n" + "".join(lines)


def _source(dataset: str, entry: ExportedDataset) -> str:
    said = [
        escaped(entry.citation or "citation not at hand"),
        f"licence: {escaped(entry.licence.title)}",
        *([escaped(entry.licence.note)] if entry.licence.note and entry.licence.spdx else []),
        *([_linked(entry.homepage)] if entry.homepage else []),
        f"source: {_linked(entry.pin)}",
    ]
    return f"- **{escaped(dataset)}** ({escaped(entry.name)}): {'; '.join(said)}\n"


def _left_out(export: Export) -> str:
    if not export.left_out:
        return ""
    lines = [f"- {escaped(dataset)}: {escaped(reason)}\n" for dataset, reason in export.left_out.items()]
    return "## Left out\n\nThese datasets of the build may not be passed on.\n\n" + "".join(lines)


def _remake(export: Export) -> str:
    commands = "".join(f"    {' '.join(command.split())}\n" for command in export.remake)
    return (
        f"## How to make it again\n\nWith MASSIE {escaped(export.built_with)}:\n\n{commands}\n"
        f"Builds with the manifest digest `{export.manifest_digest}` hold the same samples. `export.json` says all of "
        "this to machines, with a SHA-256 of every file.\n"
    )


def _header(export: Export) -> str:
    """The YAML header of a dataset card on the hub."""
    licences = sorted({_hub_licence(dataset.licence.spdx) for dataset in export.datasets.values()})
    plain: dict[str, Any] = {
        "pretty_name": export.title,
        "language": sorted({part for code in export.languages for part in code.split("+")}),
        "license": licences if export.redistributable else ["other"],
        "multilinguality": ["multilingual" if len(export.languages) > 1 else "monolingual"],
        "size_categories": [_size(export.samples)],
        "task_categories": ["token-classification", "text-generation"],
        "tags": [
            "information-extraction",
            *(_HUB_TAGS[task] for task in export.tasks),
            *([] if export.redistributable else ["private", "not-redistributable"]),
        ],
        "configs": _configs(export),
    }
    if not export.redistributable:
        plain |= {"license_name": "private-not-redistributable"}
    return yaml.safe_dump(plain, allow_unicode=True, sort_keys=False, width=120)


def _configs(export: Export) -> list[dict[str, Any]]:
    """A config for each task; of several tasks also one with all of them, which is loaded where none is named."""
    configs: list[dict[str, Any]] = [
        {"config_name": str(task), "data_files": _data_files(export, [task])} for task in export.tasks
    ]
    if len(configs) > 1:
        configs.insert(0, {"config_name": "all", "data_files": _data_files(export, export.tasks), "default": True})
    return configs


def _data_files(export: Export, tasks: Sequence[Task]) -> list[dict[str, Any]]:
    found: dict[Split, list[str]] = {}
    for file in export.files:
        if file.task in tasks:
            found.setdefault(file.split, []).append(file.path)
    return [{"split": str(split), "path": found[split]} for split in Split if split in found]


def _hub_licence(spdx: str | None) -> str:
    plain = (spdx or "").lower().removesuffix("-only").removesuffix("-or-later")
    return plain if plain in _HUB_LICENCES else "other"


def _size(samples: int) -> str:
    bounds = [(1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")]
    bounds += [(10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M")]
    return next((name for bound, name in bounds if samples < bound), "100M<n<1B")
