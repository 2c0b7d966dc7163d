"""MASSIE: benchmark suite and leaderboard for multilingual information extraction.

    >>> import massie
    >>> bench = massie.load_benchmark("m-demo", task="NER")
    >>> adapter = massie.load_adapter("lexicon")
    >>> adapter.prepare(bench)
    >>> massie.score(bench, adapter.predict(bench.samples("test")))
    Scores(LF1: NER …)

What stands here is loaded when it is first used, so that ``import massie`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from massie._version import __version__

if TYPE_CHECKING:
    from massie.adapters import Adapter, load_adapter
    from massie.build import Benchmark, load_benchmark
    from massie.catalogue import Card, Catalogue
    from massie.results import Result, read_result
    from massie.results.comparing import Comparison, compare
    from massie.results.scores import Scores, score
    from massie.scoring import lf1, micro_f1
    from massie.types import (
        Instance,
        MassieError,
        Prediction,
        Role,
        Sample,
        Schema,
        Split,
        SystemCard,
        Task,
        Usage,
        UserError,
    )

_PLACES = {
    "Adapter": "massie.adapters",
    "Benchmark": "massie.build",
    "Card": "massie.catalogue",
    "Catalogue": "massie.catalogue",
    "Comparison": "massie.results.comparing",
    "Instance": "massie.types",
    "MassieError": "massie.types",
    "Prediction": "massie.types",
    "Result": "massie.results",
    "Role": "massie.types",
    "Sample": "massie.types",
    "Schema": "massie.types",
    "Scores": "massie.results.scores",
    "Split": "massie.types",
    "SystemCard": "massie.types",
    "Task": "massie.types",
    "Usage": "massie.types",
    "UserError": "massie.types",
    "compare": "massie.results.comparing",
    "lf1": "massie.scoring",
    "load_adapter": "massie.adapters",
    "load_benchmark": "massie.build",
    "micro_f1": "massie.scoring",
    "read_result": "massie.results",
    "score": "massie.results.scores",
}

__all__ = [
    "Adapter",
    "Benchmark",
    "Card",
    "Catalogue",
    "Comparison",
    "Instance",
    "MassieError",
    "Prediction",
    "Result",
    "Role",
    "Sample",
    "Schema",
    "Scores",
    "Split",
    "SystemCard",
    "Task",
    "Usage",
    "UserError",
    "__version__",
    "compare",
    "lf1",
    "load_adapter",
    "load_benchmark",
    "micro_f1",
    "read_result",
    "score",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'massie' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_PLACES[name]), name)  # from now on it is found at once
    return value


def __dir__() -> list[str]:
    return __all__
