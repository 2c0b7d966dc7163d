"""The adapter ``openai`` with the official client and a real server that fails as it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from massie.adapters.completions import Completion, Outcome
from massie.adapters.openai import Endpoint, OpenAI, OpenAIOptions
from massie.adapters.sending import Limits, send_all
from massie.prompting import Request
from massie.types import AdapterError, EndpointError, Failure, RequestError, Sample, UnknownNameError
from tests.servers.processes import ServerProcess

KEY = "sk-test-0123456789abcdef0123456789abcdef"  # as long as real ones are
TRANSIENT = {
    "429": Failure.RATE_LIMIT,
    "429-seconds": Failure.RATE_LIMIT,
    "429-milliseconds": Failure.RATE_LIMIT,
    "408": Failure.TIMEOUT,
    "409": Failure.SERVER,
    "500": Failure.SERVER,
    "502": Failure.SERVER,
    "503": Failure.SERVER,
    "502-html": Failure.SERVER,
    "half-body": Failure.CONNECTION,
    "closed": Failure.CONNECTION,
    "reset": Failure.CONNECTION,
    "reset-in-body": Failure.CONNECTION,
    "stall": Failure.TIMEOUT,
    "stall-in-body": Failure.TIMEOUT,
    "200-html": Failure.MALFORMED,
    "200-empty": Failure.MALFORMED,
    "truncated-json": Failure.MALFORMED,
    "other-shape": Failure.MALFORMED,
    "json-list": Failure.MALFORMED,
    "error-in-200": Failure.MALFORMED,
    "no-choices": Failure.MALFORMED,
    "empty-choices": Failure.MALFORMED,
    "null-choices": Failure.MALFORMED,
    "null-message": Failure.MALFORMED,
}
"""The faults that may go well when asked again, with what they count as where they do not."""
LASTING = {
    "400": Failure.REJECTED,
    "413": Failure.REJECTED,
    "400-context-openai": Failure.CONTEXT_LENGTH,
    "400-context-vllm": Failure.CONTEXT_LENGTH,
}
FATAL = {
    "401": "the endpoint refuses the key (401",
    "403": "the endpoint refuses the key (403",
    "404": "the endpoint has no such model or address (404",
    "404-html": "the endpoint has no such model or address (404 an HTML page: Not Found)",
    "429-quota": "the account has no quota left (429",
}


def endpoint(server: ServerProcess, **options: Any) -> Endpoint:
    return Endpoint(OpenAIOptions.model_validate({"model": "any", "base_url": server.base_url, **options}))


def ask(llm: Endpoint, *texts: str, **limits: Any) -> dict[str, Outcome]:
    """The outcomes by text; the first is asked alone."""
    requests = ((text, Request([{"role": "user", "content": text}], 256)) for text in texts)
    return dict(send_all(llm, requests, Limits(**limits)))


def completed(outcome: Outcome) -> Completion:
    assert isinstance(outcome, Completion), outcome
    return outcome


def sent(server: ServerProcess) -> list[dict[str, Any]]:
    return [json.loads(request["body"]) for request in server.requests()]


@contextmanager
def saying(status: int, before: str = "", **headers: str) -> Iterator[str]:
    """The base URL of a server that repeats what Authorization it got, and nothing else."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = f"{before} {self.headers['Authorization']}".encode()
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(said))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler) as url:
        yield url


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


def test_an_answer_comes_with_what_the_server_says_of_it(fault_server: ServerProcess) -> None:
    made = completed(ask(endpoint(fault_server), "Where is the Tana?")["Where is the Tana?"])
    assert (made.text, made.finish_reason, made.reasoning) == ("[]", "stop", None)
    assert (made.usage.input_tokens, made.usage.output_tokens, made.usage.requests) == (5, 1, 1)
    assert (made.usage.seconds or 0) > 0


def test_a_text_in_any_script_is_sent_as_it_is(fault_server: ServerProcess) -> None:
    text = "Ukerewe ni kisiwa. 東京は首都。 عمان عاصمة 🏔️ \u2028 \x00"
    ask(endpoint(fault_server), text)
    assert sent(fault_server)[0]["messages"] == [{"role": "user", "content": text}]


def test_the_extra_body_reaches_the_server(fault_server: ServerProcess) -> None:
    """Also what the official client knows nothing of."""
    ask(endpoint(fault_server, extra_body={"chat_template_kwargs": {"enable_thinking": False}, "top_k": 20}), "a")
    assert sent(fault_server)[0]["chat_template_kwargs"] == {"enable_thinking": False}
    assert sent(fault_server)[0]["top_k"] == 20


@pytest.mark.parametrize("fault", TRANSIENT)
def test_a_passing_fault_is_sent_again_and_then_answered(fault_server: ServerProcess, fault: str) -> None:
    plan = {"fault": fault, "contains": "faulty", "count": 1, "each": True}
    fault_server.behave(content="{text}", plans=[plan], stall=1.0, retry_after=0)
    texts = ["first", *(f"faulty {number}" for number in range(6))]
    outcomes = ask(endpoint(fault_server), *texts, timeout=0.5 if "stall" in fault else 30)
    assert {text: completed(outcome).text for text, outcome in outcomes.items()} == {text: text for text in texts}
    assert [completed(outcomes[text]).usage.requests for text in texts] == [1, *[2] * 6]


@pytest.mark.parametrize("fault", [fault for fault in TRANSIENT if "429" not in fault])
def test_a_fault_that_does_not_pass_is_a_failure_of_its_kind(fault_server: ServerProcess, fault: str) -> None:
    fault_server.behave(plans=[{"fault": fault, "contains": "faulty"}], stall=1.0)
    outcomes = ask(endpoint(fault_server), "first", "faulty", attempts=1, timeout=0.5 if "stall" in fault else 30)
    error = outcomes["faulty"]
    assert isinstance(error, RequestError)
    assert error.failure is TRANSIENT[fault]
    assert "\n" not in str(error)
    assert len(str(error)) < 400


@pytest.mark.parametrize("fault", LASTING)
def test_a_lasting_fault_is_a_failure_of_its_request_and_not_sent_again(
    fault_server: ServerProcess, fault: str
) -> None:
    fault_server.behave(plans=[{"fault": fault, "contains": "faulty"}])
    outcomes = ask(endpoint(fault_server), "first", "faulty", "last")
    error = outcomes["faulty"]
    assert isinstance(error, RequestError)
    assert error.failure is LASTING[fault]
    assert fault_server.counts()["arrived"] == 3
    assert completed(outcomes["last"]).text == "[]"


@pytest.mark.parametrize("fault", FATAL)
def test_a_fatal_fault_ends_the_sending(fault_server: ServerProcess, fault: str) -> None:
    fault_server.behave(plans=[{"fault": fault, "first": 1}])
    with pytest.raises(EndpointError) as raised:
        ask(endpoint(fault_server), *map(str, range(20)))
    assert str(raised.value).startswith(FATAL[fault])
    assert fault_server.counts()["arrived"] == 1


def test_an_answer_that_comes_twice_is_never_anothers(fault_server: ServerProcess) -> None:
    """The copy is dropped with its connection.

    A copy that comes only after the next request went out on the same connection is the answer to it for every client
    of HTTP/1.1; no server is known that does this.
    """
    fault_server.behave(content="{text}", rate=0.5, faults=["duplicated"], latency=[0.0, 0.02])
    texts = [f"text {number}" for number in range(100)]
    outcomes = ask(endpoint(fault_server), *texts, concurrency=8)
    assert {text: completed(outcome).text for text, outcome in outcomes.items()} == {text: text for text in texts}


def test_answers_that_come_in_another_order_are_each_its_own(fault_server: ServerProcess) -> None:
    fault_server.behave(content="{text}", latency=[0.0, 0.1])
    texts = [f"text {number}" for number in range(100)]
    outcomes = ask(endpoint(fault_server), *texts)
    assert list(outcomes) != texts
    assert {text: completed(outcome).text for text, outcome in outcomes.items()} == {text: text for text in texts}


@pytest.mark.parametrize(
    ("fault", "text", "reason"),
    [
        ("length", "[" * 2, "length"),
        ("content-filter", "", "content_filter"),
        ("refusal", "I'm sorry, I cannot assist with that request.", "refusal"),
        ("empty", "", "stop"),
        ("null", "", "stop"),
        ("no-usage", "[[[", "stop"),
        ("reasoning-length", "", "length"),
    ],
)
def test_an_answer_out_of_the_ordinary_is_taken_as_it_is(
    fault_server: ServerProcess, fault: str, text: str, reason: str
) -> None:
    fault_server.behave(content="[[[", plans=[{"fault": fault}])
    made = completed(ask(endpoint(fault_server), "a")["a"])
    assert (made.text, made.finish_reason) == (text, reason)
    assert (made.usage.input_tokens is None) == (fault == "no-usage")


@pytest.mark.parametrize("fault", ["reasoning-content", "reasoning", "reasoning-length"])
def test_reasoning_is_kept_apart_and_counted(fault_server: ServerProcess, fault: str) -> None:
    fault_server.behave(plans=[{"fault": fault}])
    made = completed(ask(endpoint(fault_server), "a")["a"])
    assert "PER" in (made.reasoning or "")
    assert "PER" not in made.text
    assert (made.usage.reasoning_tokens or 0) > 10


def test_where_nobody_listens_one_line_says_so() -> None:
    llm = Endpoint(OpenAIOptions(model="any", base_url="http://127.0.0.1:9/v1"))
    with pytest.raises(EndpointError, match=r"no other was sent: the connection failed: .*'127\.0\.0\.1', 9"):
        ask(llm, "a", "b", attempts=2)


def test_a_redirect_is_not_followed() -> None:
    """Prompts and secret headers go where they were sent, nowhere else."""
    with saying(307, location="http://127.0.0.1:1/v1") as url:
        llm = Endpoint(OpenAIOptions(model="any", base_url=url))
        with pytest.raises(EndpointError, match=r"has moved to http://127.0.0.1:1/v1 \(307\)"):
            ask(llm, "a", "b")


@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "MY_KEY"])
def test_a_missing_key_is_told_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, fault_server: ServerProcess, variable: str
) -> None:
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(EndpointError, match=f"the environment variable {variable} is not set"):
        ask(endpoint(fault_server, api_key_env=variable), "a")
    assert fault_server.counts()["arrived"] == 0


def test_openai_itself_needs_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(EndpointError, match="OPENAI_API_KEY is not set"):
        ask(Endpoint(OpenAIOptions(model="any")), "a")


@pytest.mark.parametrize("key", ["sk-1\nX-Evil: 1", "schlüssel"])
def test_a_key_that_no_header_can_hold_is_told_without_being_shown(
    monkeypatch: pytest.MonkeyPatch, fault_server: ServerProcess, key: str
) -> None:
    monkeypatch.setenv("MY_KEY", key)
    with pytest.raises(EndpointError, match="MY_KEY holds characters that no key has") as raised:
        ask(endpoint(fault_server, api_key_env="MY_KEY"), "a")
    assert key not in str(raised.value)


def test_a_key_may_end_with_a_line_break_as_keys_in_files_do(
    monkeypatch: pytest.MonkeyPatch, fault_server: ServerProcess
) -> None:
    monkeypatch.setenv("MY_KEY", f"{KEY}\n")
    fault_server.behave(api_key=KEY)
    assert completed(ask(endpoint(fault_server, api_key_env="MY_KEY"), "a")["a"]).text == "[]"


def test_the_key_of_openai_goes_to_no_other_server(
    monkeypatch: pytest.MonkeyPatch, fault_server: ServerProcess
) -> None:
    for variable in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(variable, KEY)
    fault_server.behave(api_key=KEY)
    with pytest.raises(EndpointError, match="refuses the key"):
        ask(endpoint(fault_server), "a")


def test_what_the_environment_says_of_openai_goes_to_no_other_server(
    monkeypatch: pytest.MonkeyPatch, fault_server: ServerProcess
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-mine")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-mine")
    ask(endpoint(fault_server), "a")
    assert "mine" not in str(fault_server.requests()[0]["headers"])


def test_the_key_of_openai_goes_where_it_is_named(monkeypatch: pytest.MonkeyPatch, fault_server: ServerProcess) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    fault_server.behave(api_key=KEY)
    assert completed(ask(endpoint(fault_server, api_key_env="OPENAI_API_KEY"), "a")["a"]).text == "[]"


def test_organisation_project_and_headers_are_sent(
    monkeypatch: pytest.MonkeyPatch, fault_server: ServerProcess
) -> None:
    monkeypatch.setenv("GATEWAY", KEY)
    headers = {"X-Team": "rivers", "X-Api-Key": "$GATEWAY"}
    ask(endpoint(fault_server, organization="org", project="proj", headers=headers), "a")
    found = fault_server.requests()[0]["headers"]
    assert (found["openai-organization"], found["openai-project"]) == ("org", "proj")
    assert (found["x-team"], found["x-api-key"]) == ("rivers", KEY)


def test_an_endpoints_settings_hold_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    llm = Endpoint(OpenAIOptions(model="m", api_key_env="MY_KEY", headers={"X-Key": "$MY_KEY"}, organization="org"))
    assert llm.settings() == {
        "endpoint": "OpenAI",
        "model": "m",
        "temperature": 0.0,
        "top_p": None,
        "seed": None,
        "headers": {"X-Key": "$MY_KEY"},
        "max_new_tokens": None,
        "reasoning_effort": None,
        "token_limit": None,
        "logprobs": False,
        "extra_body": {},
    }


@pytest.mark.parametrize("status", [200, 400, 401, 404, 500])
def test_a_key_that_a_server_repeats_is_not_passed_on(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """Not even cut off, where what the server said is cut off."""
    monkeypatch.setenv("MY_KEY", KEY)
    for before in ("", "x" * 280):
        with saying(status, before=before) as url:
            llm = Endpoint(OpenAIOptions(model="any", base_url=url, api_key_env="MY_KEY"))
            with pytest.raises(EndpointError, match=r"\.\.\.") as raised:
                ask(llm, "a", "b", "c", "d", attempts=1)
        assert KEY[:8] not in str(raised.value)


@pytest.mark.parametrize("told", [KEY, KEY[:-4], f"{KEY[:12]}********cdef", f"Bearer {KEY}"])
def test_a_key_is_masked_whole_cut_off_or_half_masked(monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    llm = Endpoint(OpenAIOptions(model="m", api_key_env="MY_KEY"))
    llm.arguments()
    cleaned = llm.cleaned(RequestError(Failure.SERVER, f"500 the key {told} is odd", 3.0))
    assert str(cleaned) in ("500 the key ... is odd", "500 the key Bearer ... is odd")
    assert isinstance(cleaned, RequestError)
    assert (cleaned.failure, cleaned.retry_after) == (Failure.SERVER, 3.0)


def test_a_part_of_a_headers_value_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    """But no short one: it may be any word."""
    monkeypatch.setenv("GATEWAY", f"Bearer {KEY}")
    llm = Endpoint(OpenAIOptions(model="m", headers={"Authorization": "$GATEWAY"}))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-another-0123456789")
    llm.arguments()
    told = "400 a Bearer of {}: no"
    assert str(llm.cleaned(EndpointError(told.format(KEY)))) == told.format("...").replace(":", "")


def test_the_options_that_change_no_answer_are_none_of_the_settings() -> None:
    llm = Endpoint(OpenAIOptions(model="m"))
    assert llm.tuning == {"api_key_env", "organization", "project"}
    assert not llm.tuning & llm.settings().keys()


def test_a_request_that_moderation_stops_ends_nothing_and_is_not_sent_again() -> None:
    class Moderating(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            flagged = b"flag me" in self.rfile.read(int(self.headers["content-length"]))
            error = {"error": {"code": 403, "message": "Input was flagged", "metadata": {"reasons": ["violence"]}}}
            message = {"choices": [{"message": {"content": "[]"}, "finish_reason": "stop"}]}
            self.send_response(403 if flagged else 200)
            self.end_headers()
            self.wfile.write(json.dumps(error if flagged else message).encode())

        def log_message(self, *_: object) -> None:
            pass

    with serving(Moderating) as url:
        found = ask(Endpoint(OpenAIOptions(model="any", base_url=url)), "a", "flag me", "b")
    stopped = found.pop("flag me")
    assert isinstance(stopped, RequestError)
    assert (stopped.failure, stopped.requests) == (Failure.REJECTED, 1)
    assert {text: completed(outcome).text for text, outcome in found.items()} == {"a": "[]", "b": "[]"}


def test_a_value_that_will_not_do_is_told_with_its_option() -> None:
    with pytest.raises(AdapterError, match=r"options: temperature: .*2"):
        OpenAI(model="m", temperature=9)


def test_a_secret_among_the_headers_is_refused_without_being_shown() -> None:
    with pytest.raises(AdapterError, match="name an environment variable") as raised:
        OpenAI(model="m", headers={"Authorization": f"Bearer {KEY}"})
    assert KEY not in str(raised.value)


def test_an_unknown_option_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'base_url'"):
        OpenAI(model="m", base_ulr="http://localhost/v1")


def test_predict_answers_samples_with_the_usual_limits(fault_server: ServerProcess, samples: Sequence[Sample]) -> None:
    system = OpenAI(model="any", base_url=fault_server.base_url, method="zero-shot")
    answered = {prediction.sample_id: prediction.output for prediction in system.predict(samples)}
    assert answered == {sample.id: "[]" for sample in samples}
