"""The adapter 'vllm' over a small fake of vLLM, and the fake against the real package where that is installed.

vLLM needs a GPU, but its Python package can be installed without one, to read its signatures (a few minutes):

    uv venv --python 3.11 /tmp/vllm && . /tmp/vllm/bin/activate
    uv pip install pip "setuptools<81" setuptools-scm setuptools-rust packaging jinja2 cmake ninja wheel grpcio-tools
    uv pip install torch==2.13.0
    export VLLM_TARGET_DEVICE=empty VLLM_VERSION_OVERRIDE=0.32.0
    pip install --no-build-isolation --no-binary vllm vllm==0.32.0
    uv pip install -e . pytest hypothesis
    python -m pytest tests/adapters/test_vllm.py

With MASSIE_VLLM_MODEL=FOLDER a real engine answers too, where there is a GPU, or vLLM is built for the CPU.
"""

from __future__ import annotations

import inspect
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context, resource_tracker
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner

from massie.adapters import load_adapter
from massie.adapters.completions import Completion, LocalLLM
from massie.adapters.vllm import VLLM, Engine, VLLMOptions, _library, outcome_of, refusal_of
from massie.build import Benchmark
from massie.cli.main import cli
from massie.prompting import Request
from massie.types import AdapterError, Failure, MissingExtraError, RequestError, Sample, UnknownNameError, Usage

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


# The fake: what of vLLM the adapter uses, with the same names. It answers with the last message, in capitals.


class FakeValidationError(Exception):
    """A request that vLLM refuses; like the real one, no ValueError."""


class FakeEngineDeadError(Exception):
    pass


@dataclass
class FakeStructuredOutputs:
    json: str | dict[str, Any] | None = None


@dataclass
class FakeSamplingParams:
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None
    max_tokens: int | None = 16
    logprobs: int | None = None
    structured_outputs: FakeStructuredOutputs | None = None


@dataclass
class FakeLoRARequest:
    lora_name: str
    lora_int_id: int
    lora_path: str = ""


@dataclass
class FakeLogprob:
    logprob: float


@dataclass
class FakeCompletionOutput:
    text: str
    token_ids: Sequence[int]
    logprobs: list[dict[int, FakeLogprob]] | None
    finish_reason: str | None = None


@dataclass
class FakeRequestOutput:
    request_id: str
    prompt_token_ids: list[int]
    outputs: list[FakeCompletionOutput]
    num_cached_tokens: int | None = None


@dataclass
class FakeState:
    """What the engine was made with and asked for, and how it is to fail."""

    made_with: dict[str, Any] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)
    waits: int = 0
    load_error: Exception | None = None
    wait_error: Exception | None = None
    finish_reason: str | None = None
    context: int = 100
    prompt_ends_in: str = ""
    refuses: str = "refuse me"
    while_loading: Callable[[], object] = lambda: None


STATE = FakeState()


class FakeTokenizer:
    def decode(self, token_ids: Sequence[int]) -> str:
        return STATE.prompt_ends_in


class FakeLLM:
    """``vllm.LLM``: a word is a token."""

    def __init__(self, model: str, *, tokenizer: str | None = None, trust_remote_code: bool = False,
                 tensor_parallel_size: int = 1, dtype: str = "auto", quantization: str | None = None,
                 revision: str | None = None, gpu_memory_utilization: float = 0.92, **kwargs: Any) -> None:  # fmt: skip
        STATE.made_with = {name: value for name, value in locals().items() if name not in ("self", "kwargs")} | kwargs
        STATE.while_loading()
        if STATE.load_error is not None:
            raise STATE.load_error
        unknown = set(kwargs) - ENGINE_ARGUMENTS
        if unknown:
            raise TypeError(f"EngineArgs.__init__() got an unexpected keyword argument '{unknown.pop()}'")
        self.queue: list[tuple[str, FakeSamplingParams]] = []

    def enqueue_chat(self, messages: Any, sampling_params: Any = None, use_tqdm: bool = True, lora_request: Any = None,
                     chat_template_kwargs: dict[str, Any] | None = None) -> list[str]:  # fmt: skip
        [conversation], [params] = messages, sampling_params
        text = conversation[-1]["content"]
        if len(text.split()) > STATE.context:
            raise FakeValidationError(
                f"This model's maximum context length is {STATE.context} tokens. However, your prompt contains "
                f"{len(text.split())} input tokens"
            )
        if STATE.refuses in text:
            raise ValueError("no such\nrequest")
        STATE.asked.append({"params": params, "lora": lora_request, "template": chat_template_kwargs})
        self.queue.append((text, params))
        return [str(len(STATE.asked))]

    def get_tokenizer(self) -> FakeTokenizer:
        return FakeTokenizer()

    def wait_for_completion(self, *, use_tqdm: bool = True) -> list[FakeRequestOutput]:
        STATE.waits += 1
        if STATE.wait_error is not None:
            raise STATE.wait_error
        queue, self.queue = self.queue, []
        return [self._output(str(place), text, params) for place, (text, params) in enumerate(queue)]

    def _output(self, request_id: str, text: str, params: FakeSamplingParams) -> FakeRequestOutput:
        words = text.upper().split()
        said = words[: params.max_tokens]
        reason = STATE.finish_reason or ("length" if len(said) < len(words) else "stop")
        logprobs = None
        if params.logprobs is not None:
            logprobs = [{token: FakeLogprob(-token / 8), -1: FakeLogprob(-9.0)} for token in range(len(said))]
        best = FakeCompletionOutput(" ".join(said), list(range(len(said))), logprobs, finish_reason=reason)
        return FakeRequestOutput(request_id, list(range(len(words))), [best], num_cached_tokens=1)


ENGINE_ARGUMENTS = {
    "pipeline_parallel_size", "max_model_len", "max_num_seqs", "enable_prefix_caching", "enable_lora", "max_lora_rank",
    "reasoning_parser", "enforce_eager",
}  # fmt: skip


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeState]:
    """Puts the fake where vLLM would be imported from."""
    contents = {
        "vllm": {"LLM": FakeLLM, "SamplingParams": FakeSamplingParams},
        "vllm.exceptions": {"VLLMValidationError": FakeValidationError},
        "vllm.lora": {},
        "vllm.lora.request": {"LoRARequest": FakeLoRARequest},
        "vllm.sampling_params": {"StructuredOutputsParams": FakeStructuredOutputs},
    }
    for name, content in contents.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    vars(STATE).update(vars(FakeState()))
    yield STATE


def loaded(**options: Any) -> Engine:
    engine = Engine(VLLMOptions(**{"model": "org/name", **options}))
    engine.load()
    return engine


def requests(*texts: str, limit: int = 256, schema: dict[str, Any] | None = None) -> list[Request]:
    return [Request([{"role": "user", "content": text}], limit, schema) for text in texts]


def outcomes(engine: Engine, asked: Sequence[Request]) -> list[Completion | RequestError]:
    """What comes of each request, in the order asked; each exactly once."""
    pairs = list(engine.complete_all(asked))
    assert sorted(place for place, _ in pairs) == list(range(len(asked)))
    return [outcome for _, outcome in sorted(pairs, key=lambda pair: pair[0])]


def texts_of(engine: Engine, asked: Sequence[Request]) -> list[str | Failure]:
    return [found.text if isinstance(found, Completion) else found.failure for found in outcomes(engine, asked)]


def test_it_is_a_local_language_model() -> None:
    assert isinstance(Engine(VLLMOptions(model="org/name")), LocalLLM)


def test_a_batch_is_in_work_at_once_and_each_request_gets_its_answer(fake: FakeState) -> None:
    assert texts_of(loaded(), requests("one", "two", "three")) == ["ONE", "TWO", "THREE"]
    assert fake.waits == 1


def test_an_answer_comes_with_its_finish_reason_and_usage(fake: FakeState) -> None:
    whole, cut = outcomes(loaded(), [*requests("a b c"), *requests("a b c", limit=2)])
    assert isinstance(whole, Completion)
    assert isinstance(cut, Completion)
    assert (whole.finish_reason, cut.finish_reason) == ("stop", "length")
    assert (whole.usage.input_tokens, whole.usage.output_tokens, whole.usage.cached_tokens) == (3, 3, 1)
    assert cut.usage.output_tokens == 2
    assert whole.logprobs is None


def test_what_is_sampled_is_as_the_paper_has_it(fake: FakeState) -> None:
    outcomes(loaded(), requests("a", limit=256))
    assert fake.asked[0]["params"] == FakeSamplingParams(temperature=0.0, top_p=1.0, seed=None, max_tokens=256)


def test_sampling_follows_the_options(fake: FakeState) -> None:
    options = {"temperature": 0.7, "top_p": 0.9, "seed": 3, "max_new_tokens": 9}
    outcomes(loaded(**options, chat_template_kwargs={"enable_thinking": False}), requests("a"))
    assert fake.asked[0]["params"] == FakeSamplingParams(temperature=0.7, top_p=0.9, seed=3, max_tokens=9)
    assert fake.asked[0]["template"] == {"enable_thinking": False}


def test_logprobs_are_those_of_the_answers_tokens(fake: FakeState) -> None:
    [completion] = outcomes(loaded(logprobs=True), requests("a b c"))
    assert isinstance(completion, Completion)
    assert completion.logprobs == [0.0, -0.125, -0.25]
    assert fake.asked[0]["params"].logprobs == 0


def test_a_schema_becomes_a_structured_output(fake: FakeState) -> None:
    outcomes(loaded(), [*requests("a", schema=SCHEMA), *requests("b")])
    assert fake.asked[0]["params"].structured_outputs == FakeStructuredOutputs(json=SCHEMA)
    assert fake.asked[1]["params"].structured_outputs is None


@pytest.mark.parametrize(
    ("engine", "schema", "said"),
    [
        ({}, None, "<think>A"),
        ({}, SCHEMA, "A"),
        ({"reasoning_parser": "qwen3"}, SCHEMA, "<think>A"),
    ],
)
def test_reasoning_that_the_chat_template_began_has_its_tag_again(
    fake: FakeState, engine: dict[str, Any], schema: dict[str, Any] | None, said: str
) -> None:
    fake.prompt_ends_in = "<|im_start|>assistant\n<think>\n"
    assert texts_of(loaded(engine=engine), requests("a", schema=schema)) == [said]


def test_a_lora_adapter_goes_with_every_request(fake: FakeState, tmp_path: Path) -> None:
    outcomes(loaded(lora=tmp_path), requests("a", "b"))
    assert fake.made_with["enable_lora"] is True
    assert [asked["lora"] for asked in fake.asked] == [FakeLoRARequest("lora", 1, str(tmp_path))] * 2


def test_without_one_no_lora_is_enabled(fake: FakeState) -> None:
    outcomes(loaded(), requests("a"))
    assert "enable_lora" not in fake.made_with
    assert fake.asked[0]["lora"] is None


def test_a_prompt_that_is_too_long_fails_alone(fake: FakeState) -> None:
    asked = requests("a", "x " * 101, "b", "x " * 102)
    assert texts_of(loaded(), asked) == ["A", Failure.CONTEXT_LENGTH, "B", Failure.CONTEXT_LENGTH]
    assert fake.waits == 1


def test_prompts_that_are_all_too_long_end_no_run(fake: FakeState) -> None:
    assert texts_of(loaded(), requests(*["x " * 101] * 4)) == [Failure.CONTEXT_LENGTH] * 4


def test_a_request_that_is_refused_fails_alone_and_in_one_line(fake: FakeState) -> None:
    good, refused = outcomes(loaded(), requests("a", "refuse me"))
    assert isinstance(good, Completion)
    assert isinstance(refused, RequestError)
    assert refused.failure is Failure.REJECTED
    assert str(refused) == "ValueError: no such request"


def test_a_model_that_refuses_the_first_requests_ends_the_run(fake: FakeState) -> None:
    with pytest.raises(AdapterError, match="the first 3 requests were refused: ValueError: no such request"):
        outcomes(loaded(), requests(*["refuse me"] * 3, "a"))


def test_once_a_request_was_taken_refused_ones_end_no_run(fake: FakeState) -> None:
    assert texts_of(loaded(), requests("a", *["refuse me"] * 9)) == ["A", *[Failure.REJECTED] * 9]


def test_an_engine_that_dies_ends_the_run_with_one_line(fake: FakeState) -> None:
    fake.wait_error = FakeEngineDeadError("EngineCore encountered an issue.\nSee stack trace (above).")
    with pytest.raises(AdapterError, match=r"engine stopped.*EngineCore encountered an issue. See stack") as error:
        outcomes(loaded(), requests("a", "b"))
    assert "\n" not in str(error.value)


def test_a_request_that_the_engine_gave_up_is_no_answer(fake: FakeState) -> None:
    fake.finish_reason = "error"
    [failed] = outcomes(loaded(), requests("a"))
    assert isinstance(failed, RequestError)
    assert failed.failure is Failure.SERVER
    fake.finish_reason = "abort"
    with pytest.raises(AdapterError, match="stopped"):
        outcomes(loaded(), requests("a"))


def test_options_reach_the_engine_and_others_are_left_to_vllm(fake: FakeState) -> None:
    loaded(tensor_parallel_size=2, max_model_len=4096, temperature=0.5, engine={"max_lora_rank": 64})
    left = {"tokenizer": None, "quantization": None, "revision": None, "gpu_memory_utilization": 0.92}
    assert fake.made_with == {
        **left, "model": "org/name", "trust_remote_code": False, "dtype": "auto", "tensor_parallel_size": 2,
        "pipeline_parallel_size": 1, "enable_prefix_caching": True, "max_model_len": 4096, "max_lora_rank": 64,
    }  # fmt: skip


def test_an_engine_argument_that_vllm_does_not_know_is_told_in_its_words(fake: FakeState) -> None:
    with pytest.raises(AdapterError, match=r"cannot load org/name: .* unexpected keyword argument 'max_modle_len'"):
        loaded(engine={"max_modle_len": 8})


def test_an_engine_that_does_not_start_is_told_in_one_line(fake: FakeState) -> None:
    fake.load_error = RuntimeError("Engine core initialization failed.\nSee root cause above. " + "x" * 1000)
    with pytest.raises(AdapterError, match="vLLM cannot load org/name: RuntimeError: Engine core") as error:
        loaded()
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500


def test_several_replicas_are_a_matter_of_ray() -> None:
    with pytest.raises(AdapterError, match=r"data_parallel_size.*--engine ray --replicas"):
        VLLM(model="org/name", data_parallel_size=2)


def test_an_option_of_its_own_is_not_taken_among_the_engines() -> None:
    with pytest.raises(AdapterError, match=r"engine.*max_model_len is an option of its own"):
        VLLM(model="org/name", engine={"max_model_len": 10})


def test_an_unknown_option_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="tensor_parallel_size"):
        VLLM(model="org/name", tensor_paralel_size=2)


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(MissingExtraError, match=r"'vllm'.*massie\[vllm\]"):
        loaded()


def test_vllm_logs_to_standard_error(fake: FakeState, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VLLM_LOGGING_STREAM", raising=False)
    loaded()
    assert os.environ["VLLM_LOGGING_STREAM"] == "ext://sys.stderr"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads what a process blocks from Linux's /proc")
def test_the_engines_processes_get_no_ctrl_c_and_this_one_still_does(
    fake: FakeState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in flight is waited for, so vLLM's processes must outlive the first Ctrl-C."""
    resource_tracker._resource_tracker._stop()  # as in a new process
    heard: list[int] = []
    child = get_context("spawn").Process(target=time.sleep, args=(60,))

    def load() -> None:
        child.start()
        os.kill(os.getpid(), signal.SIGINT)
        deadline = time.monotonic() + 30
        while not heard and time.monotonic() < deadline:
            time.sleep(0.01)

    monkeypatch.setattr(fake, "while_loading", load)
    before = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    try:
        loaded()
        assert heard == [signal.SIGINT]
        assert blocks_ctrl_c(child.pid)
        assert not blocks_ctrl_c(os.getpid())
    finally:
        signal.signal(signal.SIGINT, before)
        child.kill()
        child.join()


def blocks_ctrl_c(process: int | None) -> bool:
    status = Path(f"/proc/{process}/status").read_text()
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:"))
    return bool(int(mask, 16) >> (signal.SIGINT - 1) & 1)


def test_settings_hold_what_answers_depend_on_and_nothing_that_only_changes_speed(tmp_path: Path) -> None:
    slow = Engine(VLLMOptions(model="org/name", lora=tmp_path)).settings()
    fast = Engine(VLLMOptions(model="org/name", lora=tmp_path, max_num_seqs=512, gpu_memory_utilization=0.5)).settings()
    other = Engine(VLLMOptions(model="org/name", lora=tmp_path, quantization="fp8")).settings()
    assert slow == fast != other
    assert json.loads(json.dumps(slow)) == slow
    assert slow["library"] == "vLLM"


def test_the_adapter_answers_samples(fake: FakeState, demo: Benchmark, samples: list[Sample]) -> None:
    fake.context = 100_000
    adapter = load_adapter("vllm", {"model": "org/name", "structured_output": "json_schema"})
    assert isinstance(adapter, VLLM)
    adapter.prepare(demo)
    predictions = list(adapter.predict(samples))
    assert [prediction.sample_id for prediction in predictions] == [sample.id for sample in samples]
    assert all(prediction.error is None for prediction in predictions)
    assert all(prediction.usage and prediction.usage.seconds is not None for prediction in predictions)
    assert all(asked["params"].structured_outputs.json["required"] == ["records"] for asked in fake.asked)


def test_what_is_answered_before_the_engine_dies_is_kept(fake: FakeState, tmp_path: Path) -> None:
    """The first batch is answered and stored; the second finds the engine dead; the same command goes on."""
    fake.context = 100_000
    command = ["run", "m-demo", "--adapter", "vllm", "--option", "model=org/name", "--task", "NER", "--batch", "8"]
    command += ["--limit", "4", "--runs", str(tmp_path), "--json"]
    wait = FakeLLM.wait_for_completion

    def once(llm: FakeLLM, *, use_tqdm: bool = True) -> list[FakeRequestOutput]:
        fake.wait_error = FakeEngineDeadError("CUDA out of memory") if fake.waits else None
        return wait(llm, use_tqdm=use_tqdm)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(FakeLLM, "wait_for_completion", once)
        ended = CliRunner().invoke(cli, command)
    assert isinstance(ended.exception, AdapterError)
    assert "CUDA out of memory" in str(ended.exception)
    fake.wait_error = None
    fake.asked.clear()
    again = CliRunner().invoke(cli, command)
    assert again.exit_code == 0, again.output
    scored = json.loads(next(tmp_path.rglob("result.json")).read_text())
    assert len(fake.asked) == scored["coverage"]["samples"] - 8


# The fake against the real package.


@pytest.fixture(scope="module")
def real() -> Any:
    pytest.importorskip("vllm", reason="how to install vLLM without a GPU is said above", exc_type=ImportError)
    import vllm
    import vllm.exceptions
    import vllm.logprobs
    import vllm.lora.request
    import vllm.outputs
    import vllm.sampling_params

    return vllm


def parameters(function: Any) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(function).parameters)


def assert_accepts(real: Any, fake: Any) -> None:
    """The real one takes every argument of the fake, in the same places."""
    theirs = parameters(real)
    places = [name for name, one in theirs.items() if one.kind is not inspect.Parameter.KEYWORD_ONLY]
    for place, (name, ours) in enumerate(parameters(fake).items()):
        if ours.kind is inspect.Parameter.VAR_KEYWORD:
            continue
        assert name in theirs, name
        if ours.default is inspect.Parameter.empty:
            assert places[place] == name, name
        else:
            assert theirs[name].default == ours.default, name


def test_the_real_engine_takes_what_the_fake_takes(real: Any) -> None:
    assert_accepts(real.LLM.__init__, FakeLLM.__init__)
    assert_accepts(real.LLM.enqueue_chat, FakeLLM.enqueue_chat)
    assert_accepts(real.LLM.wait_for_completion, FakeLLM.wait_for_completion)
    assert_accepts(real.LLM.get_tokenizer, FakeLLM.get_tokenizer)
    for ours, theirs in [
        (FakeSamplingParams, real.SamplingParams),
        (FakeStructuredOutputs, real.sampling_params.StructuredOutputsParams),
        (FakeLoRARequest, real.lora.request.LoRARequest),
    ]:
        assert_accepts(theirs, ours)


def test_the_real_engine_knows_every_argument_that_options_become(real: Any, tmp_path: Path) -> None:
    from vllm.engine.arg_utils import EngineArgs

    every = VLLMOptions(
        model="org/name", tokenizer="org/other", revision="main", dtype="bfloat16", quantization="fp8",
        gpu_memory_utilization=0.5, max_model_len=4096, max_num_seqs=64, lora=tmp_path,
    )  # fmt: skip
    known = set(parameters(real.LLM.__init__)) | set(parameters(EngineArgs))
    assert set(every.arguments()) <= known
    assert known >= ENGINE_ARGUMENTS


def test_the_real_engine_refuses_an_unknown_argument_as_the_fake_does(real: Any) -> None:
    with pytest.raises(AdapterError, match=r"unexpected keyword argument 'max_modle_len'"):
        loaded(engine={"max_modle_len": 8})


def test_the_real_engine_runs_one_replica_in_a_process(real: Any) -> None:
    """Were it otherwise one day, data_parallel_size could be passed on."""
    with pytest.raises(ValueError, match="data_parallel_size=2"):
        real.LLM(model="org/name", data_parallel_size=2)


def test_the_real_sampling_parameters_are_made_of_a_request(real: Any) -> None:
    engine = Engine(VLLMOptions(model="org/name", top_p=0.9, seed=3, logprobs=True))
    engine._vllm = _library()
    [request] = requests("a", limit=7, schema=SCHEMA)
    made = engine._sampling(request)
    assert isinstance(made, real.SamplingParams)
    assert (made.temperature, made.max_tokens, made.seed, made.logprobs) == (0, 7, 3, 0)
    assert made.structured_outputs.json == SCHEMA


def test_the_real_output_becomes_a_completion(real: Any) -> None:
    likely = [{5: real.logprobs.Logprob(-0.5), 6: real.logprobs.Logprob(-0.1)}, {2: real.logprobs.Logprob(-0.25)}]
    best = real.outputs.CompletionOutput(0, "hey", [5, 2], -0.75, likely, finish_reason="stop")
    output = real.outputs.RequestOutput("0", None, [1, 2, 3], None, [best], True, num_cached_tokens=2)
    assert outcome_of(output) == Completion(
        "hey", "stop", Usage(input_tokens=3, output_tokens=2, cached_tokens=2), logprobs=[-0.5, -0.25]
    )


def test_the_real_reasons_to_finish_are_those_that_are_told_apart(real: Any) -> None:
    from vllm.v1.engine import FinishReason

    assert {str(reason) for reason in FinishReason} >= {"stop", "length", "abort", "error"}


def test_the_real_refusal_of_a_prompt_that_is_too_long_is_known(real: Any) -> None:
    from vllm.renderers.params import TokenizeParams

    with pytest.raises(_library().refusals) as error:
        TokenizeParams(max_total_tokens=3).apply_post_tokenization(None, {"prompt_token_ids": [1, 2, 3, 4]})
    assert refusal_of(error.value).failure is Failure.CONTEXT_LENGTH


def test_the_real_error_of_a_dead_engine_is_no_refusal(real: Any) -> None:
    from vllm.v1.engine.exceptions import EngineDeadError

    assert not issubclass(EngineDeadError, _library().refusals)


REAL_MODEL = "MASSIE_VLLM_MODEL"


@pytest.mark.slow
def test_a_real_engine_answers(real: Any) -> None:
    if REAL_MODEL not in os.environ:
        pytest.skip(f"needs an engine that starts: set {REAL_MODEL} to a model's folder or name")
    engine = loaded(model=os.environ[REAL_MODEL], max_model_len=1024, logprobs=True, engine=PLAIN)
    asked = [*requests("hello", "x y " * 2000, "hello", limit=8), *requests("hello", limit=200, schema=ENUM)]
    first, too_long, again, kept = outcomes(engine, asked)
    assert isinstance(first, Completion)
    assert isinstance(again, Completion)
    assert isinstance(kept, Completion)
    assert isinstance(too_long, RequestError)
    assert too_long.failure is Failure.CONTEXT_LENGTH
    assert first.text == again.text
    assert len(first.logprobs or []) == first.usage.output_tokens
    assert json.loads(kept.text) in [{"a": "x"}, {"a": "yy"}]
    assert kept.finish_reason == "stop"


PLAIN = {"enforce_eager": True, "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True}}
ENUM = {**SCHEMA, "properties": {"a": {"type": "string", "enum": ["x", "yy"]}}}
