"""A plan as it is shown: tables of tokens, dollars and time, and how the numbers were found; or JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from textwrap import fill
from typing import Any

import click

from massie.cli.output import print_table
from massie.running import Settings
from massie.running.planning import Estimate, Planned, Way, cost, seconds
from massie.running.prices import Price, Rates
from massie.running.tokens import TokenCounter
from massie.types import Task

_Column = tuple[str, Callable[[Planned], str]]
"""A column of a table: its header, and what it shows of a row."""

_EXACT = "the model's own tokenizer counts exactly: --tokenizer PATH"


@dataclass(frozen=True)
class Plan:
    """A plan as it is shown: of a new run, or of what is left in ``folder``. Without ``counter`` it has no tokens."""

    settings: Settings
    folder: Path | None
    planned: dict[Task, Planned]
    counter: TokenCounter | None
    price: Price | None
    rate: float | None
    tokens_per_second: float | None

    def total(self) -> Planned:
        """All tasks together."""
        return sum(self.planned.values(), Planned())

    def rows(self) -> list[tuple[str, Planned]]:
        """All together, then each task."""
        return [("overall", self.total()), *((str(task), self.planned[task]) for task in Task if task in self.planned)]

    def seconds(self, planned: Planned) -> Estimate | None:
        """How long a row takes."""
        return seconds(planned, rate=self.rate, tokens_per_second=self.tokens_per_second)

    def as_json(self) -> dict[str, Any]:
        """The plan for machines; what is not known is null."""
        settings, counter = self.settings, self.counter
        return {
            "benchmark": settings.benchmark,
            "version": settings.version,
            "split": str(settings.split),
            "system": settings.system.model_dump(mode="json"),
            "run": None if self.folder is None else str(self.folder),
            "tokens": None if counter is None else {"counted_with": counter.name, "exact": counter.exact},
            "price": None if self.price is None else asdict(self.price),
            "rows": [{"row": title, **self._row_as_json(planned)} for title, planned in self.rows()],
        }

    def _row_as_json(self, planned: Planned) -> dict[str, Any]:
        if self.counter is None:
            return {"samples": planned.samples, "requests": planned.requests}
        dollars = {} if self.price is None else {str(way): cost(planned, self.price, way) for way in Way}
        told = {"dollars": {way: _plain(estimate) for way, estimate in dollars.items()} or None}
        return {**asdict(planned), **told, "seconds": _plain(self.seconds(planned))}

    def print(self) -> None:
        """The plan for people: tokens, dollars and time of each task, and how they were found."""
        settings = self.settings
        method = f" ({settings.details['method']})" if "method" in settings.details else ""
        click.echo(f"{settings.system.name}{method} on {settings.benchmark} {settings.version}, {settings.split} split")
        for title, columns in self._tables():
            rows = [(name, *(shown(planned) for _, shown in columns)) for name, planned in self.rows()]
            click.echo()
            print_table((title, *(header for header, _ in columns)), rows, right=range(1, len(columns) + 1))
        click.echo()
        for name, words in self._notes():
            click.echo(fill(words, 80, initial_indent=f"{name:10}", subsequent_indent=" " * 10, break_long_words=False))

    def _tables(self) -> Iterator[tuple[str, list[_Column]]]:
        """The tables: the title of each, and its columns."""
        numbers: list[_Column] = [
            ("samples", lambda row: f"{row.samples:,}"),
            ("requests", lambda row: f"{row.requests:,}"),
        ]
        if self.counter is None:
            yield "task", numbers
            return
        tokens: list[_Column] = [
            ("input", lambda row: self._tokens(row.input_tokens)),
            ("shared", lambda row: f"{row.shared_tokens / (row.input_tokens or 1):.0%}"),
            ("output", lambda row: self._tokens(row.output_tokens)),
            ("at most", lambda row: self._tokens(row.most_output_tokens)),
        ]
        yield "task", [*numbers, *tokens]
        if dollars := [column for way in Way for column in self._dollars(way)]:
            yield "US dollars", dollars
        if time := _columns("expected", self.seconds, _duration, self.total()):
            yield "time", time[:1] if self.tokens_per_second is None else time

    def _tokens(self, number: int) -> str:
        """A number of tokens, in millions where there are too many for 80 columns."""
        return f"{number:,}" if self.total().input_tokens < 1e9 else f"{number / 1e6:,.1f}M"

    def _dollars(self, way: Way) -> list[_Column]:
        price, total = self.price, self.total()
        if price is None:
            return []
        large = (live := cost(total, price)) is not None and live.most >= 100
        return _columns(way, lambda row: cost(row, price, way), "{:,.2f}".format if large else "{:.4f}".format, total)

    def _notes(self) -> Iterator[tuple[str, str]]:
        """How the numbers were found, and what could make them better."""
        total, counter = self.total(), self.counter
        if self.folder is not None:
            yield "requests", f"what has no answer yet in {self.folder}"
        if counter is None:
            yield "tokens", f"none: {self.settings.adapter} is no language model"
            return
        yield "input", f"tokens, counted with {counter.name}" if counter.exact else f"tokens: {counter.name}; {_EXACT}"
        yield "shared", "of the input: what a request begins with like the one sent before it"
        yield "output", "tokens of the gold answers as the prompts lay them out; at most: the limits"
        if self._dollars(Way.CACHED):
            yield "cached", "if a prefix cache has all that is shared (OpenAI's has prompts of 1,024 tokens and more)"
        yield "dollars", self._of_price(total)
        if self.seconds(total) is None:
            yield "time", "give --rate (requests a second) or --tokens-per-second"

    def _of_price(self, total: Planned) -> str:
        price = self.price
        if price is None:
            library = "" if find_spec("genai_prices") else " (or take the price library: pip install 'massie[prices]')"
            return f"no price is known of {self.settings.system.model}; give one in a file, --prices FILE{library}"
        if cost(total, price) is None:
            return f"{price.source}: its price holds up to {price.up_to:,} tokens of a request, and these are longer"
        batch = "no batch price is known" if price.batch is None else f"batch {_rates(price.batch)}"
        return f"{price.source}, per million tokens: {_rates(price.standard)}; {batch}"


def _columns(
    header: str, estimate: Callable[[Planned], Estimate | None], shown: Callable[[float], str], total: Planned
) -> list[_Column]:
    """A column of what is expected and one of the most that it can be; none where that is not known of all together."""

    def cell(row: Planned, name: str) -> str:
        found = estimate(row)
        return "-" if found is None else shown(getattr(found, name))

    if estimate(total) is None:
        return []
    return [(header, lambda row: cell(row, "expected")), ("at most", lambda row: cell(row, "most"))]


def _plain(estimate: Estimate | None) -> dict[str, float] | None:
    return None if estimate is None else asdict(estimate)


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def _rates(rates: Rates) -> str:
    cached = "" if rates.cached_input is None else f"{rates.cached_input:g} cached, "
    return f"{rates.input:g} in, {cached}{rates.output:g} out"
