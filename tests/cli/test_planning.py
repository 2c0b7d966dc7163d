"""``massie plan``: what it prints, what it leaves alone, what it refuses."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.servers.processes import ServerProcess

Massie = Callable[..., Any]

OPENAI = ("plan", "m-demo", "--adapter", "openai")
PLAN = (*OPENAI, "--option", "model=mine")
LOCAL = ("--option", "base_url=http://127.0.0.1:9/v1")
PART = ("--task", "EE", "--language", "swa", "--language", "eng")
NAMES = ["samples", "requests", "input_tokens", "shared_tokens", "output_tokens", "most_output_tokens"]


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    path = tmp_path / "prices.yaml"
    path.write_text(
        "models: {mine: {input: 1, output: 10, cached_input: 0.1, batch_input: 0.5, batch_output: 5}}", encoding="utf-8"
    )
    return path


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> NoReturn:
        raise AssertionError("a plan sends nothing")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def table(out: str, title: str) -> list[list[str]]:
    """The rows of the table with this title, without its header."""
    lines = out.splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith(f"{title} ")) + 2
    end = lines.index("", start)
    return [line.split() for line in lines[start:end]]


# What it prints


@pytest.mark.usefixtures("offline")
def test_a_plan_tells_tokens_dollars_and_time_of_each_task_and_sends_nothing(massie: Massie, prices: Path) -> None:
    done = massie(*PLAN, "--prices", prices, "--rate", "2", "--tokens-per-second", "1000")
    assert done.code == 0, done.err
    assert done.out.splitlines()[0] == "mine (few-shot) on m-demo 1, test split"
    rows = {title: table(done.out, title) for title in ("task", "US dollars", "time")}
    for title in rows:
        assert [row[0] for row in rows[title]] == ["overall", "NER", "RE", "SF", "ED", "EE"]
    assert rows["task"][0][1:3] == ["432", "432"]
    assert "1 in, 0.1 cached, 10 out; batch 0.5 in, 5 out" in " ".join(done.out.split())
    assert sorted(Path().iterdir()) == [prices.relative_to(Path.cwd())]


@pytest.mark.usefixtures("offline")
def test_a_plan_fits_80_columns(massie: Massie, prices: Path) -> None:
    done = massie(*PLAN, "--prices", prices, "--tokens-per-second", "1000")
    assert max(map(len, done.out.splitlines())) <= 80


@pytest.mark.usefixtures("offline")
def test_the_numbers_of_the_tasks_add_up(massie: Massie, prices: Path) -> None:
    overall, *tasks = massie(*PLAN, "--prices", prices, "--rate", "2", "--json").json["rows"]
    for name in NAMES:
        assert overall[name] == sum(row[name] for row in tasks) > 0
    for way in ("live", "batch", "cached"):
        for what in ("expected", "most"):
            assert overall["dollars"][way][what] == pytest.approx(sum(row["dollars"][way][what] for row in tasks))
    assert overall["seconds"] == {"expected": 216, "most": 216}


@pytest.mark.usefixtures("offline")
def test_dollars_are_those_of_the_prices_given(massie: Massie, prices: Path) -> None:
    plan = massie(*PLAN, *PART, "--prices", prices, "--json").json
    row = plan["rows"][0]
    tokens_in, shared, out = row["input_tokens"], row["shared_tokens"], row["output_tokens"]
    dollars = {way: estimate["expected"] for way, estimate in row["dollars"].items()}
    assert dollars["live"] == pytest.approx((tokens_in + 10 * out) / 1e6)
    assert dollars["batch"] == pytest.approx(dollars["live"] / 2)
    assert dollars["cached"] == pytest.approx((tokens_in - 0.9 * shared + 10 * out) / 1e6)
    assert plan["price"]["source"] == "prices.yaml"


@pytest.mark.usefixtures("offline")
def test_what_is_not_known_is_said(massie: Massie) -> None:
    done = massie(*PLAN, *LOCAL, *PART)
    assert done.code == 0, done.err
    assert "US dollars" not in done.out
    assert "no price is known of mine; give one in a file, --prices FILE" in done.out
    assert "give --rate (requests a second) or --tokens-per-second" in done.out
    assert "an estimate by script; the model's own tokenizer counts\n" in done.out
    plan = massie(*PLAN, *LOCAL, *PART, "--json").json
    assert (plan["price"], plan["run"]) == (None, None)
    assert plan["tokens"] == {"counted_with": "an estimate by script", "exact": False}
    assert plan["rows"][0]["dollars"] is plan["rows"][0]["seconds"] is None


@pytest.mark.usefixtures("offline")
def test_the_price_of_a_known_model_is_in_the_library(massie: Massie) -> None:
    pytest.importorskip("genai_prices", reason="needs the extra prices")
    done = massie("plan", "m-demo", *PART, "--adapter", "openai", "--option", "model=gpt-4o-mini", "--json")
    assert done.json["price"]["source"].startswith("genai-prices")
    assert done.json["rows"][0]["dollars"]["batch"]["most"] < done.json["rows"][0]["dollars"]["live"]["most"]


@pytest.mark.parametrize("adapter", ["lexicon", "empty"])
def test_of_a_system_that_is_no_language_model_the_samples_are_told(massie: Massie, adapter: str) -> None:
    done = massie("plan", "m-demo", "--adapter", adapter, *PART)
    assert done.code == 0, done.err
    assert table(done.out, "task") == [["overall", "6", "6"], ["EE", "6", "6"]]
    assert f"none: {adapter} is no language model" in done.out
    rows = massie("plan", "m-demo", "--adapter", adapter, *PART, "--json").json["rows"]
    assert rows[0] == {"row": "overall", "samples": 6, "requests": 6}


# The tokenizer


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    """The folder of a model with a tokenizer of words and a chat template."""
    tokenizers = pytest.importorskip("tokenizers", reason="needs the extra tokenizers")
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel({"?": 0}, unk_token="?"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    folder = tmp_path / "model"
    folder.mkdir()
    made.save(str(folder / "tokenizer.json"))
    (folder / "chat_template.jinja").write_text("{% for m in messages %} {{ m.content }} {% endfor %}")
    return folder


def test_tokens_are_exact_with_the_tokenizer_named_or_that_of_the_models_folder(
    massie: Massie, model_folder: Path
) -> None:
    named = massie(*PLAN, *PART, "--tokenizer", model_folder / "tokenizer.json", "--json").json
    assert named["tokens"] == {"counted_with": str(model_folder / "tokenizer.json"), "exact": True}
    found = massie("plan", "m-demo", *PART, "--adapter", "openai", "--option", f"model={model_folder}", "--json").json
    assert found["tokens"] == {"counted_with": str(model_folder), "exact": True}
    assert found["rows"] == named["rows"]
    assert "counted with" in massie(*PLAN, *PART, "--tokenizer", model_folder).out


# A run that is begun


def test_of_a_run_that_is_begun_what_is_left_is_planned(massie: Massie, fault_server: ServerProcess) -> None:
    words = ("m-demo", "--task", "EE", "--adapter", "openai", "--option", "model=mine")
    words = (*words, "--option", f"base_url={fault_server.base_url}")
    before = massie("plan", *words, "--json").json
    ran = massie("run", *words, "--max-samples", "20")
    assert ran.code == 0, ran.err
    asked = fault_server.counts()
    after = massie("plan", *words, "--json").json
    assert (before["run"], after["run"]) == (None, "runs/local/mine/m-demo")
    assert before["rows"][0]["requests"] == 48
    for row in after["rows"]:
        assert (row["samples"], row["requests"]) == (48, 28)
    assert after["rows"][0]["input_tokens"] < before["rows"][0]["input_tokens"]
    assert massie("plan", *words, "--name", "other", "--json").json["rows"] == before["rows"]
    assert "what has no answer yet in runs/local/mine/m-demo" in massie("plan", *words).out
    assert fault_server.counts() == asked


def test_the_answers_of_another_system_are_not_taken_for_this_ones(massie: Massie) -> None:
    assert massie("run", "m-demo", "--adapter", "empty", *PART, "--name", "mine").code == 0
    done = massie(*PLAN, *PART)
    assert done.code == 2
    assert "runs/local/mine/m-demo: this run was begun with other settings: adapter was 'empty'" in done.err
    assert len(done.err.splitlines()) == 1


# Faults: found before anything is paid


PROMPT = """\
id: mine
task: EE
language: eng
system: Find events.
user: "{{ txt }}"
provenance: written for this test
"""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--option", "k=500"), "500 demonstrations are more than there are"),
        (("--option", "prompt=mine.yaml"), "mine.yaml: user: unknown variable txt"),
        (("--option", "instruction_language=fra"), "has no translation into fra"),
        (("--option", "methd=few-shot"), "unknown option 'methd'; did you mean 'method'"),
        (("--prices", "absent.yaml"), "absent.yaml: "),
        (("--tokenizer", "absent"), "absent: there is no such tokenizer"),
        (("--task", "NEE"), "unknown task 'NEE'"),
        (("--language", "fra"), "unknown language 'fra'"),
    ],
)
@pytest.mark.usefixtures("prices", "offline")
def test_what_would_stop_a_run_is_one_line_and_code_2(massie: Massie, words: tuple[str, ...], said: str) -> None:
    Path("mine.yaml").write_text(PROMPT, encoding="utf-8")
    done = massie(*PLAN, *words)
    assert done.code == 2
    assert said in done.err
    assert len(done.err.splitlines()) == 1
    assert done.out == ""


@pytest.mark.usefixtures("offline")
def test_a_model_without_a_price_is_one_line_and_code_2(massie: Massie, prices: Path) -> None:
    done = massie(*OPENAI, "--option", "model=mime", "--prices", prices)
    assert done.code == 2
    assert "unknown price of the model 'mime'; did you mean 'mine'" in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.usefixtures("offline")
def test_an_option_given_twice_is_refused(massie: Massie) -> None:
    done = massie(*PLAN, "--option", "model=other")
    assert done.code == 2
    assert "--option model: is given twice" in done.err


@pytest.mark.usefixtures("offline")
def test_demonstrations_that_the_build_lacks_are_one_line_and_code_2(massie: Massie) -> None:
    assert massie("build", "m-demo", "--language", "swa", "--out", "part").code == 0
    done = massie(*PLAN, "--data", "part", "--task", "EE")
    assert done.code == 2
    assert "has no English train samples with gold for EE to show as demonstrations" in done.err
    assert len(done.err.splitlines()) == 1
    assert massie(*PLAN, "--data", "part", "--task", "EE", "--option", "method=zero-shot").code == 0


@pytest.mark.parametrize("option", ["--rate", "--tokens-per-second"])
def test_a_rate_of_nothing_is_refused(massie: Massie, option: str) -> None:
    assert massie(*PLAN, option, "0").code == 2
