"""The paper beside what can be built: numbers by hand on cards of our own, and sums that hold for the real ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from massie.build import Coverage, coverage_of
from massie.build.standing import Reason
from massie.catalogue import Access, Catalogue, Published, Status, languages, published
from massie.sources import SourceStore
from massie.types import BuildError, Split, Task

FIGURES = Published(
    paper="nobody, 2026",
    languages=96,
    families=18,
    datasets={Task.NER: 6, Task.RE: 1, Task.SF: 1, Task.ED: 1, Task.EE: 1},
    datasets_in_all=6,
    samples={"own": {task: dict.fromkeys(Split, 10) for task in Task}},
)


@pytest.fixture
def waters(workshop: Any, line: Any) -> Any:
    """Of six datasets of the paper two are ready, two untested, two described; a ready one is not the paper's."""
    paper: dict[str, Any] = {"in_paper": True}
    workshop.dataset(
        "rivers",
        [
            line("Mto Nile", ("RIV", "Nile")),
            line("Hakuna mto hapa"),
            line("Mto Kongo", ("RIV", "Kongo"), split="train"),
            line("Der Rhein", ("RIV", "Rhein"), language="deu"),
        ],
        counts={"swa": {"test": {"texts": 2, "annotations": 1}, "train": {"texts": 1, "annotations": 1}}},
        **paper,
    )
    source = {"path": "a folder of our own", "files": [{"splits": ["train"], "path": "texts.jsonl"}]}
    workshop.dataset(
        "lakes", [line("Ziwa Chad", split="train")], languages=["hau"], source=source, gap="A sample.", **paper
    )
    workshop.dataset("springs", [], languages=["yor"], status="untested", **paper)
    source = {"github": "a/b", "commit": "0" * 40, "files": [{"splits": ["test"], "path": "{lang}"}]}
    workshop.dataset("wells", [], languages=["yor", "ibo"], status="untested", source=source, gap="Dry.", **paper)
    bare: dict[str, Any] = {"status": "described", "source": None, "reader": None, "entities": {}} | paper
    workshop.dataset("oceans", [], languages=["isl", "ibo"], access="LDC", **bare)
    workshop.dataset("seas", [], languages=["isl"], gap="Only a pickle is published.", **bare)
    workshop.dataset("ponds", [line("Dimbwi", language="isl")], languages=["isl", "lin"])
    return workshop


def found(waters: Any, **more: Any) -> Coverage:
    return coverage_of(waters.catalogue, more.pop("store", waters.store), figures=FIGURES, **more)


def task(coverage: Coverage, of: Task | None) -> Any:
    return next(row for row in coverage.tasks if row.task is of)


def of_language(coverage: Coverage, code: str) -> Any:
    return next(entry for entry in coverage.languages if entry.code == code)


def reasons(coverage: Coverage) -> list[tuple[str, str, int, int]]:
    return [(lack.dataset, lack.reason, lack.cells, lack.of) for lack in coverage.lacks]


def named(splits: Iterable[Any], split: Split) -> dict[str, list[str]]:
    return {lack.dataset: lack.languages for lack in splits if lack.split is split}


def test_datasets_of_a_task_are_counted_by_how_far_they_have_come(waters: Any) -> None:
    row = task(found(waters), Task.NER)
    assert (row.published, row.ready, row.untested, row.described) == (6, 2, 2, 2)
    assert (row.tested, row.buildable, row.texts) == (1, 2, 3)
    assert task(found(waters), Task.RE).ready == 0


def test_a_dataset_of_two_tasks_is_counted_in_both_and_once_in_all(waters: Any) -> None:
    bare = {"status": "described", "source": None, "reader": None, "entities": {}, "in_paper": True}
    waters.dataset("floods", [], tasks=["ED", "EE"], **bare)
    coverage = found(waters)
    assert [task(coverage, of).described for of in (Task.ED, Task.EE, None)] == [1, 1, 3]


def test_a_language_is_reached_by_ready_datasets_of_the_paper_with_a_test_split(waters: Any) -> None:
    coverage = found(waters)
    assert of_language(coverage, "swa").datasets == ["rivers"]
    assert {entry.code for entry in coverage.languages if entry.datasets} == {"swa", "deu"}
    assert len(coverage.languages) == 96


def test_a_language_that_is_not_reached_names_what_would_bring_it(waters: Any) -> None:
    coverage = found(waters)
    assert of_language(coverage, "ibo").waiting == {"oceans": Status.DESCRIBED, "wells": Status.UNTESTED}
    assert of_language(coverage, "hau").waiting == {"lakes": Status.READY}
    icelandic = of_language(coverage, "isl")
    assert (icelandic.datasets, icelandic.others) == ([], ["ponds"])


def test_finer_codes_and_code_switched_data_reach_the_languages_that_they_count_under(waters: Any, line: Any) -> None:
    lines = [line("Oued", language="arq"), line("Nadi river", language="eng+hin")]
    waters.dataset("deltas", lines, languages=["arq", "eng+hin"], in_paper=True)
    coverage = found(waters)
    assert all(of_language(coverage, code).datasets == ["deltas"] for code in ("ara", "eng", "hin"))


def test_every_gap_has_its_reason_and_the_cards_own_sentence_where_it_has_one(waters: Any) -> None:
    coverage = found(waters)
    assert reasons(coverage) == [
        ("oceans", Reason.LDC, 0, 0),
        ("seas", Reason.NO_READER, 0, 0),
        ("springs", Reason.BRING, 3, 3),
        ("wells", Reason.UNTESTED, 2, 2),
        ("lakes", Reason.IN_PART, 0, 1),
    ]
    sentences = {lack.dataset: lack.sentence for lack in coverage.lacks}
    assert sentences["seas"] == "Only a pickle is published."
    assert (sentences["wells"], sentences["lakes"]) == ("Dry.", "A sample.")
    assert "Linguistic Data Consortium" in sentences["oceans"]


@pytest.mark.parametrize(
    ("access", "reason"),
    [
        (Access.LDC, Reason.LDC),
        (Access.ON_REQUEST, Reason.ON_REQUEST),
        (Access.UNKNOWN, Reason.UNSTATED),
        (Access.OPEN, Reason.NO_READER),
    ],
)
def test_a_described_dataset_is_kept_away_by_its_access(waters: Any, access: Access, reason: Reason) -> None:
    bare = {"status": "described", "source": None, "reader": None, "entities": {}, "in_paper": True}
    waters.dataset("floods", [], access=access, **bare)
    assert ("floods", reason, 0, 0) in reasons(found(waters))


def test_files_that_the_user_has_not_brought_are_gaps_and_take_their_languages_away(waters: Any) -> None:
    coverage = found(waters, store=replace(waters.store, raw=None))
    assert ("rivers", Reason.BRING, 6, 6) in reasons(coverage)
    assert task(coverage, Task.NER).buildable == 0
    assert of_language(coverage, "swa").waiting == {"rivers": Status.READY}


def test_files_that_a_mirror_lacks_are_not_at_hand(waters: Any, tmp_path: Any) -> None:
    source = {"github": "a/b", "commit": "0" * 40, "files": [{"splits": ["test"], "path": "{lang}"}]}
    waters.dataset("falls", [], languages=["yor", "ibo"], source=source, in_paper=True)
    place = tmp_path / "mirror" / "raw.githubusercontent.com" / "a" / "b" / ("0" * 40)
    place.mkdir(parents=True)
    (place / "yor").write_text("", encoding="utf-8")
    with_mirror = found(waters, store=replace(waters.store, mirror=tmp_path / "mirror"))
    assert ("falls", Reason.NOT_AT_HAND, 1, 2) in reasons(with_mirror)
    assert of_language(with_mirror, "yor").datasets == ["falls"]
    assert of_language(with_mirror, "ibo").datasets == []
    assert of_language(found(waters), "ibo").datasets == ["falls"]


def test_splits_that_a_ready_dataset_lacks_are_named_with_their_languages(waters: Any, line: Any) -> None:
    files = [{"splits": ["train", "test"], "path": "texts.jsonl", "languages": ["swa"]}]
    files.append({"splits": ["test"], "path": "texts.jsonl", "languages": ["deu"]})
    waters.dataset("rivers", [], source={"path": "a folder of our own", "files": files}, in_paper=True)
    splits = found(waters).splits
    assert named(splits, Split.TRAIN) == {"rivers": ["deu"]}
    assert named(splits, Split.DEV) == {"lakes": ["hau"], "rivers": ["swa", "deu"]}
    assert named(splits, Split.TEST) == {"lakes": ["hau"]}


def test_splits_that_the_card_makes_are_not_lacking(waters: Any) -> None:
    source = {"path": "a folder of our own", "files": [{"splits": ["all"], "path": "texts.jsonl"}]}
    made = [{"of": "all", "shares": {"train": 0.5, "test": 0.5}}]
    waters.dataset("rivers", [], source=source, splits=made, in_paper=True)
    assert "rivers" not in named(found(waters).splits, Split.TEST)
    assert of_language(found(waters), "deu").datasets == ["rivers"]


def test_samples_of_a_build_stand_beside_the_published_ones(waters: Any) -> None:
    coverage = found(waters, manifest=waters.build(datasets=["rivers", "ponds"]).manifest)
    rows = {(row.task, row.split): row for row in coverage.samples}
    test = rows[Task.NER, Split.TEST]
    assert (test.published, test.samples, test.with_gold, test.instances, test.cells) == (10, 3, 2, 3, 2)
    assert test.percent == 30.0
    assert rows[None, Split.TEST].published == 50
    assert rows[None, Split.TEST].percent == 6.0
    assert rows[Task.EE, Split.DEV].samples == 0
    assert of_language(coverage, "swa").samples == {Split.TRAIN: 1, Split.TEST: 2}
    assert of_language(coverage, "isl").samples == {}, "ponds is not one of the paper's datasets"


def test_without_a_build_there_are_no_samples(waters: Any) -> None:
    coverage = found(waters)
    assert (coverage.benchmark, coverage.digest, coverage.samples) == (None, None, [])


def test_what_a_build_lacks_is_told_from_its_gaps(waters: Any, line: Any) -> None:
    (waters.folder / "raw" / "lakes" / "texts.jsonl").write_text("no JSON\n", encoding="utf-8")
    coverage = found(waters, manifest=waters.build(datasets=["rivers", "lakes"]).manifest)
    (failed,) = [lack for lack in coverage.lacks if lack.reason is Reason.FAILED]
    assert (failed.dataset, failed.cells, failed.of) == ("lakes", 1, 1)
    assert "texts.jsonl" in failed.sentence
    assert task(coverage, Task.NER).buildable == 1


def test_what_a_build_was_made_without_is_left_out(waters: Any) -> None:
    coverage = found(waters, manifest=waters.build(datasets=["rivers"], languages=["swa"]).manifest)
    assert ("lakes", Reason.LEFT_OUT, 1, 1) in reasons(coverage)
    assert ("rivers", Reason.LEFT_OUT, 3, 6) in reasons(coverage)
    assert of_language(coverage, "deu").waiting == {"rivers": Status.READY}


def test_an_untested_dataset_that_was_built_all_the_same_is_no_gap(waters: Any, line: Any) -> None:
    waters.dataset("springs", [line("Isun", language="yor")], languages=["yor"], status="untested", in_paper=True)
    coverage = found(waters, manifest=waters.build(datasets=["rivers", "springs"]).manifest)
    assert "springs" not in {dataset for dataset, *_ in reasons(coverage)}
    assert of_language(coverage, "yor").datasets == ["springs"]


def test_a_build_of_another_benchmark_has_nothing_to_be_compared_with(waters: Any) -> None:
    manifest = waters.build(datasets=["rivers"]).manifest.model_copy(update={"benchmark": "m-demo"})
    with pytest.raises(BuildError, match="a build of m-demo has nothing to be compared with: the paper prints"):
        found(waters, manifest=manifest)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Coverage:
    return coverage_of(Catalogue.default(), SourceStore(cache=tmp_path_factory.mktemp("cache")))


def test_the_215_datasets_are_ready_untested_or_described(real: Coverage) -> None:
    assert task(real, None).published == 215
    for row in real.tasks:
        assert row.ready + row.untested + row.described == row.published, row.task


def test_every_language_of_appendix_k_is_reached_or_has_datasets_that_would_bring_it(real: Coverage) -> None:
    assert [entry.code for entry in real.languages] == [code for code, e in languages().items() if e.in_paper]
    assert len(real.languages) == published().languages
    for entry in real.languages:
        assert bool(entry.datasets) != bool(entry.waiting), entry.code


def test_every_dataset_that_is_not_ready_has_one_reason_and_every_reason_a_sentence(real: Coverage) -> None:
    waiting = [lack.dataset for lack in real.lacks if lack.status is not Status.READY]
    assert sorted(waiting) == sorted(
        card.id for card in Catalogue.default().cards() if card.in_paper and card.status is not Status.READY
    )
    assert all(lack.sentence for lack in real.lacks)


def test_the_demo_stands_in_for_no_dataset(real: Coverage) -> None:
    assert not [name for entry in real.languages for name in entry.others if name.startswith("demo-")]
