"""The adapter 'transformers' over a real model of random weights: what it says means nothing, how it says it does."""

# ruff: noqa: E402 (without PyTorch there is nothing to import)

from __future__ import annotations

import json
import shutil
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from hypothesis import given, settings
from hypothesis import strategies as st

from massie.adapters import load_adapter
from massie.adapters.completions import Completion, LocalLLM
from massie.adapters.local_models import LocalOptions
from massie.adapters.transformers import Model, Transformers, TransformersOptions
from massie.build import Benchmark
from massie.cli.main import cli
from massie.prompting import Request
from massie.types import AdapterError, Failure, MissingExtraError, RequestError, Sample, UnknownNameError
from tests.servers.tiny_model import CONTEXT, make_tiny_model

TEXTS = [
    "Amina",
    "The train to the south is late today.",
    "子供たちは公園で",
    "a",
    "one two three " * 20,
    "Поезд опоздал",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return loaded(folder)


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """A copy of the model's folder that a test may change."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def loaded(folder: Path, **options: Any) -> Model:
    made = Model(TransformersOptions(model=str(folder), **options))
    made.load()
    return made


def requests(texts: Sequence[str], limit: int = 12) -> list[Request]:
    return [Request([{"role": "user", "content": text}], limit) for text in texts]


def outcomes(model: Model, asked: Sequence[Request]) -> list[Completion | RequestError]:
    """What comes of each request, in the order asked; each exactly once."""
    pairs = list(model.complete_all(asked))
    assert sorted(place for place, _ in pairs) == list(range(len(asked)))
    return [outcome for _, outcome in sorted(pairs, key=lambda pair: pair[0])]


def completions(model: Model, asked: Sequence[Request]) -> list[Completion]:
    found = outcomes(model, asked)
    assert all(isinstance(outcome, Completion) for outcome in found), found
    return [outcome for outcome in found if isinstance(outcome, Completion)]


def texts_of(model: Model, asked: Sequence[Request]) -> list[str]:
    return [completion.text for completion in completions(model, asked)]


def test_it_is_a_local_language_model(model: Model) -> None:
    assert isinstance(model, LocalLLM)


def test_answers_depend_on_what_was_asked(model: Model) -> None:
    assert len(set(texts_of(model, requests(TEXTS)))) == len(TEXTS)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=6))
def test_greedy_answers_in_a_batch_are_those_to_one_request_at_a_time(folder: Path, texts: list[str]) -> None:
    together = _cached(folder, 3)
    alone = _cached(folder, 1)
    assert texts_of(together, requests(texts)) == texts_of(alone, requests(texts))


_MODELS: dict[int, Model] = {}


def _cached(folder: Path, batch_size: int) -> Model:
    if batch_size not in _MODELS:
        _MODELS[batch_size] = loaded(folder, batch_size=batch_size)
    return _MODELS[batch_size]


def test_greedy_answers_are_the_likeliest_tokens(model: Model) -> None:
    [completion] = completions(model, requests([TEXTS[1]], limit=8))
    assert completion.text == model._tokenizer.decode(likeliest(model, TEXTS[1], 8), skip_special_tokens=True)


def likeliest(model: Model, text: str, number: int) -> list[int]:
    """The likeliest tokens after a text, by the network itself: one by one, no cache, no padding."""
    ids = model._tokenizer.apply_chat_template(
        [{"role": "user", "content": text}], add_generation_prompt=True, return_dict=False
    )
    start = len(ids)
    for _ in range(number):
        ids.append(int(model._model(torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[start:]


def test_the_longest_prompts_are_asked_first_and_each_answer_is_yielded_as_it_comes(folder: Path) -> None:
    model = loaded(folder, batch_size=2)
    places = [place for place, _ in model.complete_all(requests(["a", "b " * 50, "c " * 5, "d " * 100]))]
    assert places == [3, 1, 2, 0]


def test_requests_with_different_limits_keep_theirs(model: Model) -> None:
    asked = [*requests(TEXTS[:2], limit=3), *requests(TEXTS[2:], limit=7)]
    used = [completion.usage.output_tokens or 0 for completion in completions(model, asked)]
    assert max(used[:2]) <= 3
    assert 3 < max(used[2:]) <= 7


def test_an_answer_that_ends_at_its_limit_says_length(model: Model) -> None:
    [completion] = completions(model, requests(["a"], limit=2))
    assert completion.finish_reason == "length"
    assert completion.usage.output_tokens == 2


def test_an_answer_that_ends_by_itself_says_stop_and_counts_its_end(model: Model, copy: Path) -> None:
    """A token that the model says is made one that ends an answer, as its generation config has it."""
    tokens = likeliest(model, "a", 12)
    length = next(place for place in range(2, 12) if tokens[place] not in tokens[:place])
    path = copy / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"eos_token_id": [2, tokens[length]]}))
    [completion, *_] = completions(loaded(copy), requests(["a", *TEXTS], limit=12))
    assert completion.finish_reason == "stop"
    assert completion.usage.output_tokens == length + 1
    assert completion.text == model._tokenizer.decode(tokens[:length], skip_special_tokens=True)


def test_usage_counts_the_tokens_of_the_prompt_without_padding(model: Model) -> None:
    asked = requests(["a", "b " * 50])
    together = [completion.usage.input_tokens for completion in completions(model, asked)]
    alone = [completions(model, [request])[0].usage.input_tokens for request in asked]
    assert together == alone
    assert together[0] < together[1]


def test_a_prompt_that_does_not_fit_fails_alone_and_before_it_is_asked(model: Model) -> None:
    fits, too_long, also_fits = outcomes(model, requests(["a", "x y " * CONTEXT, "b"]))
    assert isinstance(fits, Completion)
    assert isinstance(also_fits, Completion)
    assert isinstance(too_long, RequestError)
    assert too_long.failure is Failure.CONTEXT_LENGTH
    assert str(CONTEXT) in str(too_long)


def test_prompt_and_answer_may_fill_the_context_but_not_exceed_it(model: Model) -> None:
    [completion] = completions(model, requests(["a"], limit=1))
    room = CONTEXT - (completion.usage.input_tokens or 0)
    [too_long] = outcomes(model, requests(["a"], limit=room + 1))
    assert isinstance(too_long, RequestError)
    assert not isinstance(model._prompt(0, requests(["a"], limit=room)[0]), RequestError)


def test_the_option_max_new_tokens_takes_the_place_of_the_prompts_limit(folder: Path) -> None:
    [completion] = completions(loaded(folder, max_new_tokens=2), requests(["a"], limit=12))
    assert completion.usage.output_tokens == 2


def test_sampling_with_a_seed_gives_the_same_answers_again(folder: Path) -> None:
    first, second = (loaded(folder, temperature=1.0, top_p=0.9, seed=7) for _ in range(2))
    answers = texts_of(first, requests(TEXTS))
    assert texts_of(second, requests(TEXTS)) == answers
    assert texts_of(first, requests(TEXTS)) == answers


def test_another_seed_gives_other_answers(folder: Path) -> None:
    first, second = (loaded(folder, temperature=1.0, seed=seed) for seed in (1, 2))
    assert texts_of(first, requests(TEXTS)) != texts_of(second, requests(TEXTS))


def test_what_the_models_makers_recommend_for_sampling_is_not_used(copy: Path, model: Model) -> None:
    path = copy / "generation_config.json"
    recommended = {
        "do_sample": True,
        "temperature": 1.9,
        "top_k": 3,
        "repetition_penalty": 9.0,
        "no_repeat_ngram_size": 1,
    }
    path.write_text(json.dumps(json.loads(path.read_text()) | recommended))
    assert texts_of(loaded(copy), requests(TEXTS)) == texts_of(model, requests(TEXTS))


def test_memory_that_does_not_hold_a_batch_halves_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = loaded(folder, batch_size=6)
    rows = rows_of_generate(model, monkeypatch, most=2)
    assert texts_of(model, requests(TEXTS)) == texts_of(_cached(folder, 1), requests(TEXTS))
    assert rows == [6, 3, 1, 1, 1, 1, 1, 1]


def test_a_request_that_memory_does_not_hold_fails_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = loaded(folder, batch_size=2)
    rows_of_generate(model, monkeypatch, most=2, longest=100)
    long, short = outcomes(model, requests(["x " * 200, "a"]))
    assert isinstance(long, RequestError)
    assert "memory" in str(long)
    assert not long.failure.lasting
    assert isinstance(short, Completion)


def rows_of_generate(model: Model, monkeypatch: pytest.MonkeyPatch, most: int, longest: int = CONTEXT) -> list[int]:
    """Lets the model run out of memory beyond so many rows or tokens; the rows of each call are listed."""
    rows: list[int] = []
    generate = model._model.generate

    def limited(input_ids: Any, **arguments: Any) -> Any:
        rows.append(input_ids.shape[0])
        if input_ids.shape[0] > most or input_ids.shape[1] > longest:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return generate(input_ids=input_ids, **arguments)

    monkeypatch.setattr(model._model, "generate", limited)
    return rows


def test_a_model_that_breaks_ends_the_run_with_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = loaded(folder)

    def broken(**_: Any) -> Any:
        raise RuntimeError("CUDA error: device-side assert triggered\nmore\nlines")

    monkeypatch.setattr(model._model, "generate", broken)
    with pytest.raises(AdapterError, match="device-side assert triggered more lines"):
        outcomes(model, requests(["a"]))


def test_a_local_folder_loads_without_any_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: Any) -> None:
        pytest.fail("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    monkeypatch.setattr(socket.socket, "connect", unreachable)
    assert texts_of(loaded(folder), requests(["a"]))


def test_arguments_of_the_chat_template_reach_it(copy: Path) -> None:
    template = (copy / "chat_template.jinja").read_text()
    (copy / "chat_template.jinja").write_text("{% if enable_thinking %}think think think{% endif %}" + template)
    [without] = completions(loaded(copy), requests(["a"]))
    [with_it] = completions(loaded(copy, chat_template_kwargs={"enable_thinking": True}), requests(["a"]))
    assert (with_it.usage.input_tokens or 0) > (without.usage.input_tokens or 0)


def test_a_chat_template_that_refuses_all_requests_ends_the_run(copy: Path) -> None:
    (copy / "chat_template.jinja").write_text("{{ raise_exception('System role not supported') }}")
    with pytest.raises(AdapterError, match=r"first 3 requests were refused.*System role not supported"):
        outcomes(loaded(copy), requests(TEXTS))


def test_a_chat_template_that_refuses_one_request_fails_that_one(copy: Path) -> None:
    template = (copy / "chat_template.jinja").read_text()
    refusing = "{% if 'Amina' in messages[0].content %}{{ raise_exception('no names') }}{% endif %}"
    (copy / "chat_template.jinja").write_text(refusing + template)
    refused, *others = outcomes(loaded(copy), requests(TEXTS))
    assert isinstance(refused, RequestError)
    assert refused.failure is Failure.REJECTED
    assert all(isinstance(other, Completion) for other in others)


def test_a_model_without_a_chat_template_is_refused(copy: Path) -> None:
    (copy / "chat_template.jinja").unlink()
    with pytest.raises(AdapterError, match="no chat template"):
        loaded(copy)


@pytest.mark.parametrize("options", [{"device": "no-such-device"}, {"dtype": "no-such-type"}])
def test_what_pytorch_does_not_know_is_told_in_one_line(folder: Path, options: dict[str, str]) -> None:
    with pytest.raises(AdapterError, match="transformers cannot load") as error:
        loaded(folder, **options)
    assert "\n" not in str(error.value)


def test_a_folder_without_a_model_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match="transformers cannot load") as error:
        loaded(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("package", ["torch", "transformers"])
def test_a_missing_package_names_the_extra(folder: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"'{package}'.*massie\[transformers\]"):
        loaded(folder)


def test_structured_output_is_refused_at_once() -> None:
    with pytest.raises(AdapterError, match=r"JSON schema.*vllm"):
        Transformers(model="any", structured_output="json_schema")


def test_an_unknown_option_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="batch_size"):
        Transformers(model="any", batchsize=4)


def test_settings_hold_all_that_answers_depend_on() -> None:
    told = Model(TransformersOptions(model="org/name", seed=3, device="cpu")).settings()
    assert told["library"] == "transformers"
    assert set(told) - {"library"} == set(TransformersOptions.model_fields) - {"device"}
    assert set(LocalOptions.model_fields) <= set(told)
    assert json.loads(json.dumps(told)) == told


def test_the_adapter_answers_samples(folder: Path, demo: Benchmark, samples: list[Sample]) -> None:
    adapter = load_adapter("transformers", {"model": str(folder), "max_new_tokens": 4, "method": "zero-shot"})
    assert isinstance(adapter, Transformers)
    adapter.prepare(demo)
    predictions = list(adapter.predict(samples))
    assert {prediction.sample_id for prediction in predictions} == {sample.id for sample in samples}
    assert all(prediction.error is None and prediction.output is not None for prediction in predictions)
    assert adapter.describe().model == folder.name


def test_a_whole_run_works(copy: Path, tmp_path: Path) -> None:
    config = copy / "config.json"  # few-shot prompts are longer than the tiny model's context
    config.write_text(json.dumps(json.loads(config.read_text()) | {"max_position_embeddings": 16 * CONTEXT}))
    command = ["run", "m-demo", "--adapter", "transformers", "--option", f"model={copy}", "--limit", "1"]
    command += ["--option", "max_new_tokens=4", "--runs", str(tmp_path), "--json"]
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)
    stored = json.loads(next(tmp_path.rglob("result.json")).read_text())
    assert stored["usage"]["output_tokens"] > 0


def test_reasoning_that_the_chat_template_began_has_its_tag_again(copy: Path, model: Model) -> None:
    template = copy / "chat_template.jinja"
    template.write_text(template.read_text() + "{{ '<think>\\n' }}")
    [opened] = texts_of(loaded(copy), requests(["a"]))
    assert opened.startswith("<think>")
    [plain] = texts_of(model, requests(["a"]))
    assert not plain.startswith("<think>")
