"""An export's Croissant metadata (MLCommons, version 1.1): its files with their hashes, and the records in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from massie.build.exporting.exported import Export, ExportedFile
from massie.build.exporting.flat import FIELDS

CROISSANT = "croissant.json"

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
} | {
    name: f"cr:{name}"
    for name in (
        "arrayShape", "citeAs", "column", "equivalentProperty", "extract", "field", "fileProperty", "fileObject",
        "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path",
        "recordSet", "references", "regex", "repeated", "replace", "samplingRate", "separator", "source", "subField",
        "transform",
    )
}  # fmt: skip

_MEDIA_TYPES = {".parquet": "application/x-parquet", ".json": "application/json", ".md": "text/markdown"}

_PAPER = "Le et al., 2025, Massively Multilingual Instruction-Following Information Extraction"


def croissant(export: Export, documents: Mapping[str, str]) -> str:
    """The metadata of an export whose files are Parquet, as JSON-LD; ``documents`` are the texts beside them.

    The URL of the dataset is relative (its README), so that it is right wherever the folder is published.
    """
    citations = {dataset.citation for dataset in export.datasets.values() if dataset.citation}
    plain: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": export.title,
        "description": f"{export.summary} {export.notice}",
        "conditionsOfAccess": export.notice,
        "license": _licences(export),
        "url": "README.md",
        "version": export.version,
        "datePublished": export.created,
        "creator": {"@type": "sc:Organization", "name": "MASSIE contributors"},
        "citeAs": "; ".join([_PAPER, *sorted(citations)]),
        "inLanguage": export.languages,
        "keywords": ["information extraction", "multilingual", *export.tasks],
        "isLiveDataset": False,
        "distribution": [
            *(_file(file.path, file.bytes, file.sha256) for file in export.files),
            *(_file(name, len(text.encode()), sha256(text.encode()).hexdigest()) for name, text in documents.items()),
        ],
        "recordSet": [_records(file) for file in export.files],
    }
    return json.dumps(plain, ensure_ascii=False, indent=1) + "\n"


def _licences(export: Export) -> list[str]:
    """Those of the datasets; a private export has none that anyone could take for leave to pass it on."""
    if not export.redistributable:
        return [export.notice]
    licences = [dataset.licence for dataset in export.datasets.values()]
    return sorted({f"https://spdx.org/licenses/{each.spdx}" if each.spdx else each.title for each in licences})


def _file(name: str, size: int, digest: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{size} B",
        "encodingFormat": next((kind for end, kind in _MEDIA_TYPES.items() if name.endswith(end)), "text/plain"),
        "sha256": digest,
    }


def _records(file: ExportedFile) -> dict[str, Any]:
    name = f"{file.task}/{file.split}"
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": f"The {file.samples} samples of the task {file.task} in the split {file.split}.",
        "key": {"@id": f"{name}/id"},
        "field": [_field(file, column, meaning) for column, meaning in FIELDS.items()],
    }


def _field(file: ExportedFile, column: str, meaning: str) -> dict[str, Any]:
    plain = _source(file, column, column) | {"description": meaning}
    if column != "schemas":
        return plain
    parts = [_source(file, column, f"schemas/{part}", part) for part in ("name", "description")]
    return plain | {"isArray": True, "arrayShape": "-1", "subField": parts}


def _source(file: ExportedFile, column: str, name: str, part: str | None = None) -> dict[str, Any]:
    """A field of text that is a column of the file, or a part of a column's objects."""
    source: dict[str, Any] = {"fileObject": {"@id": file.path}, "extract": {"column": column}}
    if part is not None:
        source["transform"] = {"jsonPath": part}
    return {
        "@type": "cr:Field",
        "@id": f"{file.task}/{file.split}/{name}",
        "name": name,
        "dataType": "sc:Text",
        "source": source,
    }
