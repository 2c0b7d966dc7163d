"""What a model costs: from a price library's own snapshot, or from the user's price file. Nothing is downloaded.

A price file is YAML, in US dollars per million tokens::

    models:
      my-model:
        input: 0.15
        output: 0.60
        cached_input: 0.075       # optional: input read from the provider's prefix cache
        batch_input: 0.075        # optional, both or none: what the Batch API charges
        batch_output: 0.30
        batch_cached_input: 0.04  # optional
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from massie.catalogue import Content, read_yaml, validated
from massie.types import MissingExtraError, UnknownNameError, Usage

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelPrice

MILLION = 1_000_000

_HINT = "(or name a price file with --prices)"

# What some models charge for besides tokens in and out, and which a Price cannot say.
_FURTHER_CHARGES = ("requests_kcount", "output_reasoning_mtok", "output_citation_mtok")

Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Rates:
    """US dollars per million tokens; without ``cached_input``, cached tokens cost what other input does."""

    input: float
    output: float
    cached_input: float | None = None

    def cost(self, usage: Usage) -> float | None:
        """The US dollars of a usage; None where its input or output tokens are unknown."""
        if usage.input_tokens is None or usage.output_tokens is None:
            return None
        cached = min(usage.cached_tokens or 0, usage.input_tokens)
        of_cached = self.input if self.cached_input is None else self.cached_input
        fresh = usage.input_tokens - cached
        return (fresh * self.input + cached * of_cached + usage.output_tokens * self.output) / MILLION


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs, and where that is from (``genai-prices 0.2.3 (openai)``, or a file's name).

    ``batch`` holds the rates of the provider's batch API, None where they are not known. The rates hold for requests of
    at most ``up_to`` input tokens (None: of any length); beyond them a provider charges more.
    """

    model: str
    standard: Rates
    source: str
    batch: Rates | None = None
    up_to: int | None = None

    def cost(self, usage: Usage, *, batch: bool = False, longest: float | None = None) -> float | None:
        """The US dollars of a usage: of one answer, or of several, the ``longest`` of which had so many input tokens.

        A plan, which knows of no longest, is held to the average of its ``requests``. None where the tokens are
        unknown, where the batch price is asked for and unknown, and where that length is beyond what the rates hold.
        """
        rates = self.batch if batch else self.standard
        if longest is None:
            longest = (usage.input_tokens or 0) / (usage.requests or 1)
        if rates is None or (self.up_to is not None and longest > self.up_to):
            return None
        return rates.cost(usage)


class ModelRates(Content):
    """The rates of one model in a price file, US dollars per million tokens."""

    input: Dollars
    output: Dollars
    cached_input: Dollars | None = None
    batch_input: Dollars | None = None
    batch_output: Dollars | None = None
    batch_cached_input: Dollars | None = None

    @model_validator(mode="after")
    def _batch_is_whole(self) -> ModelRates:
        if (self.batch_input is None) != (self.batch_output is None):
            raise ValueError("batch_input and batch_output belong together: give both or none")
        if self.batch_cached_input is not None and self.batch_input is None:
            raise ValueError("batch_cached_input needs batch_input and batch_output")
        return self

    def price(self, model: str, source: str) -> Price:
        """The rates as the price of a model."""
        batch = None
        if self.batch_input is not None and self.batch_output is not None:
            batch = Rates(self.batch_input, self.batch_output, self.batch_cached_input)
        return Price(model, Rates(self.input, self.output, self.cached_input), source, batch)


class PriceFile(Content):
    """A user's price file: rates by the model's name, as it is named to the endpoint."""

    models: dict[str, ModelRates] = Field(min_length=1)


def price_of(model: str, *, file: Path | None = None, base_url: str | None = None) -> Price:
    """The price of a model: from the user's ``file`` where one is given, else from the price library.

    ``base_url`` says which provider is asked; without it, the provider is the one whose models are called so. Raises
    UnknownNameError where there is no price, suggesting the nearest model; ContentError for a faulty file;
    MissingExtraError where the library is needed and not installed.
    """
    if file is not None:
        return _price_in_file(model, file)
    price = find_price(model, base_url=base_url)
    if price is None:
        raise UnknownNameError("price of the model", model, _known_models(model, base_url), _HINT)
    return price


def find_price(model: str, *, file: Path | None = None, base_url: str | None = None) -> Price | None:
    """As ``price_of``, but None for a model that the library does not know.

    A ``file`` that lacks the model is still an error, since its user meant to price it.
    """
    return _price_in_file(model, file) if file is not None else _price_in_library(model, base_url)


def _price_in_file(model: str, path: Path) -> Price:
    models = validated(PriceFile, read_yaml(path), path).models
    if model not in models:
        hint = f"in {path}; add it under models, with input and output in US dollars per million tokens"
        raise UnknownNameError("price of the model", model, models, hint)
    return models[model].price(model, path.name)


def _price_in_library(model: str, base_url: str | None) -> Price | None:
    """Where a price changes with the hour, the dearest of today (UTC): a plan should not promise too little."""
    today = datetime.now(UTC).date()
    hours = (datetime.combine(today, time(hour, tzinfo=UTC)) for hour in range(24))
    prices = [_price_at(hour, model, base_url) for hour in hours]
    return max((price for price in prices if price), key=lambda price: price.standard.input, default=None)


def _price_at(moment: datetime, model: str, base_url: str | None) -> Price | None:
    standard = _library_price(moment, model, base_url)
    if standard is None:
        return None
    provider, prices = standard
    rates = _rates(prices)
    if rates is None:
        return None
    # The library answers with standard prices where it knows none for batches.
    batched = _library_price(moment, model, base_url, {"processing": "batch"})
    batch = _rates(batched[1]) if batched and batched[1] != prices else None
    source = f"genai-prices {version('genai-prices')} ({provider})"
    return Price(model, rates, source, batch, _first_step(prices))


def _library_price(
    moment: datetime, model: str, base_url: str | None, context: dict[str, str] | None = None
) -> tuple[str, ModelPrice] | None:
    """The provider's id and the prices that hold at a moment, as the library knows them."""
    try:
        found = _snapshot().calc({}, model, None, base_url, moment, context)
    except LookupError:
        return None
    return found.provider.id, found.model_price


@lru_cache(maxsize=1)
def _snapshot() -> DataSnapshot:
    """The prices that came with the library, which are never brought up to date from the network here."""
    try:
        from genai_prices.data import providers
        from genai_prices.data_snapshot import DataSnapshot
    except ImportError as error:
        raise MissingExtraError("genai-prices", "prices", "the price of a model (without a price file)") from error
    return DataSnapshot(providers, from_auto_update=False)


def _rates(prices: ModelPrice) -> Rates | None:
    """The rates of the shortest requests; None where the model is not paid by tokens in and out alone."""
    charged, made, cached = prices.input_mtok, prices.output_mtok, prices.cache_read_mtok
    if charged is None or made is None or any(getattr(prices, name) for name in _FURTHER_CHARGES):
        return None
    return Rates(_base(charged), _base(made), None if cached is None else _base(cached))


def _base(price: object) -> float:
    """A price, or the first of those that step with the length of the request."""
    return float(getattr(price, "base", price))  # pyright: ignore[reportArgumentType] (a Decimal)


def _first_step(prices: ModelPrice) -> int | None:
    """The input tokens up to which the first of stepping prices hold."""
    charged = (prices.input_mtok, prices.output_mtok, prices.cache_read_mtok)
    return min((tier.start for price in charged for tier in getattr(price, "tiers", ())), default=None)


def _known_models(model: str, base_url: str | None) -> set[str]:
    """The models that have a price: those of the provider that is asked, or of all."""
    now = datetime.now(UTC)
    snapshot = _snapshot()
    try:
        providers = [snapshot.find_provider(model.lower(), None, base_url)]
    except LookupError:
        providers = [] if base_url else snapshot.providers
    models = (known for provider in providers for known in provider.models)
    return {known.id for known in models if _rates(known.get_prices(now))}
