from __future__ import annotations

import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from massie.adapters import ADAPTERS, Adapter, Streaming, adapter_digest, load_adapter
from massie.types import AdapterError, UnknownNameError, UserError

WriteAdapter = Callable[[str], str]

GOOD = """
class Mine:
    def __init__(self, label="person", threshold=0.5):
        self.label, self.threshold = label, threshold
    def describe(self):
        return SystemCard(name="mine")
    def predict(self, samples):
        return [Prediction(sample.id, records=[]) for sample in samples]
"""


@pytest.mark.parametrize("name", ["empty", "gold", "lexicon"])
def test_every_reference_system_is_an_adapter_of_its_name(name: str) -> None:
    adapter = load_adapter(name)
    assert isinstance(adapter, Adapter)
    assert adapter.describe().name == name


@pytest.mark.parametrize("name", ["openai", "transformers", "vllm"])
def test_a_language_model_is_an_adapter_that_bears_its_model_s_name(name: str) -> None:
    adapter = load_adapter(name, {"model": "my-model"})
    assert isinstance(adapter, Adapter)
    assert isinstance(adapter, Streaming)
    card = adapter.describe()
    assert (card.name, card.model, card.kind) == ("my-model", "my-model", "language model")


def test_every_built_in_is_one_of_these() -> None:
    assert set(ADAPTERS) == {"empty", "gold", "lexicon", "process", "openai", "transformers", "vllm"}


def test_a_language_model_s_card_takes_what_the_user_says_of_it() -> None:
    card = load_adapter("openai", {"model": "m", "card": {"name": "My system", "licence": "MIT"}}).describe()
    assert (card.name, card.model, card.licence) == ("My system", "m", "MIT")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model": "m", "temprature": 1}, "unknown option 'temprature'; did you mean 'temperature'"),
        ({}, "options: model: this key is missing"),
        ({"model": "m", "temperature": "hot"}, "temperature: must be a valid number"),
        ({"model": "m", "method": "guess"}, "method: "),
        ({"model": "m", "card": {"colour": "red"}}, "colour: "),
        ({"model": "m", "card": "red"}, "card"),
        ({"model": "m", "base_url": "localhost:8000"}, "is no address; http://HOST:PORT/v1 is one"),
        ({"model": "m", "base_url": "http://me:secret@host/v1"}, "would be written into the run"),
        ({"model": "m", "headers": {"Authorization": "Bearer x"}}, "name an environment variable"),
        ({"model": "m", "extra_body": {"model": "other"}}, "model is what the adapter itself sends"),
    ],
)
def test_an_option_that_will_not_do_is_told_in_one_line(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as caught:
        load_adapter("openai", options)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_process_adapter_is_named_after_its_program_without_its_folder() -> None:
    assert load_adapter("process", {"command": "/opt/tools/tagger --fast"}).describe().name == "tagger"


def test_an_adapter_is_loaded_from_an_importable_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "importable_system.py").write_text("from massie import SystemCard\n" + GOOD, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        assert load_adapter("importable_system:Mine").describe().name == "mine"
    finally:
        sys.modules.pop("importable_system", None)


def test_an_adapter_is_loaded_from_a_file_with_its_options(adapter_file: WriteAdapter) -> None:
    adapter = load_adapter(adapter_file(GOOD), {"label": "place", "threshold": 0.9})
    assert (getattr(adapter, "label"), getattr(adapter, "threshold")) == ("place", 0.9)  # noqa: B009


def test_two_files_of_one_name_are_two_adapters(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        text = "from massie import SystemCard\n" + GOOD.replace('name="mine"', f'name="{folder}"')
        (tmp_path / folder / "system.py").write_text(text, encoding="utf-8")
    first, second = (load_adapter(f"{tmp_path / folder / 'system.py'}:Mine") for folder in ("a", "b"))
    assert [first.describe().name, second.describe().name] == ["a", "b"]


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown adapter 'lexikon'; did you mean 'lexicon'"):
        load_adapter("lexikon")


def test_a_file_without_a_class_says_how_to_name_one(adapter_file: WriteAdapter) -> None:
    with pytest.raises(UnknownNameError, match=r"path/to/file\.py:Class"):
        load_adapter(adapter_file(GOOD).removesuffix(":Mine"))


def test_an_unknown_class_suggests_the_nearest(adapter_file: WriteAdapter) -> None:
    name = adapter_file(GOOD).replace(":Mine", ":Mime")
    with pytest.raises(UnknownNameError, match=r"unknown class 'Mime'; did you mean 'Mine'"):
        load_adapter(name)


def test_what_is_no_class_is_refused(adapter_file: WriteAdapter) -> None:
    with pytest.raises(UnknownNameError, match="unknown class 'Mine'"):
        load_adapter(adapter_file("Mine = 5"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match=r"there is no file .*absent\.py"):
        load_adapter(f"{tmp_path / 'absent.py'}:Mine")


def test_a_missing_module_is_named_with_the_way_out() -> None:
    with pytest.raises(
        AdapterError, match=r"No module named 'absent_package'; install it, or .*path/to/file\.py:Class"
    ):
        load_adapter("absent_package.systems:Mine")


@pytest.mark.parametrize("name", [":Mine", "..up:Mine"])
def test_what_is_no_module_name_is_refused(name: str) -> None:
    with pytest.raises(AdapterError, match="cannot be imported"):
        load_adapter(name)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("x = 1 / 0", r"ZeroDivisionError: division by zero \(.*my_system\.py:3\)"),
        ("def broken(:", "SyntaxError"),
        ("import absent_package", "No module named 'absent_package'"),
        ("import sys; sys.exit(0)", "SystemExit: 0"),
    ],
)
def test_a_file_that_raises_is_one_error_with_the_place(adapter_file: WriteAdapter, text: str, what: str) -> None:
    with pytest.raises(AdapterError, match=rf"my_system\.py: cannot be loaded: .*{what}"):
        load_adapter(adapter_file("\n" + text))


def test_a_wrong_option_names_the_signature(adapter_file: WriteAdapter) -> None:
    with pytest.raises(
        AdapterError, match=r"unexpected keyword argument 'treshold'.*\(label='person', threshold=0\.5\)"
    ):
        load_adapter(adapter_file(GOOD), {"treshold": 0.9})


def test_a_missing_option_is_named() -> None:
    with pytest.raises(AdapterError, match="missing a required argument: 'command'"):
        load_adapter("process")


def test_a_constructor_that_raises_is_one_error_with_the_place(adapter_file: WriteAdapter) -> None:
    text = """
    class Mine:
        def __init__(self):
            raise FileNotFoundError("weights.bin")
    """
    with pytest.raises(AdapterError, match=r"cannot be made: FileNotFoundError: weights\.bin \(.*my_system\.py:5\)"):
        load_adapter(adapter_file(text))


def test_a_wrong_card_names_the_field() -> None:
    with pytest.raises(AdapterError, match=r"process: kind: .*'baseline', 'encoder', 'language model' or 'other'"):
        load_adapter("process", {"command": "cat", "kind": "robot"})


@pytest.mark.parametrize(("has", "lacks"), [("describe", "predict"), ("predict", "describe")])
def test_a_class_that_lacks_a_method_breaks_the_contract(adapter_file: WriteAdapter, has: str, lacks: str) -> None:
    with pytest.raises(AdapterError, match=f"breaks the contract: it has no method {lacks}"):
        load_adapter(adapter_file(f"class Mine:\n    def {has}(self, *_): ..."))


def test_the_digest_is_that_of_the_adapters_file(adapter_file: WriteAdapter) -> None:
    name = adapter_file(GOOD)
    assert adapter_digest(name) == sha256(Path(name.removesuffix(":Mine")).read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["lexicon", "package.module:Class", "absent.py:Class"])
def test_what_has_no_file_has_no_digest(name: str) -> None:
    assert adapter_digest(name) is None


def test_a_key_in_the_place_of_its_variable_s_name_is_refused_and_not_repeated() -> None:
    with pytest.raises(AdapterError, match="must name an environment variable") as caught:
        load_adapter("openai", {"model": "m", "api_key_env": "sk-abcdef"})
    assert "sk-abcdef" not in str(caught.value)
