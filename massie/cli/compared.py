"""A comparison as people read it: one table and plot for two systems, ranks and matrices for more."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click

from massie.catalogue import metric_cards
from massie.cli.output import print_table, warn
from massie.results.comparing import Comparison
from massie.scoring.comparison import ComparedRow, Difference, RankedRow, Standing, replicates_needed

_PLURALS = {"language": "languages", "dataset": "datasets", "family": "families", "script": "scripts"}
_LISTED = 5
"""Keys that are listed from either end."""
_NUMBERED_UP_TO = 8
"""Systems up to which a matrix shows differences; one of more shows what is significant."""
_PLOT = 21
"""Characters of a plot, 0 in the middle."""


def print_comparison(compared: Comparison, levels: Sequence[str], *, whole: bool) -> None:
    """What ``massie compare`` prints; ``whole`` lists every key or pair."""
    title = metric_cards()[compared.score].title
    click.echo(f"{title} on {compared.benchmark} {compared.version}, {compared.split} split")
    click.echo(f"compared on the {compared.samples} samples ({compared.instances} texts) that all runs answered\n")
    if len(compared.systems) == 2:
        _print_two(compared, levels, whole)
    else:
        _print_many(compared, levels, whole)


def _printable(name: str) -> str:
    """A name without anything that a terminal would act on."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)


def _title(row: ComparedRow) -> str:
    return str(row.task or row.key)


def _points(score: float | None) -> str:
    return "-" if score is None else f"{score:.1f}"


def _p(p: float) -> str:
    return "<0.0001" if p < 0.0001 else f"{p:.4f}"


# ---- Two systems


def _print_two(compared: Comparison, levels: Sequence[str], whole: bool) -> None:
    rows = [
        (letter, _printable(system.name), system.samples, system.folder)
        for letter, system in zip("AB", compared.systems, strict=True)
    ]
    print_table(("", "system", "answered", "run"), rows, right=(2,))
    click.echo()
    _print_differences("task", compared.totals, corrected=False)
    click.echo()
    rows = [(_PLURALS[level], *_wins(compared, level)) for level in levels]
    print_table(("", "A ahead", "significant", "B ahead", "significant", "equal"), rows, right=(1, 2, 3, 4, 5))
    for level in levels:
        click.echo()
        _print_differences(level, _extremes(compared.level(level), whole), corrected=True)
    hidden = {level: max(0, len(compared.level(level)) - 2 * _LISTED) for level in levels}
    if any(hidden.values()) and not whole:
        click.echo("\n…  between these lie others: --all lists them")
    _warn_of_few_replicates(compared, max((len(compared.level(level)) for level in levels), default=1))


def _wins(compared: Comparison, level: str) -> tuple[object, ...]:
    wins = compared.wins(level)
    return wins.ahead, wins.significantly_ahead, wins.behind, wins.significantly_behind, wins.equal


def _extremes(rows: Sequence[ComparedRow], whole: bool) -> list[ComparedRow | None]:
    """The rows by difference; of many the first and last, with None between."""

    def value(row: ComparedRow) -> float:
        difference = row.between(0, 1)
        return difference.value if difference else float("-inf")

    ordered = sorted(rows, key=value, reverse=True)
    if whole or len(ordered) <= 2 * _LISTED:
        return [*ordered]
    return [*ordered[:_LISTED], None, *ordered[-_LISTED:]]


def _print_differences(title: str, rows: Sequence[ComparedRow | None], *, corrected: bool) -> None:
    """A table of rows with the difference of A and B, and its interval as a plot around 0; None is a gap.

    Of corrected ones, whose names are the longer, the plot alone shows the interval.
    """
    found = [row and row.between(0, 1) for row in rows]
    scale = max((max(abs(each.low), abs(each.high)) for each in found if each), default=0.0) or 1.0
    table: list[Sequence[object]] = []
    for row, difference in zip(rows, found, strict=True):
        if row is None:
            table.append(["…"])
            continue
        shown = [_printable(_title(row)), *map(_points, row.scores)]
        if difference is None:
            table.append([*shown, "-", "undefined"])
        elif corrected:
            table.append([*shown, f"{difference.value:+.1f}", _p(difference.adjusted), plot(difference, scale)])
        else:
            interval = f"{difference.low:+.1f} to {difference.high:+.1f}"
            table.append([*shown, f"{difference.value:+.1f}", interval, _p(difference.p), plot(difference, scale)])
    ends = f"{f'-{scale:.0f}':<{_PLOT // 2}}0{f'+{scale:.0f}':>{_PLOT // 2}}"
    measures = ["p (Holm)"] if corrected else ["95%", "p"]
    print_table([title, "A", "B", "A-B", *measures, ends], table, right=range(1, 4 + len(measures)))


def plot(difference: Difference, scale: float) -> str:
    """An interval on a line from -scale to +scale, with 0 in the middle."""
    low, value, high = (round((end / scale + 1) / 2 * (_PLOT - 1)) for end in _interval(difference))
    line = [" "] * _PLOT
    line[low : high + 1] = "─" * (high + 1 - low)
    line[_PLOT // 2] = "┼" if low <= _PLOT // 2 <= high else "│"
    line[low], line[high] = "├", "┤"
    line[value] = "●"
    return "".join(line).rstrip()


def _interval(difference: Difference) -> tuple[float, float, float]:
    return difference.low, difference.value, difference.high


# ---- More


def _print_many(compared: Comparison, levels: Sequence[str], whole: bool) -> None:
    row = compared.totals[0]
    order = sorted(range(len(compared.systems)), key=lambda place: _last_if_none(row.standings[place].rank))
    _print_ranking(compared, row, order)
    click.echo("\neach task: the score, and the ranks in 95% of the replicates\n")
    _print_tasks(compared, order)
    _print_matrix(row, order)
    for level in levels:
        number = len(compared.level(level))
        click.echo(f"\nin how many of {number} {_PLURALS[level]} a row's system is significantly ahead of a column's\n")
        _print_wins(compared, level, order)
    if whole:
        click.echo()
        _print_pairs(row, order)
    _warn_of_few_replicates(compared, len(row.differences))


def _last_if_none(rank: int | None) -> float:
    return float("inf") if rank is None else rank


def _print_ranking(compared: Comparison, row: RankedRow, order: Sequence[int]) -> None:
    """The systems in the order of ranks, with a gap between tie groups."""
    uneven = any(system.samples != compared.samples for system in compared.systems)
    table: list[Sequence[object]] = []
    group: int | None = None
    for number, place in enumerate(order, start=1):
        system, standing = compared.systems[place], row.standings[place]
        if number > 1 and standing.group != group:
            table.append([])
        group, score = standing.group, standing.score
        ends = "" if score.value is None else f"{score.low:.1f} to {score.high:.1f}"
        ranked = (standing.rank or "-", _ranks(standing), group)
        answered = [system.samples] * uneven
        table.append([number, _printable(system.name), _points(score.value), ends, *ranked, *answered])
    headers = ["#", "system", metric_cards()[compared.score].title, "95%", "rank", "95%", "group"]
    print_table([*headers, *["answered"] * uneven], table, right=(0, 2, 3, 4, 5, 6, 7))


def _ranks(standing: Standing) -> str:
    return "" if standing.rank is None else f"{standing.best}-{standing.worst}"


def _print_tasks(compared: Comparison, order: Sequence[int]) -> None:
    rows = compared.totals[1:]
    table: list[Sequence[object]] = []
    for number, place in enumerate(order, start=1):
        shown = [row.standings[place] for row in rows]
        table.append([number, *(f"{_points(each.score.value)}  {_ranks(each):>5}" for each in shown)])
    print_table(["#", *map(_title, rows)], table, right=range(len(rows) + 1))


def _print_matrix(row: RankedRow, order: Sequence[int]) -> None:
    """Who is better than whom: in points where there is room, else whether it is significant."""
    in_points = len(order) <= _NUMBERED_UP_TO
    if in_points:
        click.echo("\nby how many points a row's system is ahead of a column's; * significant\n")
    else:
        click.echo("\n▲ a row's system is significantly ahead of a column's, ▼ behind, · neither\n")

    def cell(first: int, second: int) -> str:
        difference = row.between(first, second)
        if difference is None:
            return "-"
        if in_points:
            return f"{difference.value:+.1f}{'*' if difference.significant else ' '}"
        return "·" if not difference.significant else "▲" if difference.value > 0 else "▼"

    _print_square(order, cell)


def _print_wins(compared: Comparison, level: str, order: Sequence[int]) -> None:
    _print_square(order, lambda first, second: str(compared.wins(level, first, second).significantly_ahead))


def _print_square(order: Sequence[int], cell: Callable[[int, int], str]) -> None:
    """A table of all pairs of systems, which stand as their numbers at its sides."""
    lines = [["", *(str(number) for number in range(1, len(order) + 1))]]
    for number, first in enumerate(order, start=1):
        lines.append([str(number), *("" if first == second else cell(first, second) for second in order)])
    width = max(len(text) for line in lines for text in line)
    for line in lines:
        click.echo(" ".join(f"{text:>{width}}" for text in line).rstrip())


def _print_pairs(row: RankedRow, order: Sequence[int]) -> None:
    table: list[tuple[object, ...]] = []
    for above, first in enumerate(order):
        for below, second in enumerate(order[above + 1 :], start=above + 1):
            if difference := row.between(first, second):
                interval = f"{difference.low:+.1f} to {difference.high:+.1f}"
                p = (_p(difference.p), _p(difference.adjusted))
                table.append((f"{above + 1} - {below + 1}", f"{difference.value:+.1f}", interval, *p))
    print_table(("#", "difference", "95%", "p", "p (Holm)"), table, right=(1, 2, 3, 4))


def _warn_of_few_replicates(compared: Comparison, tests: int) -> None:
    needed = replicates_needed(tests)
    if compared.replicates < needed:
        warn(
            f"of {tests} tests together none can be significant with {compared.replicates} replicates; "
            f"take --replicates {needed}"
        )
