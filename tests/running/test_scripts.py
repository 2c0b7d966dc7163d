"""The estimate of tokens by script, held against a real tokenizer where one is at hand.

Run as a command, it measures the table: ``python tests/running/test_scripts.py DIR`` with a build of M-HEAVY.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massie.build import Benchmark, load_benchmark
from massie.prompting import load_prompt, render
from massie.running.scripts import TOKENS_PER_CHARACTER, kind_of, tokens_by_script
from massie.running.tokens import token_counter


def encoding() -> Any:
    if not token_counter("gpt-4o").exact:
        pytest.skip("needs tiktoken with the file of o200k_base in its cache (TIKTOKEN_CACHE_DIR)")
    import tiktoken

    return tiktoken.get_encoding("o200k_base")


def measured(texts: Iterable[str]) -> dict[str, tuple[float, int]]:
    """The tokens per character of each kind, and how many characters there were of it."""
    tokenizer = encoding()
    tokens: dict[str, float] = defaultdict(float)
    characters: dict[str, int] = defaultdict(int)
    for text in texts:
        shares: list[float] = []
        for token in tokenizer.encode_ordinary(text):
            size = len(tokenizer.decode_single_token_bytes(token))
            shares += [1 / size] * size
        start = 0
        for character in text:
            end = start + len(character.encode())
            tokens[kind_of(character)] += sum(shares[start:end])
            characters[kind_of(character)] += 1
            start = end
    return {kind: (tokens[kind] / number, number) for kind, number in characters.items()}


def texts_of(benchmark: Benchmark, at_most: int = 400) -> dict[str, list[str]]:
    """The texts of each language, each once."""
    texts: dict[str, dict[str, str]] = defaultdict(dict)
    for sample in benchmark.samples():
        if len(texts[sample.language]) < at_most:
            texts[sample.language].setdefault(sample.instance_id, sample.text)
    return {language: list(each.values()) for language, each in texts.items()}


def test_a_text_takes_the_sum_of_its_characters() -> None:
    rates = TOKENS_PER_CHARACTER
    assert tokens_by_script("ab 1") == pytest.approx(
        2 * rates["ascii letter"] + rates["ascii space"] + rates["ascii digit"]
    )
    assert tokens_by_script("東京") == pytest.approx(2 * rates["CJK"])
    assert tokens_by_script("ก") == pytest.approx(rates["THAI"])
    assert tokens_by_script("é") == pytest.approx(rates["LATIN"])
    assert tokens_by_script("") == 0


@pytest.mark.parametrize(
    ("characters", "kind"),
    [
        ("aZ", "ascii letter"),
        ("09", "ascii digit"),
        (" \n\t", "ascii space"),
        ('{"-', "ascii symbol"),
        ("жЯ", "CYRILLIC"),
        ("ሀ", "ETHIOPIC"),
        ("ाक", "DEVANAGARI"),
        ("。—«", "other symbol"),
        ("ລ", "other letter"),
    ],
)
def test_a_character_is_of_its_script(characters: str, kind: str) -> None:
    assert {kind_of(character) for character in characters} == {kind}


@given(st.text(), st.text())
def test_any_text_has_an_estimate_and_two_texts_take_what_they_take_apart(one: str, other: str) -> None:
    assert tokens_by_script(one + other) == pytest.approx(tokens_by_script(one) + tokens_by_script(other))
    assert tokens_by_script(one) <= 4 * len(one)


def test_a_lone_surrogate_has_an_estimate_too() -> None:
    assert tokens_by_script("\ud800") > 0


def test_every_script_of_the_demo_has_an_entry_of_its_own(demo: Benchmark) -> None:
    assert "other letter" not in {kind_of(character) for sample in demo.samples() for character in sample.text}


def test_the_table_is_what_was_measured(demo: Benchmark) -> None:
    """On M-DEMO's texts, which are not those that the table was measured on (Ethiopic apart)."""
    found = measured(text for texts in texts_of(demo).values() for text in texts)
    for kind, (rate, number) in found.items():
        if number >= 300 and not kind.startswith(("ascii", "other")):
            assert rate == pytest.approx(TOKENS_PER_CHARACTER[kind], rel=0.2), kind


def test_the_estimate_of_the_demos_prompts_is_near(demo: Benchmark, capsys: pytest.CaptureFixture[str]) -> None:
    """Within a tenth for the whole, a sixth for each language and task; ``pytest -s`` prints the errors."""
    encoding()
    exact, estimate = token_counter("gpt-4o"), token_counter("unknown")
    counted: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for sample in demo.samples():
        messages = render(load_prompt(f"{sample.task.lower()}-en"), sample)
        both = exact.count(messages), estimate.count(messages)
        for key in ("all", str(sample.task), sample.language):
            counted[key] = [before + now for before, now in zip(counted[key], both, strict=True)]
    errors = {key: estimated / real - 1 for key, (real, estimated) in counted.items()}
    with capsys.disabled():
        print("\nestimated above o200k_base:", ", ".join(f"{key} {error:+.1%}" for key, error in errors.items()))
    assert abs(errors["all"]) < 0.1
    assert max(map(abs, errors.values())) < 1 / 6


if __name__ == "__main__":
    by_language = texts_of(load_benchmark("m-heavy", data=Path(sys.argv[1])))
    everything = measured(text for texts in by_language.values() for text in texts)
    english = measured(by_language["eng"])
    for each, (mean, seen) in sorted(everything.items()):
        tokens_each = (mean + english[each][0]) / 2 if each.startswith("ascii") else mean
        print(f"{each:14} {tokens_each:.3f}  ({seen:,} characters)")
