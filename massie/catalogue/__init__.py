"""The catalogue: dataset cards, languages, benchmark definitions and tables of hard negatives, read from ``tasks/``,
and metric cards and conformance vectors, read from ``metrics/``."""

from massie.catalogue.benchmarks import Aggregation, BenchmarkDefinition, Caps, Only, Over
from massie.catalogue.cards import (
    Access,
    Card,
    Counts,
    EventLabel,
    Join,
    Label,
    Licence,
    MadeSplits,
    Status,
    TextRules,
    read_card,
)
from massie.catalogue.catalogue import Catalogue
from massie.catalogue.languages import Language, counted_under, language, languages
from massie.catalogue.metrics import MetricCard, metric_cards
from massie.catalogue.negatives import (
    DEFAULT_NEGATIVES,
    HARD_NEGATIVES,
    EmbedderEntry,
    NegativesTable,
    read_negatives,
)
from massie.catalogue.paper import Published, published
from massie.catalogue.source import Source, SourceFiles
from massie.catalogue.vectors import SCORE_NAMES, EventSchema, Expected, Vector, conformance_vectors, read_vectors
from massie.catalogue.yaml import SECRET, Content, explain, first_fault, read_yaml, validated

__all__ = [
    "DEFAULT_NEGATIVES",
    "HARD_NEGATIVES",
    "SCORE_NAMES",
    "SECRET",
    "Access",
    "Aggregation",
    "BenchmarkDefinition",
    "Caps",
    "Card",
    "Catalogue",
    "Content",
    "Counts",
    "EmbedderEntry",
    "EventLabel",
    "EventSchema",
    "Expected",
    "Join",
    "Label",
    "Language",
    "Licence",
    "MadeSplits",
    "MetricCard",
    "NegativesTable",
    "Only",
    "Over",
    "Published",
    "Source",
    "SourceFiles",
    "Status",
    "TextRules",
    "Vector",
    "conformance_vectors",
    "counted_under",
    "explain",
    "first_fault",
    "language",
    "languages",
    "metric_cards",
    "published",
    "read_card",
    "read_negatives",
    "read_vectors",
    "read_yaml",
    "validated",
]
