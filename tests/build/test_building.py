"""Building: from cards and raw files to a folder with Parquet files and a manifest, whole or not at all."""

from __future__ import annotations

import io
import json
import random
import tarfile
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from massie.build import Benchmark, Build, Manifest, Plan, build, build_to, chosen_cards, jobs, read_manifest
from massie.catalogue import Catalogue
from massie.sources import SourceStore
from massie.types import BuildError, Cell, ContentError, Mention, Span, Split, Task, UnknownNameError

RIVER = "Mto Nile unapita Kairo"


@pytest.fixture
def rivers(workshop: Any, line: Any) -> Any:
    """Two datasets in two languages, with train texts in both and a train text that is a test text of the other."""
    workshop.dataset(
        "rivers",
        [
            line(RIVER, ("RIV", "Nile"), ("TOWN", "Kairo")),
            line("Hakuna mto hapa"),
            line("Der Rhein bei Bonn", ("RIV", "Rhein"), ("TOWN", "Bonn"), language="deu"),
            line("Mto Kongo ni mrefu", ("RIV", "Kongo"), split="train"),
            line("Ziwa Chad", ("LAKE", "Chad"), split="train"),
            line("Am Bodensee", ("LAKE", "Bodensee"), language="deu", split="dev"),
        ],
    )
    workshop.dataset(
        "waters",
        [
            line("Mto Kongo ni mrefu", ("RIV", "Kongo"), split="train"),
            line("Mto  Nile unapita Kairo", ("RIV", "Nile"), split="train"),
            line("Ziwa Viktoria", ("LAKE", "Viktoria"), split="train"),
            line("Ziwa Rukwa", ("LAKE", "Rukwa")),
        ],
        languages=["swa"],
    )
    return workshop


def tree(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def entry(built: Build, dataset: str, language: str, split: Split) -> Any:
    (found,) = [each for each in built.manifest.cells if (*each.cell[1:], each.split) == (dataset, language, split)]
    return found


def counts(manifest: Manifest) -> list[Any]:
    """All that a manifest says of its cells but the places of what was dropped."""
    return [cell.model_dump(exclude={"places"}) for cell in manifest.cells]


def test_every_cell_and_split_of_the_cards_is_in_the_manifest_with_its_counts(rivers: Any):
    built = rivers.build()
    assert not built.manifest.gaps
    assert len(built.manifest.cells) == (2 + 1) * 3
    test = entry(built, "rivers", "swa", Split.TEST)
    assert (test.instances, test.samples, test.samples_with_gold) == (2, 2, 1)
    assert test.texts == {"read": 2, "validate, merge, refine": 2, "de-duplicate": 2, "de-contaminate": 2}
    assert test.records == {"read": 2, "validate, merge, refine": 2, "de-duplicate": 2, "de-contaminate": 2}


def test_train_is_rid_of_texts_of_other_datasets_and_of_test_texts_and_both_are_counted(rivers: Any):
    built = rivers.build()
    train = entry(built, "waters", "swa", Split.TRAIN)
    assert train.dropped == {"text that is also a test text": 1, "train text that another dataset has": 1}
    assert train.texts == {"read": 3, "validate, merge, refine": 3, "de-duplicate": 2, "de-contaminate": 1}
    texts = [instance.text for instance in built.cells[Cell(Task.NER, "waters", "swa"), Split.TRAIN].instances]
    assert texts == ["Ziwa Viktoria"]


def test_the_manifest_says_source_licence_and_schemas(rivers: Any):
    dataset = rivers.build().manifest.datasets["rivers"]
    assert dataset.pin == "brought by the user: a folder of our own"
    assert dataset.licence.spdx == "CC0-1.0"
    assert [schema.name for schema in dataset.schemas[Task.NER]] == ["river", "lake", "town"]


def test_the_manifest_counts_what_datasets_share_by_pairs(rivers: Any):
    assert [overlap.model_dump() for overlap in rivers.build().manifest.overlaps] == [
        {
            "reason": reason,
            "task": Task.NER,
            "dataset": "waters",
            "other": "rivers",
            "texts": 1,
            "removed": True,
        }
        for reason in ("text that is also a test text", "train text that another dataset has")
    ]
    assert not rivers.build(datasets=["rivers"]).manifest.overlaps


def test_a_cell_without_texts_is_counted_all_the_same(rivers: Any, tmp_path: Path):
    nothing = {"read": 0, "validate, merge, refine": 0, "de-duplicate": 0, "de-contaminate": 0}
    for cell in (entry(rivers.build(), "waters", "swa", Split.DEV), rivers.build_to(tmp_path / "out").cells[6]):
        assert (cell.dataset, cell.language, cell.split) == ("waters", "swa", Split.DEV)
        assert (cell.instances, cell.samples, cell.samples_with_gold) == (0, 0, 0)
        assert cell.texts == cell.records == nothing
    read = Benchmark.open(tmp_path / "out")
    assert list(read.cell_data(cell.cell, cell.split).samples()) == []


def test_a_part_of_the_datasets_or_languages_can_be_built(rivers: Any):
    assert {each.dataset for each in rivers.build(datasets=["waters"]).manifest.cells} == {"waters"}
    assert {each.language for each in rivers.build(languages=["deu"]).manifest.cells} == {"deu"}


def test_the_order_in_which_datasets_are_named_does_not_matter(rivers: Any):
    once = rivers.build(datasets=["rivers", "waters"]).manifest
    assert rivers.build(datasets=["waters", "rivers"]).manifest == once == rivers.build().manifest


def test_unknown_names_suggest_the_nearest(rivers: Any):
    with pytest.raises(UnknownNameError, match="unknown dataset 'river'; did you mean 'rivers'"):
        rivers.build(datasets=["river"])
    with pytest.raises(UnknownNameError, match="unknown language 'deo'; did you mean 'deu'"):
        rivers.build(languages=["deo"])


def test_a_dataset_of_the_catalogue_that_the_benchmark_lacks_is_refused(rivers: Any):
    with pytest.raises(UnknownNameError, match="the benchmark own does not have it"):
        chosen_cards(rivers.definition(datasets=["rivers"]), rivers.catalogue, ["waters"], None)


def test_a_card_that_only_describes_a_dataset_is_refused(rivers: Any):
    rivers.dataset("lakes", [], status="described")
    with pytest.raises(BuildError, match="lakes cannot be built: its card only describes it"):
        chosen_cards(rivers.definition(datasets=["rivers"]), rivers.catalogue, ["lakes"], None)


def test_a_benchmark_without_a_list_takes_any_dataset_that_is_named(rivers: Any):
    rivers.dataset("lakes", [], in_paper=False)
    assert "lakes" not in {
        card.id for card in chosen_cards(rivers.definition(datasets=None), rivers.catalogue, None, None)
    }
    (card,) = chosen_cards(rivers.definition(datasets=None), rivers.catalogue, ["lakes"], None)
    assert card.id == "lakes"


def test_files_that_cannot_be_read_are_a_gap_and_the_other_cells_are_built(rivers: Any, line: Any):
    whole = rivers.build(datasets=["waters"]).manifest
    path = rivers.folder / "raw" / "rivers" / "texts.jsonl"
    path.write_text("{broken\n", encoding="utf-8")
    built = rivers.build()
    assert {each.dataset for each in built.manifest.cells} == {"waters"}
    assert {(gap.dataset, gap.language, gap.raw_split, gap.kind) for gap in built.manifest.gaps} == {
        ("rivers", language, split, "failed") for language in ("swa", "deu") for split in ("train", "dev", "test")
    }
    assert all(f"{path}:1" in gap.reason for gap in built.manifest.gaps)
    places = [(gap.dataset, gap.language, gap.raw_split) for gap in built.manifest.gaps]
    assert places == sorted(places)
    assert [each.digest for each in built.manifest.cells if each.split is Split.TEST] == [
        each.digest for each in whole.cells if each.split is Split.TEST
    ]


def test_where_nothing_can_be_built_the_reasons_are_told(rivers: Any):
    for dataset in ("rivers", "waters"):
        (rivers.folder / "raw" / dataset / "texts.jsonl").unlink()
    with pytest.raises(BuildError, match=r"rivers: there is no file .*texts\.jsonl; .*--raw DIR"):
        rivers.build()


def test_files_that_a_mirror_lacks_are_unavailable(rivers: Any, tmp_path: Path):
    files = [{"splits": ["test"], "path": "{lang}.jsonl"}]
    source = {"github": "someone/lakes", "commit": "0" * 40, "files": files}
    rivers.dataset("lakes", [], source=source, reader={"name": "jsonl"})
    place = tmp_path / "mirror" / "raw.githubusercontent.com" / "someone" / "lakes" / ("0" * 40) / "swa.jsonl"
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps({"text": "Ziwa", "annotations": []}), encoding="utf-8")
    store = type(rivers.store)(cache=tmp_path / "cache", mirror=tmp_path / "mirror", raw=rivers.store.raw)
    built = build(replace(rivers.plan(datasets=["lakes"]), store=store))
    assert [(gap.language, gap.kind) for gap in built.manifest.gaps] == [("deu", "unavailable")]
    assert [str(each.cell) for each in built.manifest.cells] == ["NER/lakes/swa"]


def test_a_language_for_which_the_cards_name_no_files_is_told(rivers: Any):
    files = [{"splits": ["test"], "path": "texts.jsonl", "languages": ["deu"]}]
    rivers.dataset("rivers", [], source={"path": "x", "files": files})
    with pytest.raises(BuildError, match=r"nothing to build: .* no raw files in swa"):
        rivers.build(datasets=["rivers"], languages=["swa"])


def test_two_raw_splits_that_give_one_split_are_refused(rivers: Any, line: Any):
    files = [{"splits": ["all", "test"], "path": "texts.jsonl"}]
    shares = [{"of": "all", "shares": {"train": 0.9, "test": 0.1}}]
    rivers.dataset("rivers", [], source={"path": "x", "files": files}, splits=shares)
    with pytest.raises(BuildError, match="two raw splits of swa give the split test"):
        rivers.build(datasets=["rivers"])


def test_a_fault_of_the_card_is_told_at_once(rivers: Any):
    rivers.dataset("rivers", [], reader={"name": "jsonl", "options": {"wher": {}}})
    with pytest.raises(ContentError, match=r"card rivers: reader\.options: wher: unknown key"):
        rivers.build()


def test_progress_counts_readings_and_cells_when_they_are_done(rivers: Any, tmp_path: Path):
    seen: list[tuple[int, int, str]] = []

    def note(done: int, total: int, what: str) -> None:
        seen.append((done, total, what))

    manifest = build_to(tmp_path / "out", rivers.plan(), note)
    cells = [str(cell.cell) for cell in manifest.cells]
    assert [done for done, _, _ in seen] == list(range(1, 9 + 9 + 1))
    assert [total for _, total, _ in seen] == [9] * 9 + [18] * 9
    assert sorted(what for _, _, what in seen[:9]) == sorted(what for _, _, what in seen[9:]) == cells


def test_a_raw_cell_that_cannot_be_read_is_done_as_well(rivers: Any, tmp_path: Path):
    (rivers.folder / "raw" / "rivers" / "texts.jsonl").write_text("{broken\n", encoding="utf-8")
    seen: list[tuple[int, int]] = []
    build_to(tmp_path / "out", rivers.plan(), lambda done, total, _: seen.append((done, total)))
    assert seen == [(done, 9 if done <= 9 else 12) for done in range(1, 13)]


RAW_LINES = st.lists(
    st.tuples(
        st.sampled_from(["Nile", "Nile Chad", "Chad Nile", "Nile  Chad", "Kairo"]),
        st.sampled_from(["RIV", "LAKE", "TOWN", None]),
        st.sampled_from(["swa", "deu"]),
        st.sampled_from(["train", "dev", "test"]),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=25, deadline=None)
@given(RAW_LINES, st.randoms(use_true_random=False))
def test_the_digest_stays_when_the_raw_files_are_shuffled(
    make_workshop: Any, line: Any, lines: list[tuple[str, str | None, str, str]], dice: random.Random
):
    raw = [
        line(text, *([(label, text.split()[-1])] if label else []), language=language, split=split)
        for text, label, language, split in lines
    ]
    caps = {split: {"empty": 1, "with_gold": 2} for split in Split}
    with TemporaryDirectory() as folder:
        workshop = make_workshop(Path(folder))
        digests: list[str] = []
        for order in (raw, dice.sample(raw, len(raw))):
            workshop.dataset("rivers", order)
            digests.append(workshop.build(caps=caps).manifest.digest)
        assert digests[0] == digests[1]


class Line(NamedTuple):
    dataset: str
    text: str
    label: str | None
    language: str
    split: str


LINES = st.lists(
    st.builds(
        Line,
        st.sampled_from(["amur", "zambezi"]),
        st.sampled_from(["Nile", "Nile Chad", "Chad Nile", "Nile  Chad", "Kairo"]),
        st.sampled_from(["RIV", "LAKE", "TOWN", None]),
        st.sampled_from(["swa", "deu"]),
        st.sampled_from(["train", "train", "dev", "test"]),
    ),
    min_size=1,
    max_size=25,
)


def naive_counts(lines: list[Line]) -> dict[tuple[str, str, str], tuple[list[int], list[int], dict[str, int]]]:
    """Texts and records after every step, and what was dropped, of every cell and split; from plain lists and sets."""
    tested = {" ".join(line.text.split()) for line in lines if line.split == "test"}
    found: dict[tuple[str, str, str], tuple[list[int], list[int], dict[str, int]]] = {}
    for cell in [(d, g, s) for d in ("amur", "zambezi") for g in ("swa", "deu") for s in ("train", "dev", "test")]:
        mine = [line for line in lines if (line.dataset, line.language, line.split) == cell]
        read = [(line.text, line.label) for line in mine if line.label]
        first = {line.text for line in lines if line.split == "train" and line.dataset < cell[0]}
        texts = {line.text for line in mine}
        single = {text for text in texts if cell[2] != "train" or text not in first}
        clean = {text for text in single if cell[2] == "test" or " ".join(text.split()) not in tested}
        dropped = {
            "duplicate text (its records are merged)": len(mine) - len(texts),
            "equal record": len(read) - len(set(read)),
            "train text that another dataset has": len(texts) - len(single),
            "text that is also a test text": len(single) - len(clean),
        }
        records = [len([record for record in set(read) if record[0] in some]) for some in (texts, single, clean)]
        found[cell] = (
            [len(mine), len(texts), len(single), len(clean)],
            [len(read), *records],
            {kind: number for kind, number in dropped.items() if number},
        )
    return found


@settings(max_examples=40, deadline=None)
@given(LINES, st.sampled_from([1, 3, 1000]))
def test_the_counts_of_every_step_are_those_of_plain_sets_however_much_is_held_at_once(
    make_workshop: Any, line: Any, lines: list[Line], rows: int
):
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "ROWS", rows)
        workshop = make_workshop(Path(folder))
        for dataset in ("amur", "zambezi"):
            raw = [
                line(
                    each.text,
                    *([(each.label, each.text.split()[-1])] if each.label else []),
                    language=each.language,
                    split=each.split,
                )
                for each in lines
                if each.dataset == dataset
            ]
            workshop.dataset(dataset, raw)
        cells = workshop.build().manifest.cells
    assert {
        (cell.dataset, cell.language, str(cell.split)): (
            [*cell.texts.values()],
            [*cell.records.values()],
            cell.dropped,
        )
        for cell in cells
    } == naive_counts(lines)


@pytest.mark.parametrize("rows", [1, 3, 7])
def test_a_build_is_the_same_however_much_is_held_at_once(
    rivers: Any, line: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
):
    lines = [
        line(f"Mto Nile {number % 30}", *([(label, "Nile")] if number % 4 else []), split=split)
        for number in range(90)
        for label, split in [[("RIV", "train"), ("LAKE", "dev"), ("RIV", "test")][number % 3]]
    ]
    rivers.dataset("zambezi", [*lines, *lines[::-2]], languages=["swa"])
    caps = {split: {"empty": 6, "with_gold": 9, "instances": 20} for split in Split}
    for name, more in (("whole", {}), ("capped", {"caps": caps})):
        monkeypatch.setattr(jobs, "ROWS", 1000)
        large = rivers.build_to(tmp_path / f"{name} large", **more)
        monkeypatch.setattr(jobs, "ROWS", rows)
        small = rivers.build_to(tmp_path / f"{name} small", **more)
        assert small.digest == large.digest
        assert counts(small) == counts(large) == counts(rivers.build(**more).manifest)
        assert small.overlaps == large.overlaps
        one, other = (Benchmark.open(tmp_path / f"{name} {size}") for size in ("large", "small"))
        for cell in large.cells:
            assert one.cell_data(cell.cell, cell.split) == other.cell_data(cell.cell, cell.split)


def test_the_digest_changes_with_gold_seed_version_batch_size_and_caps(rivers: Any, line: Any):
    built = [
        rivers.build(),
        rivers.build(seed=1),
        rivers.build(version="2"),
        rivers.build(schemas_per_sample=2),
        rivers.build(caps={"test": {"empty": 1, "with_gold": 1}}),
        rivers.build(datasets=["rivers"]),
    ]
    rivers.dataset("waters", [line("Ziwa Rukwa")], languages=["swa"])
    built.append(rivers.build())
    assert len({each.manifest.digest for each in built}) == len(built)


def test_the_samples_of_m_light_are_some_of_m_heavys(rivers: Any, line: Any):
    texts = [f"Mto Nile {number}" for number in range(40)]
    lines = [
        line(text, *([("RIV", "Nile")] if number % 2 else []), split=split)
        for number, text in enumerate(texts)
        for split in [["train", "dev", "test"][number % 3]]
    ]
    names = {f"L{number}": {"name": f"label {number}"} for number in range(20)} | {"RIV": {"name": "river"}}
    rivers.dataset("rivers", lines, languages=["swa"], entities=names)
    heavy = rivers.build(id="heavy", datasets=["rivers"])
    light = rivers.build(id="light", datasets=["rivers"], caps={split: {"empty": 3, "with_gold": 2} for split in Split})
    for split in Split:
        every = {sample.id: sample for sample in Benchmark.of_build(heavy).samples(split)}
        some = Benchmark.of_build(light).samples(split)
        assert len(some) == 5
        assert all(every[sample.id] == sample for sample in some)


def test_a_build_comes_back_from_its_folder_as_it_was(rivers: Any, digest_of: Any, tmp_path: Path):
    built = rivers.build()
    manifest = rivers.build_to(tmp_path / "deep" / "down" / "out")
    read = Benchmark.open(tmp_path / "deep" / "down" / "out")
    assert read.manifest == manifest == built.manifest
    for split in Split:
        assert read.samples(split) == Benchmark.of_build(built).samples(split)
        assert list(read.instances(split)) == list(Benchmark.of_build(built).instances(split))
    assert len(built.cells) == len(manifest.cells)
    for (cell, split), data in built.cells.items():
        assert read.cell_data(cell, split) == data
        found = entry(built, cell.dataset, cell.language, split)
        assert digest_of(read.cell_data(cell, split)) == found.digest
        samples = list(data.samples())
        assert len(data.instances) == found.instances
        assert len(samples) == found.samples
        assert sum(bool(sample.gold) for sample in samples) == found.samples_with_gold


def test_instances_stand_in_the_order_of_their_ids_and_their_records_in_that_of_their_places(
    rivers: Any, line: Any, tmp_path: Path
):
    lines = [line(f"Nile {n} Chad", ("LAKE", "Chad"), ("RIV", "Nile"), ("TOWN", "Nile")) for n in range(20)]
    rivers.dataset("waters", lines, languages=["swa"])
    rivers.build_to(tmp_path / "out", datasets=["waters"])
    instances = [instance for _, instance in Benchmark.open(tmp_path / "out").instances()]
    assert [instance.id for instance in instances] == sorted(instance.id for instance in instances)
    for instance in instances:
        assert [record.label for record in instance.records] == ["river", "town", "lake"]


def test_the_demo_comes_back_from_its_folder_with_all_five_tasks(demo: Benchmark, digest_of: Any, tmp_path: Path):
    catalogue = Catalogue.default()
    definition = catalogue.benchmark("m-demo")
    manifest = build_to(tmp_path / "out", Plan(definition, catalogue, SourceStore(cache=tmp_path / "cache"), workers=1))
    read = Benchmark.open(tmp_path / "out")
    assert read.digest == demo.digest == manifest.digest
    assert {cell.task for cell in read.cells()} == set(Task)
    for split in Split:
        assert read.samples(split) == demo.samples(split)
    for cell in manifest.cells:
        assert digest_of(read.cell_data(cell.cell, cell.split)) == cell.digest


def test_a_folder_holds_two_files_for_each_cell_and_split_and_a_manifest(rivers: Any, tmp_path: Path):
    rivers.build_to(tmp_path / "out", datasets=["waters"])
    assert tree(tmp_path / "out") == {
        "manifest.json",
        "NER",
        *(f"NER/{split}" for split in Split),
        *(f"NER/{split}/waters.swa.{table}.parquet" for split in Split for table in ("instances", "samples")),
    }
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_two_builds_of_the_same_data_are_equal_byte_for_byte(rivers: Any, files_of: Any, tmp_path: Path):
    manifests = [rivers.build_to(tmp_path / name) for name in ("one", "two")]
    assert manifests[0] == manifests[1]
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_builds_of_shuffled_raw_files_are_equal_byte_for_byte(rivers: Any, files_of: Any, tmp_path: Path):
    rivers.build_to(tmp_path / "one")
    for dataset in ("rivers", "waters"):
        path = rivers.folder / "raw" / dataset / "texts.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(random.Random(7).sample(lines, len(lines))), encoding="utf-8")
    rivers.build_to(tmp_path / "two")
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_an_empty_folder_is_taken_and_a_full_one_refused_and_left_alone(rivers: Any, files_of: Any, tmp_path: Path):
    out = tmp_path / "out"
    out.mkdir()
    rivers.build_to(out)
    before = files_of(out)
    with pytest.raises(BuildError, match=r"out: is not an empty folder; name another with --out"):
        rivers.build_to(out)
    assert files_of(out) == before
    assert not (tmp_path / ".out.partial").exists()


def test_a_file_in_the_way_is_refused_and_left_alone(rivers: Any, tmp_path: Path):
    (tmp_path / "out").write_text("mine", encoding="utf-8")
    with pytest.raises(BuildError, match="is not an empty folder"):
        rivers.build_to(tmp_path / "out")
    with pytest.raises(BuildError, match=r"cannot be written: .*; name another folder with --out"):
        rivers.build_to(tmp_path / "out" / "below" / "a" / "file")
    assert (tmp_path / "out").read_text(encoding="utf-8") == "mine"


def test_names_of_files_in_other_encodings_do_not_hinder_the_manifest(rivers: Any, line: Any, tmp_path: Path):
    archive = rivers.folder / "raw" / "rivers" / "texts.tar"
    contents = {"test": json.dumps(line("Mto Nile", ("ODD", "Nile"))).encode(), "dev": b"{broken"}
    with tarfile.open(archive, "w", encoding="utf-8", errors="surrogateescape") as packed:
        for split, content in contents.items():
            member = tarfile.TarInfo(f"d\udce9.{split}.jsonl")
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    files = [{"splits": ["test", "dev"], "archive": "texts.tar", "path": "*.{split}.jsonl"}]
    source = {"path": "x", "files": files}
    rivers.dataset("rivers", [], languages=["swa"], source=source, reader={"name": "jsonl"})
    for rows in (rivers.build(datasets=["rivers"]).manifest, rivers.build_to(tmp_path / "out", datasets=["rivers"])):
        (cell,) = rows.cells
        assert cell.places == {"label 'ODD' not in the card": ["d\\udce9.test.jsonl:1"]}
        (gap,) = rows.gaps
        assert "d\\udce9.dev.jsonl:1" in gap.reason
    assert read_manifest(tmp_path / "out") == rows


def test_discontinuous_mentions_keep_their_fragments_on_disk(rivers: Any, line: Any, tmp_path: Path):
    text = "Nile ya Buluu na Nyeupe"
    fragments = {"label": "RIV", "fragments": [[0, 7], [17, 23]], "surface": "Nile ya Nyeupe"}
    rivers.dataset("waters", [line(text, annotations=[fragments])], languages=["swa"])
    rivers.build_to(tmp_path / "out", datasets=["waters"])
    (sample,) = Benchmark.open(tmp_path / "out").samples()
    assert sample.gold == (Span("river", Mention("Nile ya Nyeupe", ((0, 7), (17, 23)))),)


def test_the_catalogues_cards_are_the_only_source_of_datasets(rivers: Any):
    empty = Catalogue((rivers.folder / "raw",))
    with pytest.raises(UnknownNameError, match="unknown dataset 'rivers'"):
        build(replace(rivers.plan(datasets=["rivers"]), catalogue=empty))
