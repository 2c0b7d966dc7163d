"""The real server over the tiny model, seen through the official client, and the model by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import AuthenticationError, BadRequestError, NotFoundError, OpenAI
from openai.types.chat import ChatCompletion

from tests.servers.processes import ServerProcess, started

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("llguidance")

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "records": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "type": {"enum": ["PERSON", "PLACE"]},
                    "span": {"type": "string"},
                    "start": {"type": "integer"},
                },
                "required": ["type", "span", "start"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["records"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def client(model_server: ServerProcess) -> Iterator[OpenAI]:
    with OpenAI(base_url=model_server.base_url, api_key="sk-of-the-tests", max_retries=0) as client:
        yield client


def ask(client: OpenAI, text: str = "Who?", **options: Any) -> ChatCompletion:
    settings = {"model": "tiny", "temperature": 0, "max_tokens": 32, **options}
    return client.chat.completions.create(messages=[{"role": "user", "content": text}], **settings)


def said(answer: ChatCompletion) -> str:
    return answer.choices[0].message.content or ""


def json_schema(schema: dict[str, Any], *, strict: bool = True) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "records", "strict": strict, "schema": schema}}


def test_answers_are_the_same_each_time_and_depend_on_what_is_asked(client: OpenAI) -> None:
    assert said(ask(client, "Wo liegt 東京?")) == said(ask(client, "Wo liegt 東京?")) != said(ask(client, "Who?"))


def test_usage_and_finish_reason_follow_the_token_limit(client: OpenAI) -> None:
    for limit in ("max_tokens", "max_completion_tokens"):
        answer = ask(client, **{"max_tokens": None, limit: 5})
        assert answer.choices[0].finish_reason == "length"
        assert answer.usage is not None
        assert answer.usage.completion_tokens == 5
        assert answer.usage.prompt_tokens > 5


def test_a_seed_repeats_what_was_sampled(client: OpenAI) -> None:
    first, second, other = (said(ask(client, temperature=1, seed=seed)) for seed in (1, 1, 2))
    assert first == second != other


def test_a_stop_text_ends_the_answer_before_it(client: OpenAI) -> None:
    whole = said(ask(client))
    stop = whole[len(whole) // 2 :][:2]
    answer = ask(client, stop=stop)
    assert said(answer) == whole[: whole.index(stop)]
    assert answer.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("text", ["Who?", "Кто?", "谁?", "من؟"])
def test_an_answer_satisfies_the_schema(client: OpenAI, text: str) -> None:
    answer = ask(client, text, max_tokens=256, response_format=json_schema(SCHEMA))
    assert answer.choices[0].finish_reason == "stop"
    read = json.loads(said(answer))
    assert list(read) == ["records"]
    for record in read["records"]:
        assert list(record) == ["type", "span", "start"]
        assert record["type"] in ("PERSON", "PLACE")
        assert isinstance(record["span"], str)
        assert isinstance(record["start"], int)


def test_an_answer_is_a_json_object(client: OpenAI) -> None:
    answer = ask(client, max_tokens=256, response_format={"type": "json_object"})
    assert isinstance(json.loads(said(answer)), dict)


def test_vllms_own_field_holds_any_schema(client: OpenAI) -> None:
    schema = {"type": "array", "items": {"type": "string"}, "minItems": 1}
    answer = ask(client, max_tokens=256, extra_body={"structured_outputs": {"json": schema}})
    assert all(isinstance(item, str) for item in json.loads(said(answer)))


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "array", "items": SCHEMA}, "of 'type: \"object\"'"),
        ({**SCHEMA, "additionalProperties": True}, "'additionalProperties' is required"),
        ({**SCHEMA, "required": []}, "Missing \\['records'\\]"),
    ],
)
def test_strict_schemas_are_checked_as_openai_does(client: OpenAI, schema: dict[str, Any], problem: str) -> None:
    with pytest.raises(BadRequestError, match=problem):
        ask(client, response_format=json_schema(schema))
    assert json.loads(said(ask(client, max_tokens=256, response_format=json_schema(schema, strict=False)))) is not None


def test_a_schema_that_cannot_be_followed_is_refused(client: OpenAI) -> None:
    with pytest.raises(BadRequestError, match="Invalid schema"):
        ask(client, response_format=json_schema({"type": "nothing"}, strict=False))


def test_a_prompt_longer_than_the_context_is_refused(client: OpenAI) -> None:
    with pytest.raises(BadRequestError, match="maximum context length is 2048 tokens") as raised:
        ask(client, "日本語 " * 2000)
    assert raised.value.code == "context_length_exceeded"


def test_a_long_prompt_within_the_context_is_answered(client: OpenAI) -> None:
    answer = ask(client, "Who opened the new bridge? " * 150, max_tokens=4)
    assert answer.usage is not None
    assert 1000 < answer.usage.prompt_tokens < 2044


def test_another_model_is_not_found(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["tiny"]
    with pytest.raises(NotFoundError, match="`large` does not exist"):
        ask(client, model="large")


@pytest.mark.parametrize("field", [{"n": 2}, {"stream": True}, {"top_p": 0.5}, {"extra_body": {"top_k": 3}}])
def test_what_is_not_honoured_is_refused(client: OpenAI, field: dict[str, Any]) -> None:
    with pytest.raises(BadRequestError, match=next(iter(field.get("extra_body", field)))):
        ask(client, **field)


def test_another_key_is_refused(tiny_model: Path) -> None:
    with (
        started("model", "--model", tiny_model, "--name", "mine", "--api-key", "sk-right") as server,
        OpenAI(base_url=server.base_url, api_key="sk-wrong", max_retries=0) as client,
    ):
        with pytest.raises(AuthenticationError):
            ask(client, model="mine")
        assert said(ask(client.with_options(api_key="sk-right"), model="mine"))


def test_the_model_loads_offline_and_says_what_the_server_says(
    tiny_model: Path, client: OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Who?"}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    generated = model.generate(**prompt, max_new_tokens=32)
    text = tokenizer.decode(generated[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True)
    assert text == said(ask(client))


def test_the_tokenizer_writes_any_text(tiny_model: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    for text in ("Zürich , 東京", "ልጆቹ\u200d\u2028 😀\n\n x", "কলকাতা"):
        assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text
