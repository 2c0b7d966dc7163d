"""Cards held against the raw files of real datasets: counts, labels, offsets, and M-LIGHT built from them."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from massie.build import Benchmark, Build, Plan, build, build_to
from massie.build.instances import Steps, instances_of
from massie.catalogue import Card, Catalogue, Counts, Status
from massie.cli.main import cli
from massie.readers import Joining, RawText, annotations_of, count, read_cell
from massie.sources import SourceStore, cell_digest, cell_files
from massie.types import Cell, Event, NotInMirrorError, Split, Task, mentions_of

pytestmark = pytest.mark.realdata

CATALOGUE = Catalogue.default()
READY = [
    pytest.param(card.id, marks=pytest.mark.xdist_group(f"raw {card.id}"))
    for card in CATALOGUE.cards()
    if card.status is Status.READY and card.source and not card.source.bundled and not card.source.path
]
BUILT = ["masakhaner20", "xsid", "jacred", "casie", "thainner"]

# Counted by other means than the readers, when the files were chosen: texts, annotations, texts without any, arguments.
GOLDEN = {
    ("masakhaner20", "bam", "test"): (1274, 1315, 593, None),
    ("masakhaner20", "ewe", "test"): (1001, 2344, 88, None),
    ("masakhaner20", "swa", "dev"): (942, 2018, 185, None),
    ("masakhaner20", "yor", "dev"): (983, 995, 443, None),
    ("xsid", "ara", "test"): (500, 968, 18, None),
    ("xsid", "jpn", "test"): (250, 324, 32, None),
    ("xsid", "srp", "test"): (500, 1050, 15, None),
    ("thainner", "tha", "test"): (68, 1670, 0, None),
    ("kaznerd", "kaz", "test"): (11307, 13508, 3767, None),
    ("germeval2014", "deu", "dev"): (2200, 2886, 866, None),
    ("ewt-uner", "eng", "test"): (2077, 1088, 1368, None),
    ("turkuner", "fin", "test"): (1555, 1005, 1003, None),
    ("ai-crossre", "eng", "test"): (431, 1164, 105, None),
    ("nerel", "rus", "test"): (93, 4096, 0, None),
    ("ched", "lzh", "test"): (1219, 2119, 0, None),
    ("casie", "eng", "first240"): (240, 2370, 0, 6438),
    ("bkee", "vie", "test"): (211, 1567, 5, 2991),
    ("rams", "eng", "test"): (871, 871, 0, 2023),
    ("wikievents", "eng", "test"): (20, 364, 1, 563),
}

# Mentions that the sources themselves put in a wrong place; no others are dropped, and a mended one fails the test.
ASTRAY = {"surface not at its offsets", "offsets outside the text", "empty span"}
KNOWN_ASTRAY = {
    "bkee": {
        "ED surface not at its offsets": 1,
        "EE surface not at its offsets": 1,
        "ED empty span": 1,
        "EE empty span": 1,
    },
    "fenec": {"NER surface not at its offsets": 4},
    "phee20": {"EE surface not at its offsets": 1},
}


@pytest.fixture(scope="module")
def store(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> SourceStore:
    return SourceStore(cache=tmp_path_factory.mktemp("cache"), mirror=mirror)


@dataclass(frozen=True)
class Read:
    """A dataset's raw cells that the mirror holds: texts, and the digest of their files."""

    card: Card
    texts: dict[tuple[str, str], list[RawText]]
    digests: dict[tuple[str, str], str]


@pytest.fixture(scope="module", params=READY)
def read(request: pytest.FixtureRequest, store: SourceStore) -> Read:
    card = CATALOGUE.card(request.param)
    found = Read(card, {}, {})
    for cell in card.raw_cells():
        try:
            files = cell_files(card, *cell, store)
        except NotInMirrorError:
            continue
        found.texts[cell] = list(read_cell(card, *cell, files))
        found.digests[cell] = cell_digest(files)
    if not found.texts:
        pytest.skip(f"the mirror holds no files of {card.id}")
    return found


def test_every_cell_gives_exactly_the_counts_of_its_card(read: Read):
    assert {(code, split): read.card.counts.get(code, {}).get(split) for code, split in read.texts} == {
        cell: count(read.card, texts, stated_digest(read, cell)) for cell, texts in read.texts.items()
    }


def stated_digest(read: Read, cell: tuple[str, str]) -> str | None:
    """The digest of the cell's files, where its card states one (a source with a commit needs none)."""
    stated = read.card.counts.get(cell[0], {}).get(cell[1])
    return read.digests[cell] if stated and stated.sha256 else None


def test_every_raw_label_and_role_is_in_the_card(read: Read):
    for task in read.card.tasks:
        records = [record for texts in read.texts.values() for text in texts for record in annotations_of(text, task)]
        assert {record.label for record in records} <= set(read.card.labels(task))
        roles = {(each.label, part.role) for each in records if isinstance(each, Event) for part in each.arguments}
        if task is Task.EE:
            assert roles <= {(name, role) for name, event in read.card.events.items() for role in event.roles}


def test_every_mention_of_every_instance_stands_at_its_offsets(read: Read):
    astray: Counter[str] = Counter()
    for (code, _), texts in read.texts.items():
        glue = Joining.for_card(read.card, code).glue
        for task in read.card.tasks:
            steps = Steps()
            for instance in instances_of(read.card, task, code, Split.TEST, texts, glue, steps):
                for _, mention in (part for record in instance.records for part in mentions_of(record)):
                    pieces = [instance.text[start:end] for start, end in mention.fragments]
                    assert glue.join(pieces) == mention.surface
                    assert mention.surface.strip()
            astray.update({f"{task} {kind}": number for kind, number in steps.dropped.counts.items() if kind in ASTRAY})
    assert astray == KNOWN_ASTRAY.get(read.card.id, {})


@pytest.mark.parametrize(("dataset", "code", "split"), GOLDEN)
def test_counts_typed_here_are_found(store: SourceStore, dataset: str, code: str, split: str):
    card = CATALOGUE.card(dataset)
    try:
        files = cell_files(card, code, split, store)
    except NotInMirrorError as error:
        pytest.skip(str(error))
    texts, annotations, empty, arguments = GOLDEN[dataset, code, split]
    expected = Counts(texts=texts, annotations=annotations, empty=empty, arguments=arguments)
    assert count(card, read_cell(card, code, split, files)) == expected


@pytest.fixture(scope="module")
def light(store: SourceStore) -> Build:
    return build(Plan(CATALOGUE.benchmark("m-light"), CATALOGUE, store, datasets=BUILT))


@pytest.fixture(scope="module")
def heavy(store: SourceStore) -> Build:
    return build(Plan(CATALOGUE.benchmark("m-heavy"), CATALOGUE, store, datasets=BUILT))


def build_group(test: object) -> object:
    """One worker builds, for all tests of the build."""
    return pytest.mark.xdist_group("real build")(test)


@build_group
def test_of_m_heavy_every_test_text_is_asked_for_every_label_exactly_once(heavy: Build):
    benchmark = Benchmark.of_build(heavy)
    for cell in benchmark.cells("test"):
        data = benchmark.cell_data(cell, "test")
        asked = Counter((row.instance, schema) for row in data.rows for schema in row.schemas)
        assert set(asked.values()) == {1}
        assert len(asked) == len(data.instances) * len(CATALOGUE.card(cell.dataset).schemas(cell.task))


@build_group
def test_of_m_heavy_every_gold_record_is_asked_for(heavy: Build):
    benchmark = Benchmark.of_build(heavy)
    for split in Split:
        records = Counter(dict.fromkeys(benchmark.cells(split), 0))
        records.update(sample.cell for sample in benchmark.iter_samples(split) for _ in sample.gold or ())
        for entry in heavy.manifest.cells_of(split):
            assert records[entry.cell] == entry.records["de-contaminate"], f"{entry.cell} {split}"


@build_group
def test_m_light_keeps_its_caps_in_each_cell_and_takes_no_fewer(light: Build, heavy: Build):
    caps = {Split.TRAIN: (10_000, 3_000), Split.DEV: (100, 30), Split.TEST: (1_000, 300)}
    whole = {(entry.cell, entry.split): entry for entry in heavy.manifest.cells}
    assert {(entry.cell, entry.split) for entry in light.manifest.cells} == set(whole)
    for entry in light.manifest.cells:
        of_all = whole[entry.cell, entry.split]
        empty, with_gold = caps[entry.split]
        assert entry.samples_with_gold == min(with_gold, of_all.samples_with_gold)
        assert entry.samples - entry.samples_with_gold == min(empty, of_all.samples - of_all.samples_with_gold)


@build_group
def test_m_lights_samples_are_some_of_m_heavys(light: Build, heavy: Build):
    for key, data in light.cells.items():
        assert {row.id for row in data.rows} <= {row.id for row in heavy.cells[key].rows}


@build_group
def test_what_is_missing_is_what_the_mirror_lacks(light: Build):
    assert {gap.kind for gap in light.manifest.gaps} <= {"unavailable"}
    assert {entry.dataset for entry in light.manifest.cells} == set(BUILT)


@build_group
@pytest.mark.parametrize(
    ("dataset", "code", "duplicates"),
    [("xsid", "dan", 54), ("xsid", "jpn", 58), ("xsid", "eng", 49), ("thainner", "tha", 0)],
)
def test_duplicate_texts_counted_by_other_means_are_merged(heavy: Build, dataset: str, code: str, duplicates: int):
    (entry,) = (
        each for each in heavy.manifest.cells_of(Split.TEST) if (each.dataset, each.language) == (dataset, code)
    )
    assert entry.texts["read"] - entry.instances == duplicates


@build_group
def test_casie_is_split_by_its_cards_shares(heavy: Build):
    texts = {
        entry.split: entry.texts["read"]
        for entry in heavy.manifest.cells
        if entry.cell == Cell(Task.EE, "casie", "eng")
    }
    assert sum(texts.values()) == 240
    assert 170 < texts[Split.TRAIN] < 215
    assert min(texts.values()) > 10


@build_group
def test_what_the_reader_mended_in_a_raw_split_is_counted_once_for_the_splits_made_of_it(heavy: Build):
    entries = [entry for entry in heavy.manifest.cells if entry.cell == Cell(Task.EE, "casie", "eng")]
    kinds = Counter(kind for entry in entries for kind in entry.dropped)
    assert set(kinds.values()) == {1}
    assert sum(sum(entry.dropped.values()) for entry in entries) == 10


@build_group
def test_the_same_files_give_the_same_digest_in_whatever_order_datasets_are_named(store: SourceStore, light: Build):
    again = build(Plan(CATALOGUE.benchmark("m-light"), CATALOGUE, store, datasets=BUILT[::-1]))
    assert again.manifest == light.manifest


@build_group
def test_the_command_builds_the_same_and_leaves_it_in_a_folder(mirror: Path, tmp_path: Path, light: Build):
    named = [word for dataset in BUILT for word in ("--dataset", dataset)]
    arguments = ["build", "m-light", *named, "--mirror", str(mirror), "--out", str(tmp_path / "out"), "--json"]
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["digest"] == light.manifest.digest
    read_back = Benchmark.open(tmp_path / "out")
    assert read_back.manifest == light.manifest
    for (cell, split), data in light.cells.items():
        assert read_back.cell_data(cell, split) == data


def everything_group(test: object) -> object:
    """One worker builds everything, for all tests of it."""
    return pytest.mark.xdist_group("real everything")(test)


@pytest.fixture(scope="module")
def everything(store: SourceStore, tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    """M-HEAVY of all that the mirror holds, built by two processes."""
    folder = tmp_path_factory.mktemp("everything") / "m-heavy"
    build_to(folder, Plan(CATALOGUE.benchmark("m-heavy"), CATALOGUE, store, workers=2))
    return Benchmark.open(folder)


@everything_group
def test_of_all_that_can_be_built_every_mention_stands_at_its_offsets(everything: Benchmark):
    mentions = 0
    for cell in sorted({entry.cell for entry in everything.manifest.cells}):
        glue = Joining.for_card(CATALOGUE.card(cell.dataset), cell.language).glue
        for split in Split:
            if cell not in everything.cells(split):
                continue
            for part in everything.parts(cell, split):
                for instance in part.instances:
                    for _, mention in (each for record in instance.records for each in mentions_of(record)):
                        pieces = [instance.text[start:end] for start, end in mention.fragments]
                        assert glue.join(pieces) == mention.surface
                        mentions += 1
    assert mentions > 300_000


@everything_group
def test_of_all_that_can_be_built_every_test_text_is_asked_for_every_label_exactly_once(everything: Benchmark):
    sizes: set[int] = set()
    for cell in everything.cells("test"):
        schemas = len(CATALOGUE.card(cell.dataset).schemas(cell.task))
        sizes.add(schemas)
        for part in everything.parts(cell, "test"):
            asked = Counter((row.instance, schema) for row in part.rows for schema in row.schemas)
            assert set(asked.values()) == {1}
            assert len(asked) == len(part.instances) * schemas
    assert min(sizes) <= 3
    assert max(sizes) >= 60


@everything_group
def test_of_all_that_can_be_built_nothing_fails_and_no_label_is_unknown(everything: Benchmark):
    assert {gap.kind for gap in everything.manifest.gaps} == {"unavailable"}
    dropped = {kind for entry in everything.manifest.cells for kind in entry.dropped}
    assert not {kind for kind in dropped if "not in the card" in kind}
