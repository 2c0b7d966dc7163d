"""Adapters: systems that answer samples, built in or brought by users."""

from massie.adapters.chat_completions import OPENAI
from massie.adapters.checking import Finding, check_adapter
from massie.adapters.contract import Adapter, Prepared, Prompted, Streaming, Tuned
from massie.adapters.lines import check_prediction, parse_prediction, read_predictions, sample_line
from massie.adapters.loading import ADAPTERS, adapter_digest, described, load_adapter, prepare
from massie.adapters.response_cache import ResponseCache
from massie.adapters.sending import Limits

__all__ = [
    "ADAPTERS",
    "OPENAI",
    "Adapter",
    "Finding",
    "Limits",
    "Prepared",
    "Prompted",
    "ResponseCache",
    "Streaming",
    "Tuned",
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
