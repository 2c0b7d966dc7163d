"""``massie run`` with language models: against a server that fails as it is told, and against a real tiny model."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from massie.adapters.openai import OpenAI
from massie.build import Benchmark
from massie.prompting import load_prompt
from massie.running import Store, read_settings
from massie.types import Failure, Prediction, Sample
from tests.servers.completions import message_id
from tests.servers.processes import ServerProcess

Massie = Callable[..., Any]
Write = Callable[[Any], Path]

PART = ("--task", "EE", "--language", "swa")
FOLDER = Path("runs/local/small/m-demo")
CENT = 0.01


@pytest.fixture
def ask(massie: Massie, built: tuple[Path, Any], fault_server: ServerProcess) -> Massie:
    """Runs the model ``small`` at the server on a part of M-DEMO (as it was built, to be quick).

    Further words and options come on top.
    """

    def ask(*words: str | Path, part: tuple[str, ...] = PART, **options: object) -> Any:
        given = {"base_url": fault_server.base_url, "model": "small", "method": "zero-shot"} | options
        return massie("run", "m-demo", "--data", built[0], "--adapter", "openai", *chosen(given), *part, *words)

    return ask


def chosen(options: Mapping[str, object]) -> list[str]:
    """Options as the command takes them; None leaves one out."""
    texts = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in options.items()
        if value is not None
    }
    return [word for name, text in texts.items() for word in ("--option", f"{name}={text}")]


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    """A price file by which every answer ``[]`` (one token) of ``small`` costs a cent, whatever its prompt."""
    path = tmp_path / "prices.yaml"
    path.write_text(f"models: {{small: {{input: 0, output: {CENT * 1e6}}}}}", encoding="utf-8")
    return path


@pytest.fixture
def run_file(tmp_path: Path, fault_server: ServerProcess) -> Write:
    """Writes ``system.yaml``: the text itself, or a run file of the model ``small`` at the server with more options."""

    def write(content: Any) -> Path:
        path = tmp_path / "system.yaml"
        if not isinstance(content, str):
            options = {"base_url": fault_server.base_url, "model": "small", "method": "zero-shot"} | content
            content = yaml.safe_dump({"adapter": "openai", "options": options})
        path.write_text(content, encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def samples(demo: Benchmark) -> list[Sample]:
    return demo.select(tasks=["EE"], languages=["swa"]).samples()


def result() -> Any:
    return json.loads((FOLDER / "result.json").read_text(encoding="utf-8"))


def the_line(done: Any) -> str:
    """The one line with which a command ends that asked nothing."""
    assert (done.code, done.out) == (2, ""), done.err
    (line,) = done.err.splitlines()
    return line


# What a run leaves


def test_a_run_is_scored_and_its_result_tells_what_it_used(
    ask: Massie, fault_server: ServerProcess, samples: list[Sample]
) -> None:
    done = ask()
    assert done.code == 0, done.err
    made = result()
    assert made["system"]["model"] == "small"
    assert made["details"]["method"] == "zero-shot"
    assert made["details"]["llm"]["endpoint"] == fault_server.base_url
    usage = made["usage"]
    assert (usage["requests"], usage["retries"]) == (len(samples), 0)
    assert usage["output_tokens"] == len(samples)
    assert usage["input_tokens"] > 100 * len(samples)
    assert 0 < usage["latency"]["p50"] <= usage["latency"]["p99"] < 30
    assert usage["wall_seconds"] > 0
    assert usage["per_second"] == pytest.approx(len(samples) / usage["wall_seconds"], rel=0.05)
    assert usage["cost"] is None


def test_retries_are_told(ask: Massie, fault_server: ServerProcess, samples: list[Sample]) -> None:
    fault_server.behave(plans=[{"fault": "429-milliseconds", "count": 2, "each": True}], retry_after=0)
    assert ask().code == 0
    usage = result()["usage"]
    assert (usage["requests"], usage["retries"]) == (3 * len(samples), 2 * len(samples))


def test_the_result_is_printed_as_json_and_nothing_else(ask: Massie) -> None:
    done = ask("--json")
    assert (done.code, done.err) == (0, "")
    assert done.json == result()


def test_progress_tells_tokens_and_dollars_within_80_columns(ask: Massie, prices: Path) -> None:
    done = ask("--prices", prices)
    (line,) = [line for line in done.err.splitlines() if line.startswith("small on m-demo: ")]
    usage = result()["usage"]
    thousands = f"{usage['input_tokens'] / 1000:.1f}k"
    assert line == f"small on m-demo: 3 of 3 samples, {thousands} in, 3 out, $0.03"
    assert max(map(len, [*done.out.splitlines(), *done.err.splitlines()])) <= 80


def test_the_same_command_again_asks_nothing(ask: Massie, fault_server: ServerProcess) -> None:
    first = ask()
    asked = fault_server.counts()["arrived"]
    again = ask()
    assert (again.code, again.out) == (0, first.out)
    assert fault_server.counts()["arrived"] == asked


# Run files


def test_a_run_file_names_adapter_and_options(massie: Massie, built: tuple[Path, Any], run_file: Write) -> None:
    done = massie("run", "m-demo", "--data", built[0], "--adapter", run_file({"temperature": 0.5}), *PART)
    assert done.code == 0, done.err
    settings = read_settings(FOLDER)
    assert (settings.adapter, settings.options["temperature"]) == ("openai", 0.5)


def test_options_of_the_command_line_take_the_place_of_those_in_the_file(
    massie: Massie, built: tuple[Path, Any], run_file: Write
) -> None:
    path = run_file({"temperature": 0.5, "seed": 7})
    assert massie("run", "m-demo", "--adapter", path, "--option", "temperature=1.5", *PART).code == 0
    options = read_settings(FOLDER).options
    assert (options["temperature"], options["seed"]) == (1.5, 7)


def test_a_run_that_a_run_file_began_is_continued_by_the_same_options(
    massie: Massie, ask: Massie, built: tuple[Path, Any], run_file: Write, fault_server: ServerProcess
) -> None:
    assert massie("run", "m-demo", "--data", built[0], "--adapter", run_file({}), *PART).code == 0
    asked = fault_server.counts()["arrived"]
    assert ask().code == 0
    assert fault_server.counts()["arrived"] == asked


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("adapter: openai\noption: {model: small}\n", "system.yaml: option: unknown key"),
        ("options: {model: small}\n", "system.yaml: adapter: this key is missing"),
        ("adapter: openai\nadapter: vllm\n", "system.yaml"),
        ("- openai\n", "system.yaml"),
        ("adapter: opnai\n", "unknown adapter 'opnai'; did you mean 'openai'"),
        (
            "adapter: openai\noptions: {model: small, tempratur: 1}\n",
            "unknown option 'tempratur'; did you mean 'temper",
        ),
        ("adapter: openai\noptions: {model: small, headers: {X-Key: abc}}\n", "X-Key would be written into the run"),
    ],
)
def test_a_faulty_run_file_is_one_line(
    massie: Massie, built: tuple[Path, Any], run_file: Write, fault_server: ServerProcess, content: str, said: str
) -> None:
    line = the_line(massie("run", "m-demo", "--data", built[0], "--adapter", run_file(content), *PART))
    assert said in line
    assert fault_server.counts()["arrived"] == 0
    assert not Path("runs").exists()


def test_a_run_file_that_is_not_there_is_one_line(massie: Massie) -> None:
    assert "absent.yaml" in the_line(massie("run", "m-demo", "--adapter", "absent.yaml"))


@pytest.mark.parametrize("name", ["api_key", "token", "my_password", "API_KEY"])
def test_a_secret_in_a_run_file_is_refused(
    massie: Massie, built: tuple[Path, Any], run_file: Write, fault_server: ServerProcess, name: str
) -> None:
    done = massie("run", "m-demo", "--data", built[0], "--adapter", run_file({name: "sk-123456789"}), *PART)
    assert done.code == 2
    assert "let the adapter read secrets from the environment" in " ".join(done.err.split())
    assert "sk-123456789" not in done.err
    assert fault_server.counts()["arrived"] == 0


# Budgets and prices


def test_a_price_file_prices_the_run(ask: Massie, prices: Path, samples: list[Sample]) -> None:
    assert ask("--prices", prices).code == 0
    usage = result()["usage"]
    assert usage["cost"] == pytest.approx(CENT * len(samples))
    assert usage["price"] == "small: prices.yaml"


def test_a_run_is_priced_again_when_it_is_scored_again(massie: Massie, ask: Massie, prices: Path) -> None:
    assert ask().code == 0
    assert result()["usage"]["cost"] is None
    done = massie("score", FOLDER, "--prices", prices, "--json")
    assert done.code == 0, done.err
    assert done.json["usage"]["cost"] == pytest.approx(3 * CENT)


def test_what_a_run_cost_stands_when_it_is_scored_again_without_prices(
    massie: Massie, ask: Massie, prices: Path
) -> None:
    assert ask("--prices", prices).code == 0
    before = result()["usage"]
    again = massie("score", FOLDER, "--json")
    assert again.code == 0, again.err
    assert again.json["usage"] == before
    prices.write_text(f"models: {{small: {{input: 0, output: {2 * CENT * 1e6}}}}}", encoding="utf-8")
    anew = massie("score", FOLDER, "--prices", prices, "--json")
    assert anew.json["usage"]["cost"] == pytest.approx(2 * before["cost"])


def test_a_budget_stops_the_run_and_more_of_it_goes_on(
    ask: Massie, prices: Path, fault_server: ServerProcess, demo: Benchmark
) -> None:
    part = ("--task", "EE")
    ids = {sample.id for sample in demo.select(tasks=["EE"]).iter_samples()}
    stopped = ask("--prices", prices, "--max-cost", str(10 * CENT), part=part)
    assert (stopped.code, stopped.out) == (1, "")
    assert stopped.err.splitlines()[-1] == (
        "massie: the next answer could exceed --max-cost 0.1, 0.1000 dollars are spent; 10 answers are kept in "
        f"{FOLDER}; the same command with a higher --max-cost, or without one, goes on"
    )
    assert fault_server.counts()["arrived"] == 10
    assert not (FOLDER / "result.json").exists()

    same = ask("--prices", prices, "--max-cost", str(10 * CENT), part=part)
    assert (same.code, fault_server.counts()["arrived"]) == (1, 10)

    more = ask("--prices", prices, "--max-cost", str(20 * CENT), part=part)
    assert (more.code, fault_server.counts()["arrived"]) == (1, 20)

    done = ask("--prices", prices, part=part)
    assert done.code == 0, done.err
    assert fault_server.counts()["arrived"] == len(ids)
    with Store(FOLDER / "predictions.sqlite") as store:
        assert store.answered() == ids
    assert result()["usage"]["cost"] == pytest.approx(CENT * len(ids))


def test_a_budget_is_not_gone_on_with_where_one_answer_before_stated_no_tokens(
    ask: Massie, prices: Path, fault_server: ServerProcess
) -> None:
    fault_server.behave(plans=[{"fault": "no-usage", "first": 3, "count": 1}])
    words = ("--prices", prices, "--max-cost", "1", "--concurrency", "1")
    assert "what an answer cost cannot be told" in ask(*words, part=("--task", "EE")).err
    fault_server.forget()
    again = ask(*words, part=("--task", "EE"))
    assert (again.code, fault_server.counts()["arrived"]) == (1, 0)
    assert "what an answer cost cannot be told" in again.err


def test_a_budget_that_is_enough_stops_nothing(ask: Massie, prices: Path) -> None:
    assert ask("--prices", prices, "--max-cost", str(3 * CENT)).code == 0


def test_a_budget_without_a_price_is_refused(ask: Massie, fault_server: ServerProcess) -> None:
    line = the_line(ask("--max-cost", "1"))
    assert line == "massie: unknown price of the model 'small' (or name a price file with --prices)"
    assert fault_server.counts()["arrived"] == 0
    assert not Path("runs").exists()


def test_a_budget_for_a_model_that_is_misspelt_names_the_nearest_that_has_a_price(
    massie: Massie, built: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    options = chosen({"model": "gtp-4o-mini", "method": "zero-shot"})
    line = the_line(
        massie("run", "m-demo", "--data", built[0], "--adapter", "openai", *options, *PART, "--max-cost", "1")
    )
    assert "did you mean 'gpt-4o-mini'" in line
    assert not Path("runs").exists()


def test_a_budget_for_what_has_no_price_is_refused(massie: Massie) -> None:
    line = the_line(massie("run", "m-demo", "--adapter", "lexicon", "--max-cost", "1"))
    assert "--max-cost: the system names no model" in line


def test_a_price_file_without_the_model_is_refused(ask: Massie, prices: Path, fault_server: ServerProcess) -> None:
    line = the_line(ask("--prices", prices, model="smal"))
    assert "unknown price of the model 'smal'; did you mean 'small'?" in line
    assert "in " in line and "prices.yaml; add it under models" in line
    assert fault_server.counts()["arrived"] == 0


# Failures


@pytest.fixture
def one_too_long(fault_server: ServerProcess, samples: list[Sample]) -> str:
    """The id of a sample that the server has no context for."""
    fault_server.behave(plans=[{"fault": "400-context-openai", "contains": samples[1].text}])
    return samples[1].id


def test_what_a_context_is_too_short_for_is_asked_again_only_with_retry_failed(
    ask: Massie, fault_server: ServerProcess, one_too_long: str
) -> None:
    first = ask()
    assert first.code == 1
    assert f"massie: sample {one_too_long} failed: 400 This model's maximum context length" in first.err
    asked = fault_server.counts()["arrived"]

    again = ask()
    assert again.code == 1
    assert f"massie: sample {one_too_long} failed: 400 This model's maximum context length" in again.err
    assert "with --retry-failed also those that the server rejected or a context is too short for" in again.err
    assert fault_server.counts()["arrived"] == asked

    fault_server.behave()
    assert ask("--retry-failed").code == 0
    assert fault_server.counts()["arrived"] == asked + 1


def test_failed_samples_are_scored_as_invalid_where_that_is_asked_for(
    ask: Massie, one_too_long: str, samples: list[Sample]
) -> None:
    assert ask().code == 1
    in_part = ask("--partial", "--json").json
    assert (in_part["coverage"]["samples"], in_part["coverage"]["failed"]) == (len(samples) - 1, 1)
    assert in_part["rows"][0]["diagnostics"]["invalid"] == 0
    as_invalid = ask("--failed-as-invalid", "--json").json
    assert (as_invalid["coverage"]["samples"], as_invalid["coverage"]["failed"]) == (len(samples), 1)
    assert as_invalid["rows"][0]["diagnostics"]["invalid"] == 1


def test_failed_samples_are_scored_as_invalid_when_a_run_is_scored_again(
    massie: Massie, ask: Massie, one_too_long: str, samples: list[Sample]
) -> None:
    ask()
    words = ("score", FOLDER, *PART)
    assert massie(*words).code == 2
    done = massie(*words, "--failed-as-invalid", "--json")
    assert done.code == 0, done.err
    assert (done.json["coverage"]["samples"], done.json["coverage"]["failed"]) == (len(samples), 1)


def test_what_failed_in_another_part_of_the_benchmark_is_not_this_parts_concern(ask: Massie, one_too_long: str) -> None:
    assert ask().code == 1
    assert ask(part=("--task", "EE", "--language", "eng")).code == 0
    assert one_too_long


# The cache


def test_answers_from_the_cache_cost_nothing_and_have_no_latency(
    ask: Massie, prices: Path, fault_server: ServerProcess
) -> None:
    assert ask("--prices", prices, "--cache", "answers.sqlite").code == 0
    asked = fault_server.counts()["arrived"]
    done = ask("--prices", prices, "--cache", "answers.sqlite", "--name", "again", "--json")
    assert done.code == 0, done.err
    assert fault_server.counts()["arrived"] == asked
    usage = done.json["usage"]
    assert (usage["requests"], usage["retries"], usage["cost"], usage["latency"]) == (0, 0, 0, None)
    assert usage["output_tokens"] == 3
    assert done.json["rows"] == result()["rows"]


def test_answers_from_the_cache_are_within_any_budget(ask: Massie, prices: Path) -> None:
    assert ask("--prices", prices, "--cache", "answers.sqlite").code == 0
    again = ask("--prices", prices, "--cache", "answers.sqlite", "--name", "again", "--max-cost", str(CENT / 2))
    assert again.code == 0, again.err


# A part of so many samples


def test_a_run_of_so_many_samples_is_extended_without_asking_anything_twice(
    massie: Massie, ask: Massie, fault_server: ServerProcess, demo: Benchmark
) -> None:
    few = ask("--max-samples", "10", "--json", part=()).json
    assert (few["partial"], few["benchmark"]["max_samples"], few["coverage"]["samples"]) == (True, 10, 10)
    again = massie("score", FOLDER, "--json")
    assert again.code == 0, again.err
    assert (again.json["rows"], again.json["benchmark"]) == (few["rows"], few["benchmark"])

    more = ask("--max-samples", "25", "--json", part=())
    assert more.code == 0, more.err
    assert more.json["coverage"]["samples"] == 25
    whole = ask("--json", part=())
    assert whole.code == 0, whole.err
    assert (whole.json["partial"], whole.json["benchmark"]["max_samples"]) == (False, None)
    assert fault_server.counts()["arrived"] == sum(demo.numbers().values())
    method = OpenAI(model="small", base_url="http://localhost/v1", method="zero-shot").method
    expected = Counter(message_id(str(method.request(one).messages[-1]["content"])) for one in demo.iter_samples())
    assert Counter(entry["id"] for entry in fault_server.log()) == expected


# Settings


@pytest.fixture
def my_prompt(tmp_path: Path) -> Path:
    """A prompt of one's own for EE."""
    path = tmp_path / "mine.yaml"
    plain = load_prompt("ee-en").model_dump(mode="json") | {"id": "mine"}
    path.write_text(json.dumps(plain), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("changed", "words", "said"),
    [
        ({"temperature": 0.5}, (), "details.llm.temperature was 0.0 and is now 0.5"),
        ({"seed": 1}, (), "details.llm.seed was None and is now 1"),
        ({"method": "few-shot"}, (), "options.method was 'zero-shot' and is now 'few-shot'"),
        ({"structured_output": "json_schema"}, (), "details.structured_output was 'off' and is now 'json_schema'"),
        ({}, ("--mode", "batch"), "mode was 'live' and is now 'batch'"),
    ],
)
def test_another_system_in_the_same_run_is_refused_by_name(
    ask: Massie, fault_server: ServerProcess, changed: dict[str, Any], words: tuple[str, ...], said: str
) -> None:
    assert ask().code == 0
    asked = fault_server.counts()["arrived"]
    line = the_line(ask(*words, **changed))
    assert said in line
    assert "name a new run with --name" in line
    assert fault_server.counts()["arrived"] == asked


def test_a_prompt_file_that_changed_is_refused_by_its_digest(ask: Massie, my_prompt: Path) -> None:
    assert ask(prompt=str(my_prompt)).code == 0
    my_prompt.write_text(my_prompt.read_text(encoding="utf-8").replace("\\n", "\\n\\n", 1), encoding="utf-8")
    assert "details.prompts.mine.sha256 was" in the_line(ask(prompt=str(my_prompt)))


def test_a_run_on_one_task_goes_on_with_others_and_its_settings_hold_the_prompts_of_all(ask: Massie) -> None:
    shots = {"method": "few-shot", "k": 1}
    swahili = ("--language", "swa")
    assert ask(part=("--task", "EE", *swahili), **shots).code == 0
    assert set(read_settings(FOLDER).details["prompts"]) == {"ee-en"}
    assert ask(part=("--task", "NER", *swahili), **shots).code == 0
    done = ask(part=swahili, **shots)
    assert done.code == 0, done.err
    details = read_settings(FOLDER).details
    assert set(details["prompts"]) == {"ee-en", "ed-en", "ner-en", "re-en", "sf-en"}
    assert set(details["demonstrations"]) == {f"{task}/eng" for task in ("EE", "ED", "NER", "RE", "SF")}
    assert ask(part=("--task", "EE", *swahili), **shots).code == 0


# Bad input, before anything is asked


def test_a_prompt_with_an_unknown_variable_is_one_line(
    ask: Massie, my_prompt: Path, fault_server: ServerProcess
) -> None:
    plain = json.loads(my_prompt.read_text(encoding="utf-8"))
    my_prompt.write_text(json.dumps(plain | {"user": "{{ txt }} {{ text }}"}), encoding="utf-8")
    line = the_line(ask(prompt=str(my_prompt)))
    assert "mine.yaml: user: " in line
    assert "txt" in line
    assert fault_server.counts()["arrived"] == 0


def test_demonstrations_that_the_build_lacks_are_one_line(
    massie: Massie, ask: Massie, fault_server: ServerProcess
) -> None:
    assert massie("build", "m-demo", "--language", "swa", "--out", "data").code == 0
    line = the_line(ask("--data", "data", method="few-shot"))
    assert "the build of m-demo has no English train samples with gold for EE to show as demonstrations" in line
    assert "--option method=zero-shot" in line
    assert fault_server.counts()["arrived"] == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "few-shot", "k": 10_000}, "10000 demonstrations are more than there are"),
        ({"method": "few-shot", "k": 0}, "k: few-shot shows 1 demonstration at least"),
        ({"k": 3}, "k: zero-shot shows no demonstrations"),
        ({"method": "many-shot"}, "method: "),
        ({"method": "chain-of-thought"}, "thoughts: is missing: chain-of-thought shows demonstrations with"),
        ({"method": "chain-of-thought", "thoughts": "absent.json"}, "absent.json: cannot be read"),
        ({"prompt": "ee-eng"}, "unknown prompt 'ee-eng'; did you mean 'ee-en'"),
        ({"prompt": "absent.yaml"}, "absent.yaml: there is no such prompt file"),
        ({"instruction_language": "swaa"}, "instruction_language: unknown language 'swaa'"),
        ({"structured_output": "json"}, "structured_output: "),
        ({"base_url": "localhost:8000"}, "base_url: 'localhost:8000' is no address"),
        ({"model": None}, "model: this key is missing"),
        ({"model": ""}, "model: "),
        ({"temperature": 9}, "temperature: "),
        ({"tmperature": 0}, "unknown option 'tmperature'; did you mean 'temperature'"),
    ],
)
def test_what_is_wrong_with_the_options_is_one_line_and_nothing_is_asked(
    ask: Massie, fault_server: ServerProcess, options: dict[str, Any], said: str
) -> None:
    line = the_line(ask(**options))
    assert said in line
    assert fault_server.counts()["arrived"] == 0
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--cache", "answers.sqlite"), "past the --cache"),
        (("--prices", "prices.yaml", "--max-cost", "1"), "so --max-cost could not stop them"),
    ],
)
@pytest.mark.usefixtures("prices")
def test_what_batches_cannot_do_is_one_line_and_nothing_is_asked(
    ask: Massie, fault_server: ServerProcess, words: tuple[str, ...], said: str
) -> None:
    assert said in the_line(ask("--mode", "batch", *words))
    assert fault_server.counts()["arrived"] == 0
    assert not Path("runs").exists()


def test_a_system_without_a_batch_api_is_not_run_in_batches(massie: Massie) -> None:
    line = the_line(massie("run", "m-demo", "--adapter", "lexicon", "--mode", "batch"))
    assert "--mode batch: the adapter has no batch API" in line
    assert not Path("runs").exists()


@pytest.mark.parametrize(("option", "value"), [("--replicas", "2"), ("--cpus", "2"), ("--gpus", "0.5")])
def test_what_only_a_cluster_can_do_is_not_ignored(massie: Massie, option: str, value: str) -> None:
    line = the_line(massie("run", "m-demo", "--adapter", "lexicon", option, value))
    assert f"{option}: needs --engine ray" in line
    assert not Path("runs").exists()


# The check of the contract


def test_a_language_model_is_checked_as_its_prompts_lay_out_the_answers(
    massie: Massie, fault_server: ServerProcess
) -> None:
    fault_server.behave(content="None")  # what says in pairs that there are none, and no JSON
    options = {"base_url": fault_server.base_url, "model": "small", "method": "zero-shot", "prompt": "ner-pairs-en"}
    done = massie("check-adapter", "openai", *chosen(options), "--json")
    assert done.code == 1
    problems = [finding["what"].partition(": ")[0] for finding in done.json if finding["outcome"] == "problem"]
    assert sorted(problems) == ["ED", "EE", "RE", "SF"]


# A real model, of random weights: the way there and back


@pytest.fixture
def tiny(massie: Massie, built: tuple[Path, Any], model_server: ServerProcess) -> Massie:
    """Runs the tiny model on M-DEMO, each answer of 16 tokens at most unless other options say otherwise."""

    def run(*words: str | Path, **options: object) -> Any:
        given = {"base_url": model_server.base_url, "model": "tiny", "max_new_tokens": 16} | options
        return massie("run", "m-demo", "--data", built[0], "--adapter", "openai", *chosen(given), *words)

    return run


@pytest.fixture
def think(massie: Massie, built: tuple[Path, Any]) -> Massie:
    """Has a teacher write the thought of one demonstration into ``thoughts.json``."""

    def run(*words: str | Path, **options: object) -> Any:
        teacher = ("--adapter", "openai", *chosen(options), "--demonstrations", "1", "--out", "thoughts.json")
        return massie("prompts", "think", "--data", built[0], *teacher, *words)

    return run


TINY = Path("runs/local/tiny/m-demo")


def answers() -> list[Prediction]:
    with Store(TINY / "predictions.sqlite") as store:
        return list(store.predictions())


def test_a_run_of_a_real_model_that_talks_nonsense_is_whole_and_every_answer_is_invalid(tiny: Massie) -> None:
    done = tiny("--max-samples", "10", "--json", method="zero-shot")
    assert done.code == 0, done.err
    diagnostics = done.json["rows"][0]["diagnostics"]
    assert (diagnostics["invalid"], diagnostics["truncated"]) == (10, 10)
    assert done.json["rows"][0]["scores"]["lf1"]["value"] == 0
    assert {answer.finish_reason for answer in answers()} == {"length"}
    usage = done.json["usage"]
    assert (usage["requests"], usage["retries"], usage["output_tokens"]) == (10, 0, 10 * 16)
    assert usage["input_tokens"] == sum(answer.usage.input_tokens or 0 for answer in answers() if answer.usage)
    assert usage["latency"]["p50"] > 0


@pytest.mark.parametrize(
    ("form", "tasks"), [("records", ["NER", "RE", "SF", "ED", "EE"]), ("grouped", ["NER", "SF", "ED"])]
)
def test_structured_output_makes_every_answer_of_a_real_model_one_that_its_schema_allows(
    tiny: Massie, demo: Benchmark, form: str, tasks: list[str]
) -> None:
    words = [word for task in tasks for word in ("--task", task)]
    options = {"method": "zero-shot", "form": form, "structured_output": "json_schema", "max_new_tokens": 600}
    done = tiny(*words, "--max-samples", "20", "--json", **options)
    assert done.code == 0, done.err
    diagnostics = done.json["rows"][0]["diagnostics"]
    assert (diagnostics["invalid"], diagnostics["truncated"], diagnostics["off_schema"]) == (0, 0, 0)
    assert diagnostics["predicted"] > 0
    assert done.json["details"]["structured_output"] == "json_schema"
    method = OpenAI(model="tiny", **{**options, "base_url": "http://localhost/v1"}).method
    schemas = {sample.id: method.request(sample).schema for sample in demo.iter_samples() if sample.task in tasks}
    given = answers()
    assert len(given) == 20
    for answer in given:
        jsonschema.validate(json.loads(answer.output or ""), schemas[answer.sample_id] or pytest.fail("no schema"))


def test_a_prompt_that_is_too_long_for_a_real_model_fails_alone(tiny: Massie) -> None:
    """Three demonstrations of EE have more tokens than the tiny model's context."""
    done = tiny("--task", "NER", "--task", "EE", "--language", "eng", "--limit", "1", method="few-shot", k=3)
    assert done.code == 1
    assert "failed: 400 This model's maximum context length is 2048 tokens" in done.err
    failures = {answer.failure for answer in answers()}
    assert failures == {None, Failure.CONTEXT_LENGTH}


def test_thoughts_of_a_teacher_are_shown_to_a_real_model(
    massie: Massie, tiny: Massie, think: Massie, model_server: ServerProcess, fault_server: ServerProcess
) -> None:
    """A real teacher of random weights never ends its thought, so what it says is not kept."""
    part = ("--task", "SF", "--language", "swa")
    cut = think(*part, base_url=model_server.base_url, model="tiny", max_new_tokens=16)
    assert cut.code == 2
    assert "did not come to its end (finish_reason 'length') and is not kept" in cut.err
    thought = think(*part, base_url=fault_server.base_url, model="teacher")
    assert thought.code == 0, thought.err
    done = tiny(*part, "--limit", "2", "--json", method="chain-of-thought", k=1, thoughts="thoughts.json")
    assert done.code == 0, done.err
    details = done.json["details"]
    assert details["method"] == "chain-of-thought"
    assert details["thoughts"]["teacher"]["model"] == "teacher"
    assert "thoughts" not in details["thoughts"]  # they tell of a dataset's texts
    assert set(details["prompts"]) == {"sf-cot-en"}


def test_demonstrations_in_the_language_of_the_sample_reach_a_real_model(tiny: Massie, demo: Benchmark) -> None:
    options = {"method": "few-shot", "k": 1, "demonstrations": "in-language"}
    done = tiny("--task", "SF", "--language", "swa", "--limit", "2", "--json", **options)
    assert done.code == 0, done.err
    (shown,) = done.json["details"]["demonstrations"].items()
    train = {sample.id for sample in demo.select(tasks=["SF"], languages=["swa"]).iter_samples("train")}
    assert shown[0] == "SF/swa"
    assert set(shown[1]["samples"]) <= train


def test_a_real_model_is_checked_in_plain_words(massie: Massie, model_server: ServerProcess) -> None:
    options = {"base_url": model_server.base_url, "model": "tiny", "max_new_tokens": 4, "method": "zero-shot"}
    done = massie("check-adapter", "openai", *chosen(options))
    assert done.code == 1
    assert "describe() names the system 'tiny'" in done.out
    for task in ("NER", "RE", "SF", "ED", "EE"):
        assert f"{task}: each of 24 samples is answered once" in done.out
        assert f"{task}: invalid structure: " in done.out
    assert done.out.splitlines()[-1] == "openai: 5 problems"
