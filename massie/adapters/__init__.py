"""Adapters: systems that answer samples, built in or brought by users."""

from massie.adapters.checking import Finding, check_adapter
from massie.adapters.contract import Adapter, Prepared
from massie.adapters.lines import check_prediction, parse_prediction, read_predictions, sample_line
from massie.adapters.loading import ADAPTERS, adapter_digest, described, load_adapter, prepare

__all__ = [
    "ADAPTERS",
    "Adapter",
    "Finding",
    "Prepared",
    "adapter_digest",
    "check_adapter",
    "check_prediction",
    "described",
    "load_adapter",
    "parse_prediction",
    "prepare",
    "read_predictions",
    "sample_line",
]
