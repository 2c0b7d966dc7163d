"""What the paper has beside what can be built: datasets, languages and samples, with the reason for each gap.

The paper's figures are its table 1 and appendices K and L. Appendix J shows the samples by language and by family as
charts without numbers, so that of these only our own can be given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from massie.build.manifest import CellEntry, Manifest
from massie.build.standing import REASON_OF_ACCESS, SENTENCES, Reason, Standing, at_hand, built_standing
from massie.catalogue import Access, Card, Catalogue, Published, Status, counted_under, languages, published
from massie.sources import SourceStore
from massie.types import BuildError, Split, Task


@dataclass(frozen=True, slots=True)
class TaskCoverage:
    """How many datasets of the paper a task has (None: all tasks, each dataset once), by how far they have come.

    ``tested`` are the ready ones that have a test split, ``buildable`` those of which something can be built here (or
    is in the build). ``texts`` are those counted in the raw files of the ready ones.
    """

    task: Task | None
    published: int
    ready: int
    untested: int
    described: int
    tested: int
    buildable: int
    texts: int


@dataclass(frozen=True, slots=True)
class LanguageCoverage:
    """One of the paper's languages, with what counts under it.

    ``datasets`` have a test cell that can be built (or is built), as have ``others``, which are not the paper's. Where
    there is none of the first, ``waiting`` are the paper's datasets that would bring one. ``samples`` and ``instances``
    are those of the build; code-switched data count under both their languages.
    """

    code: str
    name: str
    family: str
    datasets: list[str]
    others: list[str]
    waiting: dict[str, Status]
    samples: dict[Split, int]
    instances: dict[Split, int]


@dataclass(frozen=True, slots=True)
class SampleCoverage:
    """The samples of a task (None: of all) and split that table 1 prints, beside those of the build."""

    task: Task | None
    split: Split
    published: int
    samples: int
    percent: float
    with_gold: int
    instances: int
    cells: int


@dataclass(frozen=True, slots=True)
class Lack:
    """Why a dataset of the paper cannot be built, or ``cells`` of its ``of`` pairs of language and raw split cannot.

    Both are 0 where its card has no reader; ``cells`` is 0 where all can be built but the card names a ``gap``.
    """

    dataset: str
    name: str
    tasks: list[Task]
    languages: list[str]
    status: Status
    access: Access
    homepage: str | None
    reason: Reason
    sentence: str
    cells: int
    of: int


@dataclass(frozen=True, slots=True)
class SplitLack:
    """A split that the source of a ready dataset does not have in some of the ``of`` languages of its card."""

    split: Split
    dataset: str
    languages: list[str]
    of: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """The whole comparison; ``samples`` is empty without a build."""

    benchmark: str | None
    digest: str | None
    tasks: list[TaskCoverage]
    samples: list[SampleCoverage]
    languages: list[LanguageCoverage]
    lacks: list[Lack]
    splits: list[SplitLack]


def coverage_of(
    catalogue: Catalogue, store: SourceStore, manifest: Manifest | None = None, figures: Published | None = None
) -> Coverage:
    """The paper's collection beside what the catalogue can build: with the files of ``store``, or as a build has it.

    Raises BuildError for a build of a benchmark of which the paper prints no samples.
    """
    figures = figures or published()
    if manifest and manifest.benchmark not in figures.samples:
        raise BuildError(
            f"a build of {manifest.benchmark} has nothing to be compared with: the paper prints the samples of "
            f"{' and '.join(figures.samples)} (table 1)"
        )
    # What is bundled was written for this project, to be small: it stands in for no dataset of real texts.
    cards = [card for card in catalogue.cards() if not (card.source and card.source.bundled)]
    every = [built_standing(card, manifest) if manifest else at_hand(card, store) for card in cards]
    ours = [standing for standing in every if standing.card.in_paper]
    ids = {standing.card.id for standing in ours}
    entries = [entry for entry in manifest.cells if entry.dataset in ids] if manifest else []
    return Coverage(
        benchmark=manifest.benchmark if manifest else None,
        digest=manifest.digest if manifest else None,
        tasks=[_task_coverage(task, ours, figures) for task in (*Task, None)],
        samples=[*_sample_coverage(entries, figures.samples[manifest.benchmark])] if manifest else [],
        languages=[_language_coverage(code, every, entries) for code, entry in languages().items() if entry.in_paper],
        lacks=sorted(
            (lack for standing in ours for lack in _lacks(standing)),
            key=lambda lack: ([*Reason].index(lack.reason), lack.dataset),
        ),
        splits=[lack for split in Split for standing in ours for lack in _split_lacks(standing.card, split)],
    )


def _task_coverage(task: Task | None, ours: Iterable[Standing], figures: Published) -> TaskCoverage:
    mine = [standing for standing in ours if task is None or task in standing.card.tasks]
    ready = [standing.card for standing in mine if standing.card.status is Status.READY]
    return TaskCoverage(
        task=task,
        published=figures.datasets[task] if task else figures.datasets_in_all,
        ready=len(ready),
        untested=sum(standing.card.status is Status.UNTESTED for standing in mine),
        described=sum(standing.card.status is Status.DESCRIBED for standing in mine),
        tested=sum(any(Split.TEST in card.splits_of(raw_split) for raw_split in card.raw_splits()) for card in ready),
        buildable=sum(standing.buildable for standing in mine),
        texts=sum(counts.texts for card in ready for splits in card.counts.values() for counts in splits.values()),
    )


def _sample_coverage(entries: Sequence[CellEntry], printed: dict[Task, dict[Split, int]]) -> Iterator[SampleCoverage]:
    for task in (*Task, None):
        for split in Split:
            cells = [entry for entry in entries if entry.split is split and task in (None, entry.task)]
            of_paper = sum(printed[each][split] for each in ([task] if task else printed))
            samples = sum(cell.samples for cell in cells)
            yield SampleCoverage(
                task=task,
                split=split,
                published=of_paper,
                samples=samples,
                percent=round(100 * samples / of_paper, 2),
                with_gold=sum(cell.samples_with_gold for cell in cells),
                instances=sum(cell.instances for cell in cells),
                cells=sum(cell.samples > 0 for cell in cells),
            )


def _language_coverage(code: str, every: Iterable[Standing], entries: Iterable[CellEntry]) -> LanguageCoverage:
    mine = [standing for standing in every if _has(standing.card.languages, code)]
    reached = [standing.card for standing in mine if _has(standing.tested, code)]
    ours = [card.id for card in reached if card.in_paper]
    samples, instances = Counter[Split](), Counter[Split]()
    for entry in entries:
        if code in counted_under(entry.language):
            samples[entry.split] += entry.samples
            instances[entry.split] += entry.instances
    return LanguageCoverage(
        code=code,
        name=languages()[code].name,
        family=languages()[code].family,
        datasets=ours,
        others=[card.id for card in reached if not card.in_paper],
        waiting={} if ours else {each.card.id: each.card.status for each in mine if each.card.in_paper},
        samples={split: samples[split] for split in Split if samples[split]},
        instances={split: instances[split] for split in Split if instances[split]},
    )


def _has(codes: Iterable[str], code: str) -> bool:
    """Whether some of these languages count under a code of the paper."""
    return any(code in counted_under(each) for each in codes)


def _lacks(standing: Standing) -> Iterator[Lack]:
    """One for each reason; a failure is told in the words of its first cell."""
    card = standing.card
    if card.status is Status.DESCRIBED:
        reason = REASON_OF_ACCESS[card.access]
        yield _lack(standing, reason, card.gap or SENTENCES[reason], 0)
    if card.status is Status.READY and card.gap:
        yield _lack(standing, Reason.IN_PART, card.gap, 0)
    cells = Counter(reason for reason, _ in standing.missing.values())
    sentences = dict(reversed(standing.missing.values()))
    for reason, number in cells.items():
        yield _lack(standing, reason, sentences[reason], number)


def _lack(standing: Standing, reason: Reason, sentence: str, cells: int) -> Lack:
    card = standing.card
    return Lack(
        dataset=card.id,
        name=card.name,
        tasks=card.tasks,
        languages=card.languages,
        status=card.status,
        access=card.access,
        homepage=card.homepage,
        reason=reason,
        sentence=sentence,
        cells=cells,
        of=standing.raw_cells,
    )


def _split_lacks(card: Card, split: Split) -> Iterator[SplitLack]:
    if card.status is not Status.READY:
        return
    given = {language for language, raw_split in card.raw_cells() if split in card.splits_of(raw_split)}
    if lacking_it := [language for language in card.languages if language not in given]:
        yield SplitLack(split, card.id, lacking_it, len(card.languages))
