"""Adapters by name: built in, ``package.module:Class``, or ``path/to/file.py:Class``."""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Mapping
from hashlib import sha256
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import ValidationError

from massie.adapters.contract import Adapter, Prepared
from massie.build import Benchmark
from massie.catalogue import explain
from massie.types import AdapterError, MassieError, SystemCard, UnknownNameError

ADAPTERS = {
    "empty": "massie.adapters.reference:Empty",
    "gold": "massie.adapters.reference:Gold",
    "lexicon": "massie.adapters.lexicon:Lexicon",
    "openai": "massie.adapters.openai:OpenAI",
    "process": "massie.adapters.process:Process",
    "transformers": "massie.adapters.transformers:Transformers",
    "vllm": "massie.adapters.vllm:VLLM",
}


def load_adapter(name: str, options: Mapping[str, Any] | None = None) -> Adapter:
    """The adapter of a name, made with the options as keyword arguments.

    Raises UnknownNameError for an unknown built-in, and AdapterError where module, file or class cannot be loaded, an
    option is not one of the class, or the class raises or breaks the contract.
    """
    target = ADAPTERS.get(name, name)
    place, colon, class_name = target.rpartition(":")
    if not colon:
        raise UnknownNameError("adapter", name, ADAPTERS, "or package.module:Class, or path/to/file.py:Class")
    module = _module(place, name)
    made: Any = getattr(module, class_name, None)
    if not inspect.isclass(made):
        classes = sorted(key for key, value in vars(module).items() if inspect.isclass(value))
        raise UnknownNameError("class", class_name, classes, f"(in {place})")
    try:
        inspect.signature(made).bind(**(options or {}))
    except TypeError as error:
        raise AdapterError(f"{name}: options: {error}; the class takes {inspect.signature(made)}") from error
    adapter = _made(made, options or {}, name)
    if not isinstance(adapter, Adapter):
        missing = [method for method in ("describe", "predict") if not callable(getattr(adapter, method, None))]
        raise AdapterError(f"{name}: breaks the contract: it has no method {' nor '.join(missing)}")
    return adapter


def adapter_digest(name: str) -> str | None:
    """SHA-256 of the file of an adapter given by path; None for all others."""
    place, _, _ = name.rpartition(":")
    path = Path(place)
    return sha256(path.read_bytes()).hexdigest() if place.endswith(".py") and path.is_file() else None


def described(adapter: Adapter, name: str) -> SystemCard:
    """The adapter's own card; raises AdapterError where ``describe`` raises or returns something else."""
    try:
        card: Any = adapter.describe()
    except MassieError:
        raise
    except (Exception, SystemExit) as error:  # the adapter may raise anything
        raise AdapterError(f"{name}: describe() raises {told(error)}") from error
    if not isinstance(card, SystemCard):
        raise AdapterError(f"{name}: describe() must return a massie.SystemCard, not {type(card).__name__}")
    return card


def prepare(adapter: Adapter, benchmark: Benchmark) -> None:
    """Let an adapter that wants it see the benchmark; raises AdapterError where its ``prepare`` raises."""
    if isinstance(adapter, Prepared):
        try:
            adapter.prepare(benchmark)
        except MassieError:
            raise
        except (Exception, SystemExit) as error:  # the adapter may raise anything
            raise AdapterError(f"the adapter's prepare(benchmark) raises {told(error)}") from error


def _made(made: Any, options: Mapping[str, Any], name: str) -> Any:
    try:
        return made(**options)
    except MassieError:
        raise
    except ValidationError as error:
        raise AdapterError(explain(error, name)) from error
    except (Exception, SystemExit) as error:  # the adapter may raise anything
        raise AdapterError(f"{name}: cannot be made: {told(error)}") from error


def told(error: BaseException) -> str:
    """What was raised and where, in one line, for the one who wrote the adapter."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({place.filename}:{place.lineno})"


def _module(place: str, name: str) -> ModuleType:
    if not place.endswith(".py"):
        try:
            return import_module(place)
        except ModuleNotFoundError as error:
            raise AdapterError(
                f"{name}: {error}; install it, or name the adapter's file: path/to/file.py:Class"
            ) from error
        except (Exception, SystemExit) as error:  # the module may raise anything
            raise AdapterError(f"{name}: the module {place!r} cannot be imported: {told(error)}") from error
    path = Path(place)
    if not path.is_file():
        raise AdapterError(f"{name}: there is no file {place}")
    spec = spec_from_file_location(f"massie_adapter_{path.stem}", path)
    assert spec is not None and spec.loader is not None, "a .py file always has a loader"
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # the file may raise anything
        raise AdapterError(f"{place}: cannot be loaded: {told(error)}") from error
    return module
