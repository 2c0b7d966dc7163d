"""The cache of responses: what was asked before is not sent again, whatever else has changed is."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massie.adapters.completions import Completion, LocalLLM, Outcome, ServedLLM
from massie.adapters.openai import Endpoint, OpenAIOptions
from massie.adapters.response_cache import ResponseCache, cache_key, cached
from massie.adapters.sending import Limits, send_all
from massie.prompting import Request
from massie.types import Failure, RequestError, RunError, Usage
from tests.servers.processes import ServerProcess

REQUEST = Request([{"role": "system", "content": "Extract."}, {"role": "user", "content": "The Tana"}], 256, {"a": 1})
OPTIONS: dict[str, Any] = {"model": "m", "base_url": "http://localhost/v1"}
OTHER_OPTIONS: dict[str, Any] = {
    "model": "n",
    "base_url": "http://localhost/v2",
    "temperature": 0.5,
    "top_p": 0.5,
    "seed": 3,
    "max_new_tokens": 100,
    "reasoning_effort": "low",
    "token_limit": "max_completion_tokens",
    "logprobs": True,
    "extra_body": {"top_k": 20},
    "headers": {"X-Route": "another"},
}
OTHER_REQUESTS = {
    "another text": replace(REQUEST, messages=[REQUEST.messages[0], {"role": "user", "content": "The tana"}]),
    "another role": replace(REQUEST, messages=[REQUEST.messages[0], {"role": "assistant", "content": "The Tana"}]),
    "another order": replace(REQUEST, messages=REQUEST.messages[::-1]),
    "fewer messages": replace(REQUEST, messages=REQUEST.messages[1:]),
    "another limit": replace(REQUEST, max_new_tokens=255),
    "another schema": replace(REQUEST, schema={"a": 2}),
    "no schema": replace(REQUEST, schema=None),
}


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[ResponseCache]:
    cache = ResponseCache(tmp_path / "cache.sqlite")
    yield cache
    cache.close()


def key(request: Request = REQUEST, **options: Any) -> bytes:
    return cache_key(Endpoint(OpenAIOptions.model_validate({**OPTIONS, **options})).settings(), request)


def test_the_same_has_the_same_key() -> None:
    assert key() == key()


@pytest.mark.parametrize("name", OTHER_OPTIONS)
def test_another_option_is_another_key(name: str) -> None:
    assert key(**{name: OTHER_OPTIONS[name]}) != key()


@pytest.mark.parametrize("name", OTHER_REQUESTS)
def test_another_request_is_another_key(name: str) -> None:
    assert key(OTHER_REQUESTS[name]) != key()


def test_a_temperature_that_is_sent_is_another_key_than_one_that_is_not() -> None:
    assert key(reasoning_effort="low", temperature=0) != key(reasoning_effort="low")


def test_every_option_that_changes_an_answer_is_looked_at() -> None:
    """Who asks is none of them."""
    assert OTHER_OPTIONS.keys() == OpenAIOptions.model_fields.keys() - {"api_key_env", "organization", "project"}


messages = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant"]), "content": st.text()}), max_size=4
)
requests = st.builds(Request, messages, st.integers(1, 4096), st.none() | st.dictionaries(st.text(), st.integers()))
options = st.fixed_dictionaries(
    {"model": st.text(min_size=1, max_size=5)},
    optional={
        "temperature": st.floats(0, 2),
        "seed": st.integers(),
        "extra_body": st.dictionaries(st.text(), st.text()),
    },
)


@given(requests, options, requests, options)
def test_keys_are_equal_where_all_is_equal_and_nowhere_else(
    one: Request, its: dict[str, Any], other: Request, others: dict[str, Any]
) -> None:
    equal = one == other and OpenAIOptions.model_validate(its) == OpenAIOptions.model_validate(others)
    assert (key(one, **its) == key(other, **others)) == equal
    assert key(one, **its) == key(one, **its)


texts = st.text(alphabet=st.characters(exclude_categories=[]))  # lone surrogates too, as servers may send them
completions = st.builds(
    Completion,
    texts,
    finish_reason=st.none() | st.text(),
    usage=st.builds(
        Usage, input_tokens=st.none() | st.integers(0, 1 << 53), output_tokens=st.none() | st.integers(0, 9)
    ),
    reasoning=st.none() | texts,
    logprobs=st.none() | st.lists(st.floats(allow_nan=False)),
)


@given(completions)
def test_what_was_kept_comes_back_as_one_that_cost_nothing(completion: Completion) -> None:
    cache = ResponseCache(Path(":memory:"))
    cache.add(b"key", completion)
    free = replace(completion.usage, seconds=0.0, requests=0)
    assert cache.find(b"key") == replace(completion, usage=free)
    cache.close()


def test_what_was_not_asked_is_not_there(cache: ResponseCache) -> None:
    assert cache.find(b"key") is None


def test_a_cache_is_kept_and_shared(tmp_path: Path) -> None:
    one, other = ResponseCache(tmp_path / "new" / "cache"), ResponseCache(tmp_path / "new" / "cache")
    one.add(b"key", Completion("[]"))
    assert other.find(b"key") is not None
    one.close()
    other.close()


@pytest.mark.parametrize(
    "kept",
    ["{", "[]", "null", '"text"', '{"finish_reason": "stop"}', '{"text": 7}', '{"text": "", "usage": 7}', b"\xff"],
)
def test_a_damaged_response_is_told_in_one_line(tmp_path: Path, kept: str | bytes) -> None:
    cache = ResponseCache(tmp_path / "cache")
    with closing(sqlite3.connect(tmp_path / "cache", isolation_level=None)) as connection:
        connection.execute("INSERT INTO responses VALUES (?, ?)", (b"key", kept))
    with pytest.raises(RunError, match=r"cache: the response cache is damaged: .+; remove it") as raised:
        cache.find(b"key")
    assert "\n" not in str(raised.value)
    cache.close()


@pytest.mark.parametrize("content", [b"no database " * 100, b"SQLite format 3\x00" + b"x" * 5000])
def test_a_file_that_is_no_cache_is_told_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "cache").write_bytes(content)
    with pytest.raises(RunError, match=r"cannot be used as a response cache: .*; name another file") as raised:
        ResponseCache(tmp_path / "cache")
    assert "\n" not in str(raised.value)


def test_a_place_that_is_no_folder_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot be used as a response cache"):
        ResponseCache(tmp_path / "file" / "cache")


def ask(llm: ServedLLM, *texts: str) -> dict[str, Outcome]:
    asked = ((text, Request([{"role": "user", "content": text}], 256)) for text in texts)
    return dict(send_all(llm, asked, Limits(attempts=1)))


def test_what_was_answered_is_not_sent_again(cache: ResponseCache, fault_server: ServerProcess) -> None:
    fault_server.behave(content="{text}")
    llm = cached(Endpoint(OpenAIOptions(model="m", base_url=fault_server.base_url)), cache)
    assert isinstance(llm, ServedLLM)
    first, second = ask(llm, "a", "b"), ask(llm, "b", "c", "a")
    assert fault_server.counts()["arrived"] == 3
    for text in ("a", "b"):
        before, now = first[text], second[text]
        assert isinstance(before, Completion)
        assert isinstance(now, Completion)
        assert (now.text, now.usage.input_tokens) == (before.text, before.usage.input_tokens)
        assert (before.usage.requests, now.usage.requests, now.usage.seconds) == (1, 0, 0.0)


def test_where_all_is_in_the_cache_the_server_need_not_be_there(
    cache: ResponseCache, fault_server: ServerProcess
) -> None:
    options = OpenAIOptions(model="m", base_url=fault_server.base_url)
    ask(_served(options, cache), "a")
    fault_server.behave(plans=[{"fault": "503"}])
    assert isinstance(ask(_served(options, cache), "a")["a"], Completion)


def test_after_what_the_cache_knows_the_first_request_still_goes_alone(
    cache: ResponseCache, fault_server: ServerProcess
) -> None:
    options = OpenAIOptions(model="m", base_url=fault_server.base_url)
    ask(_served(options, cache), "a", "b")
    fault_server.forget()
    fault_server.behave(plans=[{"fault": "401"}])
    with pytest.raises(Exception, match="refuses the key"):
        ask(_served(options, cache), "a", "b", *map(str, range(20)))
    assert fault_server.counts()["arrived"] == 1


@pytest.mark.parametrize("fault", ["500", "400", "400-context-vllm", "null-choices"])
def test_failures_are_not_kept(cache: ResponseCache, fault_server: ServerProcess, fault: str) -> None:
    options = OpenAIOptions(model="m", base_url=fault_server.base_url)
    fault_server.behave(plans=[{"fault": fault, "contains": "faulty", "count": 1}])
    assert isinstance(ask(_served(options, cache), "first", "faulty")["faulty"], RequestError)
    assert isinstance(ask(_served(options, cache), "first", "faulty")["faulty"], Completion)


def _served(options: OpenAIOptions, cache: ResponseCache) -> ServedLLM:
    llm = cached(Endpoint(options), cache)
    assert isinstance(llm, ServedLLM)
    return llm


class Shouting:
    """A language model in this process that shouts, and cannot shout "quiet"."""

    model = "shouting"
    tuning: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.asked: list[str] = []

    def settings(self) -> dict[str, Any]:
        return {"model": self.model}

    def load(self) -> None:
        pass

    def complete_all(self, requests: Sequence[Request]) -> Iterator[tuple[int, Outcome]]:
        for place, request in reversed(list(enumerate(requests))):
            text = request.messages[0]["content"]
            self.asked.append(text)
            yield place, RequestError(Failure.REJECTED, "no") if text == "quiet" else Completion(text.upper())


def test_a_local_model_is_asked_for_what_is_not_in_the_cache(cache: ResponseCache) -> None:
    shouting = Shouting()
    llm = cached(shouting, cache)
    assert isinstance(llm, LocalLLM)

    def shouted(*texts: str) -> list[str]:
        requests = [Request([{"role": "user", "content": text}], 16) for text in texts]
        outcomes = dict(llm.complete_all(requests))
        return [getattr(outcomes[place], "text", "failed") for place in range(len(texts))]

    assert shouted("a", "quiet", "b") == ["A", "failed", "B"]
    assert shouted("b", "c", "quiet", "a") == ["B", "C", "failed", "A"]
    assert shouted("a", "b") == ["A", "B"]
    assert shouting.asked == ["b", "quiet", "a", "quiet", "c"]


def test_the_file_says_nothing_but_hashes_and_answers(tmp_path: Path) -> None:
    cache = ResponseCache(tmp_path / "cache")
    cache.add(key(), Completion("[]"))
    with closing(sqlite3.connect(tmp_path / "cache")) as connection:
        ((kept, response),) = connection.execute("SELECT * FROM responses").fetchall()
    assert len(kept) == 32
    assert "Tana" not in response
    assert json.loads(response)["text"] == "[]"
    cache.close()
