"""Benchmark definitions: the numbers of the papers, what a file can say, and files that do not validate."""

from __future__ import annotations

from pathlib import Path

import pytest

from massie.catalogue import Access, Aggregation, BenchmarkDefinition, Caps, Card, Catalogue, Over
from massie.types import ContentError, Split

RIVERS = """\
id: rivers
name: Rivers
tasks: [NER]
status: ready
in_paper: false
languages: [swa, deu]
licence: {spdx: CC0-1.0, redistributable: true}
access: open
citation: nobody, 2026
homepage: null
source: {path: a folder of our own, files: [{splits: [dev, test], path: texts.jsonl}]}
reader: {name: jsonl}
entities: {RIV: {name: river}}
"""


def benchmark_of(folder: Path, text: str, name: str = "own", card: str = RIVERS) -> BenchmarkDefinition:
    (folder / "benchmarks").mkdir()
    (folder / "benchmarks" / f"{name}.yaml").write_text(text, encoding="utf-8")
    (folder / "rivers.yaml").write_text(card, encoding="utf-8")
    return Catalogue((folder,)).benchmark(name)


def test_m_light_has_the_papers_caps_and_batches_of_six():
    light = Catalogue.default().benchmark("m-light")
    assert light.caps == {
        Split.TRAIN: Caps(empty=10_000, with_gold=3_000),
        Split.DEV: Caps(empty=100, with_gold=30),
        Split.TEST: Caps(empty=1_000, with_gold=300),
    }
    assert light.schemas_per_sample == 6


def test_m_heavy_takes_everything():
    heavy = Catalogue.default().benchmark("m-heavy")
    assert heavy.caps is None
    assert heavy.datasets is None


def test_draws_are_keyed_by_version_and_seed_so_that_m_light_is_part_of_m_heavy():
    catalogue = Catalogue.default()
    light, heavy = catalogue.benchmark("m-light"), catalogue.benchmark("m-heavy")
    assert light.key == heavy.key
    assert light.model_copy(update={"seed": 1}).key != light.key
    assert light.model_copy(update={"version": "2"}).key != light.key


def test_only_m_demo_needs_no_building():
    catalogue = Catalogue.default()
    assert [name for name in catalogue.benchmark_paths if catalogue.benchmark(name).bundled] == ["m-demo"]


# ---- Other benchmarks of the project


def cards_of(name: str) -> list[Card]:
    catalogue = Catalogue.default()
    return [catalogue.card(dataset) for dataset in catalogue.datasets_of(catalogue.benchmark(name))]


def test_m_light_open_has_the_datasets_of_m_light_that_anyone_may_fetch_and_pass_on():
    opened = {card.id for card in cards_of("m-light-open")}
    assert opened == {card.id for card in cards_of("m-light") if card.licence.redistributable and card.fetchable}
    assert opened
    assert all(card.access is Access.OPEN for card in cards_of("m-light-open"))


def test_m_light_open_is_made_as_m_light_is():
    catalogue = Catalogue.default()
    light, opened = catalogue.benchmark("m-light"), catalogue.benchmark("m-light-open")
    for field in ("version", "seed", "caps", "schemas_per_sample", "splits", "aggregation", "negatives"):
        assert getattr(opened, field) == getattr(light, field), field


def test_otter_is_evaluated_as_its_paper_says():
    otter = Catalogue.default().benchmark("otter")
    assert otter.splits == [Split.TEST]
    assert otter.caps == {Split.TEST: Caps(instances=1000)}
    assert otter.schemas_per_sample is None
    assert (otter.aggregation.score, otter.aggregation.over) == ("micro_f1", Over.DATASETS)


def test_otter_holds_the_19_datasets_of_universal_ner_in_13_languages_for_one():
    catalogue = Catalogue.default()
    uner = [catalogue.card(dataset) for dataset in catalogue.benchmark("otter").aggregation.as_one["UNER"]]
    assert sum(len(card.languages) for card in uner) == 19
    assert len({language for card in uner for language in card.languages}) == 13
    assert {card.id for card in uner} == {dataset for dataset in catalogue.card_paths if dataset.endswith("-uner")}


@pytest.mark.parametrize(("name", "datasets"), [("otter", 7), ("crossner-mit", 7), ("instructuie-20", 20)])
def test_what_a_paper_evaluates_on_is_here_or_named_as_lacking(name: str, datasets: int):
    definition = Catalogue.default().benchmark(name)
    here = {definition.aggregation.dataset_of(dataset) for dataset in definition.datasets or []}
    assert len(here | set(definition.lacks)) == datasets


def test_what_a_benchmark_lacks_could_not_be_built():
    """Fails once a card comes that brings it: then it goes from ``lacks`` to ``datasets``."""
    catalogue = Catalogue.default()
    for name in catalogue.benchmark_paths:
        definition = catalogue.benchmark(name)
        tasks = {task for card in cards_of(name) for task in card.tasks}
        for dataset in set(definition.lacks) & set(catalogue.card_paths) - set(definition.datasets or []):
            card = catalogue.card(dataset)
            assert definition.fault_with(card) or not tasks & set(card.tasks), f"{name} may take {dataset}"


# ---- What a file says


WHOLE = 'id: own\nname: Own\nversion: "1"\nsummary: mine\ndatasets: [rivers]\n'


def test_a_definition_of_the_users_own_is_read(tmp_path: Path):
    assert benchmark_of(tmp_path, WHOLE).datasets == ["rivers"]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (WHOLE + "cap: null\n", "cap: unknown key"),
        (WHOLE + "caps: {tset: {empty: 1, with_gold: 1}}\n", r"caps\.tset"),
        (WHOLE + "caps: {test: {empty: -1, with_gold: 1}}\n", r"caps\.test\.empty"),
        (WHOLE + "schemas_per_sample: 0\n", "schemas_per_sample"),
        (WHOLE.replace('"1"', "1"), "version"),
        ("id: own\n", "name: this key is missing"),
        (WHOLE.replace("[rivers]", "[rivers, rivers]"), ".*datasets: named twice: rivers"),
        (WHOLE.replace("rivers", "revirs"), "unknown dataset 'revirs'; did you mean 'rivers'"),
        (WHOLE + "only: {fetchable: true}\n", ".*only: .* needs datasets: null"),
        (WHOLE + "only: {spdx: MIT}\n", r"only\.spdx: unknown key"),
        (WHOLE + "splits: [dev]\n", ".*splits: must have test"),
        (WHOLE + "splits: [test, tset]\n", r"splits\.1"),
        (WHOLE + "splits: [test]\ncaps: {train: {empty: 1}}\n", ".*caps: .* leaves out: train"),
        (WHOLE + "languages: {rivers: [fin]}\n", r"languages\.rivers: unknown language 'fin'; known: deu, swa"),
        (WHOLE + "languages: {lakes: [deu]}\n", ".*languages or as_one name what 'datasets' does not: lakes"),
        (WHOLE.replace("[rivers]", "null") + "languages: {lakes: [deu]}\n", "unknown dataset 'lakes'"),
        (WHOLE + "aggregation: {score: lf2}\n", r"aggregation\.score: no such score; there are lf1, f1"),
        (WHOLE + "aggregation: {score: invalid_rate}\n", r"aggregation\.score: no such score"),
        (WHOLE + "aggregation: {score: sacrebleu}\n", r"aggregation\.score: no such score"),
        (WHOLE + "aggregation: {over: samples}\n", r"aggregation\.over"),
        (WHOLE + "aggregation: {as_one: {A: [rivers]}}\n", "aggregation: .* needs over: datasets"),
        (
            WHOLE + "aggregation: {over: datasets, as_one: {A: [rivers], B: [rivers]}}\n",
            "aggregation: as_one names a dataset twice: rivers",
        ),
        (WHOLE + "aggregation: {over: datasets, as_one: {A: [lakes]}}\n", ".*what 'datasets' does not: lakes"),
    ],
)
def test_a_fault_names_file_and_field(tmp_path: Path, text: str, field: str):
    with pytest.raises(ContentError, match=rf"own\.yaml: {field}"):
        benchmark_of(tmp_path, text)


def test_a_file_says_all_that_a_benchmark_is(tmp_path: Path):
    definition = benchmark_of(
        tmp_path,
        WHOLE
        + """\
languages: {rivers: [deu]}
splits: [test]
caps: {test: {instances: 5}}
schemas_per_sample: null
aggregation: {score: micro_f1, over: datasets, as_one: {Waters: [rivers]}}
lacks: {lakes: their owner keeps them}
""",
    )
    card = Catalogue((tmp_path,)).card("rivers")
    assert list(definition.raw_cells(card)) == [("deu", "test")]
    assert [split for split in Split if definition.has(split)] == [Split.TEST]
    assert definition.aggregation == Aggregation(score="micro_f1", over=Over.DATASETS, as_one={"Waters": ["rivers"]})
    assert definition.aggregation.dataset_of("rivers") == "Waters"
    assert definition.aggregation.dataset_of("ponds") == "ponds"
    assert definition.lacks == {"lakes": "their owner keeps them"}


def test_a_file_that_says_nothing_of_them_has_all_splits_and_languages_and_the_papers_aggregation(tmp_path: Path):
    definition = benchmark_of(tmp_path, WHOLE)
    card = Catalogue((tmp_path,)).card("rivers")
    assert list(definition.raw_cells(card)) == list(card.raw_cells())
    assert (definition.aggregation.score, definition.aggregation.over) == ("lf1", Over.INSTANCES)
    assert definition.lacks == {}


DESCRIBED = "".join(line for line in RIVERS.splitlines(True) if not line.startswith(("source", "reader")))


@pytest.mark.parametrize(
    ("card", "more", "fault"),
    [
        (DESCRIBED.replace("ready", "described"), "", "the card of rivers only describes it; name it under 'lacks'"),
        (RIVERS.replace("[dev, test]", "[dev]"), "splits: [test]\n", "rivers has no files for any of the splits"),
    ],
)
def test_a_dataset_that_cannot_be_built_is_no_dataset_of_a_benchmark(tmp_path: Path, card: str, more: str, fault: str):
    with pytest.raises(ContentError, match=rf"own\.yaml: datasets: {fault}"):
        benchmark_of(tmp_path, WHOLE + more, card=card)


def test_a_split_that_is_made_is_a_split_of_the_benchmark(tmp_path: Path):
    made = RIVERS.replace("[dev, test]", "[all]") + "splits: [{of: all, shares: {train: 0.5, test: 0.5}}]\n"
    definition = benchmark_of(tmp_path, WHOLE + "splits: [test]\n", card=made)
    card = Catalogue((tmp_path,)).card("rivers")
    assert list(definition.raw_cells(card)) == [("swa", "all"), ("deu", "all")]
    assert definition.splits_of(card, "all") == [Split.TEST]


@pytest.mark.parametrize(
    ("more", "taken"),
    [
        ("", {"bound", "brought", "free"}),
        ("only: {redistributable: true}\n", {"brought", "free"}),
        ("only: {fetchable: true}\n", {"bound", "free"}),
        ("only: {redistributable: true, fetchable: true}\n", {"free"}),
        ("only: {redistributable: false}\n", {"bound"}),
    ],
)
def test_only_takes_the_ready_datasets_of_the_paper_by_what_their_cards_say(tmp_path: Path, more: str, taken: set[str]):
    bundled = RIVERS.replace("in_paper: false", "in_paper: true").replace("path: a folder of our own", "bundled: demo")
    brought = bundled.replace("bundled: demo", "path: a folder of our own")
    cards = {
        "free": bundled,
        "bound": bundled.replace("redistributable: true", "redistributable: false"),
        "brought": brought,
        "asked": brought.replace("access: open", "access: on request").replace("ready", "untested"),
    }
    for name, card in cards.items():
        (tmp_path / f"{name}.yaml").write_text(card.replace("id: rivers", f"id: {name}"), encoding="utf-8")
    definition = benchmark_of(tmp_path, WHOLE.replace("[rivers]", "null") + more)
    assert set(Catalogue((tmp_path,)).datasets_of(definition)) == taken


def test_the_file_is_called_as_the_id(tmp_path: Path):
    with pytest.raises(ContentError, match="'own', but the file is called 'other'"):
        benchmark_of(tmp_path, WHOLE, "other")
