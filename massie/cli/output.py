"""What the commands print: tables that align in any script, progress with time left, JSON for machines."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

Advance = Callable[[int, int, str], None]
"""Called with what is done, what there is in all, and a few words on where things stand."""


def console(*, error: bool = False) -> Console:
    """The terminal; lines are wrapped at its width, and not at all where the output is no terminal."""
    stream = sys.stderr if error else sys.stdout
    return Console(stderr=error, width=None if stream.isatty() else 160, highlight=False, soft_wrap=not stream.isatty())


def print_json(value: Any) -> None:
    """The value as indented JSON on standard output."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=1))


def print_table(headers: Sequence[str], rows: Sequence[Sequence[object]], *, right: Sequence[int] = ()) -> None:
    """A table; ``right`` are the places of columns that are set flush right. Cells are plain text, never markup."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, show_header=any(headers))
    for place, header in enumerate(headers):
        table.add_column(header, justify="right" if place in right else "left", overflow="fold", no_wrap=place == 0)
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    terminal = console()
    with terminal.capture() as captured:
        terminal.print(table)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def bar(share: float, width: int = 10) -> str:
    """A share between 0 and 1 as a bar, for where one would rather look than read; what is above 1 is a full one."""
    eighths = round(min(max(share, 0), 1) * width * 8)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


@contextmanager
def progress(title: str, *, quiet: bool = False, unit: str = "") -> Generator[Advance]:
    """A progress bar with rate and time left on a terminal, a plain line now and then elsewhere."""
    if quiet:
        yield lambda done, total, words: None
    elif sys.stderr.isatty():
        yield from _bar(title)
    else:
        yield _lines(title, unit)


def when_long(advance: Advance) -> Advance:
    """Tells of progress only once a second has passed: what is quicker needs none."""
    started = time.monotonic()

    def told(done: int, total: int, words: str) -> None:
        if time.monotonic() - started > 1:
            advance(done, total, words)

    return told


_LONGEST_TITLE = 24
"""Characters of a bar's title: in 80 columns there must be room for what it tells."""


def _bar(title: str) -> Generator[Advance]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeRemainingColumn(),
        TextColumn("{task.fields[words]}", markup=False),
    )
    pace = _Pace()
    with Progress(*columns, console=console(error=True), transient=True) as bar:
        shown = title if len(title) <= _LONGEST_TITLE else f"{title[: _LONGEST_TITLE - 1]}…"
        task = bar.add_task(shown, total=None, rate="", words="")

        def advance(done: int, total: int, words: str) -> None:
            bar.update(task, completed=done, total=total, rate=f"{pace.rate(done):,.0f}/s", words=words)

        yield advance


def _lines(title: str, unit: str) -> Advance:
    pace, last = _Pace(), time.monotonic()

    def advance(done: int, total: int, words: str) -> None:
        nonlocal last
        rate, now = pace.rate(done), time.monotonic()
        if now - last < 10 and done < total:
            return
        last = now
        left = f", {rate:,.0f}/s, {(total - done) / rate:.0f} s left" if rate and done < total else ""
        click.echo(f"{title}: {done} of {total} {unit}{left}{f', {words}' if words else ''}", err=True)

    return advance


class _Pace:
    """How fast something goes, from when it was first looked at: what was done before does not count."""

    def __init__(self) -> None:
        self._began: tuple[float, int] | None = None

    def rate(self, done: int) -> float:
        """What is done in a second; 0 where that cannot be told yet."""
        now = time.monotonic()
        if self._began is None:
            self._began = (now, done)
        started, before = self._began
        return (done - before) / (now - started) if now > started else 0.0


def warn(message: str) -> None:
    """A remark that is no error, on standard error."""
    click.echo(f"note: {message}", err=True)
