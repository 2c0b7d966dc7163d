"""Readers of raw formats: a module for each, which yields texts with annotations and character offsets.

A new reader is one module with ``Options`` and ``read`` and one line in ``READERS``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module

from pydantic import ValidationError

from massie.catalogue import Card, explain
from massie.readers.counting import annotations_of, count
from massie.readers.reading import Faults, Joining, RawText, Reading
from massie.sources import RawFile
from massie.types import ContentError, UnknownNameError

READERS = {
    "brat": "massie.readers.brat",
    "columns": "massie.readers.columns",
    "csv_tokens": "massie.readers.csv_tokens",
    "docred": "massie.readers.docred",
    "dygie": "massie.readers.dygie",
    "event_groups": "massie.readers.event_groups",
    "event_links": "massie.readers.event_links",
    "inline": "massie.readers.inline",
    "json_clusters": "massie.readers.json_clusters",
    "json_entities": "massie.readers.json_entities",
    "json_events": "massie.readers.json_events",
    "json_grouped": "massie.readers.json_grouped",
    "json_relations": "massie.readers.json_relations",
    "json_sentences": "massie.readers.json_sentences",
    "json_spans": "massie.readers.json_spans",
    "json_surfaces": "massie.readers.json_surfaces",
    "json_tags": "massie.readers.json_tags",
    "jsonl": "massie.readers.jsonl",
    "marked_pairs": "massie.readers.marked_pairs",
    "nested_roles": "massie.readers.nested_roles",
    "oneie": "massie.readers.oneie",
    "pubtator": "massie.readers.pubtator",
    "relation_columns": "massie.readers.relation_columns",
    "relation_lines": "massie.readers.relation_lines",
    "xml_entities": "massie.readers.xml_entities",
    "parallel_lines": "massie.readers.parallel_lines",
    "span_lines": "massie.readers.span_lines",
    "ssf": "massie.readers.ssf",
    "standoff": "massie.readers.standoff",
}


def read_cell(
    card: Card, language: str, raw_split: str, files: Sequence[RawFile], faults: Faults | None = None
) -> Iterator[RawText]:
    """Yield the texts of one language and raw split of a dataset, in the order of its files.

    Faults in single texts are counted in ``faults``. Raises UnknownNameError for an unknown reader, ContentError for
    options that it does not take, ReaderError for a file that cannot be read.
    """
    assert card.source is not None and card.reader is not None, "only cards with a source and a reader are read"
    if card.reader.name not in READERS:
        raise UnknownNameError("reader", card.reader.name, READERS, f"(in the card {card.id})")
    module = import_module(READERS[card.reader.name])
    try:
        options = module.Options.model_validate(card.reader.options)
    except ValidationError as error:
        raise ContentError(explain(error, f"card {card.id}: reader.options")) from error
    reading = Reading(
        dataset=card.id,
        language=language,
        split=raw_split,
        language_code=card.source.language_codes.get(language, language),
        split_code=card.source.split_codes.get(raw_split, raw_split),
        joining=Joining.for_card(card, language),
        faults=faults if faults is not None else Faults(),
    )
    yield from module.read(files, options, reading)


__all__ = ["READERS", "Faults", "Joining", "RawText", "Reading", "annotations_of", "count", "read_cell"]
