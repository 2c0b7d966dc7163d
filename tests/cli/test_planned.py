"""A plan as it is shown, where numbers are large or not known."""

from __future__ import annotations

import pytest

from massie.cli.planned import Plan
from massie.running import Settings
from massie.running.planning import Planned
from massie.running.prices import Price, Rates
from massie.running.tokens import token_counter
from massie.types import Split, SystemCard, Task

SETTINGS = Settings(
    adapter="openai",
    benchmark="m-heavy",
    version="1",
    manifest_digest="0" * 64,
    split=Split.TEST,
    system=SystemCard(name="mine", model="mine"),
    created="2026-01-02T03:04:05Z",
    massie_version="1",
)
SMALL = Planned(10, 10, 20_000, 10_000, 500, 2560)
LARGE = Planned(3_150_000, 3_149_999, 12_345_678_901, 11_000_000_000, 300_000_000, 3_225_600_000)
BOTH = Rates(0.15, 0.6, 0.075)


def shown(capsys: pytest.CaptureFixture[str], planned: Planned, price: Price | None, **rates: float | None) -> str:
    rate, tokens_per_second = rates.get("rate"), rates.get("tokens_per_second")
    Plan(SETTINGS, None, {Task.NER: planned}, token_counter("mine"), price, rate, tokens_per_second).print()
    return capsys.readouterr().out


def test_the_largest_benchmark_fits_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, LARGE, Price("mine", BOTH, "me", batch=BOTH), tokens_per_second=5000)
    assert max(map(len, out.splitlines())) <= 80
    (line,) = [line for line in out.splitlines() if line.startswith("NER") and "3,149,999" in line]
    assert line.split() == ["NER", "3,150,000", "3,149,999", "12,345.7M", "89%", "300.0M", "3,225.6M"]
    assert "2,031.85" in out
    assert "29.3 d" in out


def test_a_way_of_paying_without_a_price_has_no_columns(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, SMALL, Price("mine", Rates(0.15, 0.6), "me"))
    (header,) = [line for line in out.splitlines() if line.startswith("US dollars")]
    assert header.split() == ["US", "dollars", "live", "at", "most"]
    assert "me, per million tokens: 0.15 in, 0.6 out; no batch price is known" in " ".join(out.split())


def test_a_price_that_does_not_hold_for_such_long_requests_is_not_applied(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, SMALL, Price("mine", BOTH, "me", up_to=1999))
    assert "US dollars" not in out
    assert "me: its price holds up to 1,999 tokens of a request, and these are longer" in " ".join(out.split())


@pytest.mark.parametrize(
    ("rate", "told"), [(10, "1 s"), (0.1, "100 s"), (0.05, "3.3 min"), (0.001, "2.8 h"), (0.00005, "2.3 d")]
)
def test_time_is_told_in_a_unit_that_one_grasps(capsys: pytest.CaptureFixture[str], rate: float, told: str) -> None:
    out = shown(capsys, SMALL, None, rate=rate)
    assert f"overall{told:>11}".replace(" ", "") in out.replace(" ", "")
