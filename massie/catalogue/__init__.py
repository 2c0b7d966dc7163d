"""The catalogue: dataset cards, languages and benchmark definitions and metric cards, read from ``tasks/`` and
``metrics/``."""

from massie.catalogue.benchmarks import BenchmarkDefinition, Caps
from massie.catalogue.cards import (
    Access,
    Card,
    Counts,
    EventLabel,
    Join,
    Label,
    Licence,
    MadeSplits,
    Source,
    SourceFiles,
    Status,
    TextRules,
    read_card,
)
from massie.catalogue.catalogue import Catalogue
from massie.catalogue.languages import Language, language, languages
from massie.catalogue.metrics import MetricCard, metric_cards
from massie.catalogue.yaml import Content, explain, first_fault, read_yaml, validated

__all__ = [
    "Access",
    "BenchmarkDefinition",
    "Caps",
    "Card",
    "Catalogue",
    "Content",
    "Counts",
    "EventLabel",
    "Join",
    "Label",
    "Language",
    "Licence",
    "MadeSplits",
    "MetricCard",
    "Source",
    "SourceFiles",
    "Status",
    "TextRules",
    "explain",
    "first_fault",
    "language",
    "languages",
    "metric_cards",
    "read_card",
    "read_yaml",
    "validated",
]
