"""Prices: from the library's snapshot, from the user's file, and what a usage costs at them."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massie.running.prices import Price, Rates, _snapshot, find_price, price_of
from massie.types import ContentError, MissingExtraError, UnknownNameError, Usage

FILE = """\
models:
  plain:
    input: 0.5
    output: 2
  full:
    input: 1.0
    output: 4.0
    cached_input: 0.1
    batch_input: 0.5
    batch_output: 2.0
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "prices.yaml"
    path.write_text(FILE, encoding="utf-8")
    return path


def test_a_usage_costs_its_tokens_per_million(file: Path) -> None:
    price = price_of("plain", file=file)
    assert price.cost(Usage(input_tokens=2_000_000, output_tokens=1_000_000)) == pytest.approx(3.0)
    assert price.source == "prices.yaml"


def test_cached_tokens_are_part_of_the_input_at_their_own_price(file: Path) -> None:
    usage = Usage(input_tokens=1_000_000, output_tokens=0, cached_tokens=400_000)
    assert price_of("full", file=file).cost(usage) == pytest.approx(0.6 * 1.0 + 0.4 * 0.1)


def test_cached_tokens_cost_like_others_where_their_price_is_not_known(file: Path) -> None:
    usage = Usage(input_tokens=1_000_000, output_tokens=0, cached_tokens=400_000)
    assert price_of("plain", file=file).cost(usage) == pytest.approx(0.5)


def test_reasoning_tokens_are_not_paid_twice(file: Path) -> None:
    usage = Usage(input_tokens=0, output_tokens=1_000_000, reasoning_tokens=900_000)
    assert price_of("plain", file=file).cost(usage) == pytest.approx(2.0)


def test_a_batch_costs_its_own_price_or_an_unknown_one(file: Path) -> None:
    usage = Usage(input_tokens=1_000_000, output_tokens=1_000_000)
    assert price_of("full", file=file).cost(usage, batch=True) == pytest.approx(2.5)
    assert price_of("plain", file=file).cost(usage, batch=True) is None


@pytest.mark.parametrize("usage", [Usage(), Usage(input_tokens=5), Usage(output_tokens=5)])
def test_unknown_tokens_have_no_cost(usage: Usage) -> None:
    assert Price("m", Rates(1, 1), "here").cost(usage) is None


def test_rates_hold_up_to_a_length_of_each_request() -> None:
    price = Price("m", Rates(1, 1), "here", up_to=1000)
    assert price.cost(Usage(input_tokens=1000, output_tokens=0)) == pytest.approx(0.001)
    assert price.cost(Usage(input_tokens=1001, output_tokens=0)) is None
    assert price.cost(Usage(input_tokens=1001, output_tokens=0, requests=2)) == pytest.approx(0.001001)


TOKENS = st.integers(min_value=0, max_value=10**9)


@given(TOKENS, TOKENS, TOKENS, TOKENS)
def test_two_usages_cost_together_what_they_cost_apart(a: int, b: int, c: int, d: int) -> None:
    rates = Rates(0.15, 0.6, 0.075)
    one, two = Usage(a + b, c, cached_tokens=b), Usage(c + d, a, cached_tokens=d)
    both = Usage(a + b + c + d, c + a, cached_tokens=b + d)
    assert rates.cost(both) == pytest.approx((rates.cost(one) or 0) + (rates.cost(two) or 0))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("models:\n  m: {input: 1, output: 1, inptu: 2}", "models.m.inptu: unknown key"),
        ("models:\n  m: {input: -1, output: 1}", "models.m.input: "),
        ("models:\n  m: {input: .nan, output: 1}", "models.m.input: "),
        ("models:\n  m: {input: free, output: 1}", "models.m.input: "),
        ("models:\n  m: {input: 1}", "models.m.output: this key is missing"),
        ("models:\n  m: {input: 1, output: 1, batch_input: 0.5}", "batch_input and batch_output belong together"),
        ("models:\n  m: {input: 1, output: 1, batch_cached_input: 0.5}", "batch_cached_input needs"),
        ("models: {}", "models: "),
        ("currency: EUR\nmodels:\n  m: {input: 1, output: 1}", "currency: unknown key"),
        ("- m", "(the whole file)"),
        ("models: [", "not valid YAML"),
    ],
)
def test_a_faulty_price_file_is_refused_with_its_place(tmp_path: Path, content: str, fault: str) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ContentError) as error:
        price_of("m", file=path)
    assert str(path) in str(error.value)
    assert fault in str(error.value)
    assert "\n" not in str(error.value)


def test_a_price_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="cannot be read"):
        price_of("m", file=tmp_path / "none.yaml")


@pytest.mark.parametrize("ask", [price_of, find_price])
def test_a_model_that_the_file_lacks_names_the_nearest_and_how_to_add_it(
    file: Path, ask: Callable[..., object]
) -> None:
    with pytest.raises(UnknownNameError) as error:
        ask("plane", file=file)
    message = str(error.value)
    assert "did you mean 'plain'" in message
    assert f"in {file}; add it under models" in message


def test_a_price_file_needs_no_library(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_the_library(monkeypatch)
    assert price_of("full", file=file).batch == Rates(0.5, 2.0)
    with pytest.raises(MissingExtraError, match=r"massie\[prices\]"):
        price_of("gpt-4o")


def without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    _snapshot.cache_clear()
    for name in ("genai_prices", "genai_prices.data", "genai_prices.data_snapshot"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    """The price library, where the network is not to be had."""
    pytest.importorskip("genai_prices", reason="needs the extra prices")

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("prices are looked up without the network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.usefixtures("library")
def test_the_library_knows_models_their_batches_and_where_it_is_from() -> None:
    price = price_of("gpt-4o-mini", base_url="https://api.openai.com/v1")
    assert price.source.startswith("genai-prices ")
    assert price.source.endswith(" (openai)")
    assert price.standard.output > price.standard.input > (price.standard.cached_input or 0) > 0
    assert price.batch is not None
    assert price.batch.input == pytest.approx(price.standard.input / 2)
    assert price.batch.output == pytest.approx(price.standard.output / 2)


@pytest.mark.usefixtures("library")
def test_a_batch_that_the_library_has_no_price_for_has_none() -> None:
    assert price_of("deepseek-chat").batch is None


@pytest.mark.usefixtures("library")
def test_every_price_is_what_the_library_calculates_itself() -> None:
    """For all models of the providers that are asked most, in every hour: the library's dearest of the day."""
    from genai_prices import Usage as Tokens
    from genai_prices import calc_price
    from genai_prices.data import providers

    tokens = Tokens(input_tokens=20_000, output_tokens=700, cache_read_tokens=5_000)
    usage = Usage(input_tokens=20_000, output_tokens=700, cached_tokens=5_000)
    today = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    checked = 0
    for provider in providers:
        for model in provider.models if provider.id in URLS else ():
            price = find_price(model.id, base_url=URLS[provider.id])
            if price is None:
                continue
            for batch, context in ((False, None), (True, {"processing": "batch"})):
                if batch and price.batch is None:
                    continue
                theirs = max(
                    calc_price(
                        tokens,
                        model.id,
                        provider_id=provider.id,
                        genai_request_timestamp=today.replace(hour=hour),
                        price_context=context,
                    ).total_price
                    for hour in range(24)
                )
                assert price.cost(usage, batch=batch) == pytest.approx(float(theirs)), model.id
                checked += 1
    assert checked > 100


URLS = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com/v1",
    "deepseek": "https://api.deepseek.com",
    "mistral": "https://api.mistral.ai/v1",
}


@pytest.mark.usefixtures("library")
def test_prices_that_step_with_the_length_hold_up_to_the_first_step() -> None:
    price = price_of("gemini-2.5-pro")
    assert price.up_to == 200_000
    assert price.cost(Usage(input_tokens=200_001, output_tokens=1)) is None


@pytest.mark.usefixtures("library")
def test_a_server_of_ones_own_has_no_price_though_its_model_is_called_as_one_that_has() -> None:
    assert find_price("gpt-4o-mini", base_url="http://localhost:8000/v1") is None
    with pytest.raises(UnknownNameError, match="name a price file with --prices"):
        price_of("gpt-4o-mini", base_url="http://localhost:8000/v1")


@pytest.mark.usefixtures("library")
def test_an_unknown_model_suggests_the_nearest_of_its_provider() -> None:
    with pytest.raises(UnknownNameError) as error:
        price_of("gtp-4o-mini", base_url="https://api.openai.com/v1")
    assert "did you mean 'gpt-4o-mini'" in str(error.value)
    assert "--prices" in str(error.value)


@pytest.mark.usefixtures("library")
def test_a_model_that_is_paid_by_request_too_has_no_price() -> None:
    with pytest.raises(UnknownNameError) as error:
        price_of("sonar")
    assert "did you mean 'sonar'" not in str(error.value)


def test_the_longest_answer_says_whether_the_price_holds_however_often_it_was_asked_for() -> None:
    price = Price("m", Rates(1.0, 1.0), "prices.yaml", up_to=200_000)
    one = Usage(300_000, 10, requests=2)
    assert price.cost(one, longest=300_000) is None
    many = Usage(1_000_000, 10, requests=11)
    assert price.cost(many, longest=200_000) == pytest.approx(1.00001)
    assert price.cost(many, longest=200_001) is None
