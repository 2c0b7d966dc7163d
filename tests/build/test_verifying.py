"""Verifying: a build held against its manifest and the raw files; what differs is named by cell, in one line."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# (pyarrow has no type stubs.)

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from massie.build import NearDuplicates, Verification, jobs, verify_build
from massie.build.manifest import manifest_digest, read_manifest
from massie.types import BuildError, Split

LABELS = {"RIV": {"name": "river"}, "LAKE": {"name": "lake"}, "TOWN": {"name": "town"}}


@pytest.fixture
def rivers(workshop: Any, line: Any) -> Any:
    """Two datasets, one of them in two languages; a train text of the second is a test text of the first."""
    texts = [("Mto Nile unapita Kairo", "swa"), ("Mto Kongo ni mrefu", "swa"), ("Der Nil ist lang", "deu")]
    workshop.dataset(
        "rivers",
        [
            line(f"{text} {split}", ("RIV", text.split()[1]), language=language, split=split)
            for text, language in texts
            for split in Split
        ],
    )
    workshop.dataset(
        "waters",
        [
            line("Ziwa Rukwa", ("LAKE", "Rukwa")),
            *(line(f"Ziwa Chad {number}", ("LAKE", "Chad"), split="train") for number in range(3)),
            line("Mto Nile unapita Kairo test", ("RIV", "Nile"), split="train"),
        ],
        languages=["swa"],
    )
    return workshop


@pytest.fixture
def out(rivers: Any, tmp_path: Path) -> Path:
    rivers.build_to(tmp_path / "out")
    return tmp_path / "out"


def verified(workshop: Any, out: Path, **more: Any) -> Verification:
    return verify_build(out, workshop.plan(**more))


def named(found: Verification) -> list[tuple[str, str]]:
    """What differs, and where."""
    for each in (*found.differences, *found.undecided):
        assert "\n" not in each.what
    return [(f"{each.cell} {each.split}" if each.cell else "", each.what) for each in found.differences]


def edit(out: Path, change: Callable[[dict[str, Any]], None], *, digest: bool = False) -> None:
    """Change a manifest by hand; with ``digest`` its own digest too, as a forger would."""
    path = out / "manifest.json"
    plain = json.loads(path.read_text(encoding="utf-8"))
    change(plain)
    path.write_text(json.dumps(plain), encoding="utf-8")
    if digest:
        found = read_manifest(out)
        parameters = (found.benchmark, found.version, found.seed, found.schemas_per_sample, found.caps)
        plain["digest"] = manifest_digest(*parameters, found.cells, found.aggregation)
        path.write_text(json.dumps(plain), encoding="utf-8")


def rewrite(out: Path, file: str, change: Callable[[list[dict[str, Any]]], None]) -> None:
    """Change the rows of a Parquet file."""
    table = pq.read_table(out / file)
    rows = table.to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), out / file)


def cell_of(plain: dict[str, Any], dataset: str, split: str, language: str = "swa") -> dict[str, Any]:
    return next(
        each
        for each in plain["cells"]
        if (each["dataset"], each["split"], each["language"]) == (dataset, split, language)
    )


TEST = "NER/test/rivers.swa"
HERE = "NER/rivers/swa test"


def test_an_untouched_build_verifies(rivers: Any, out: Path):
    found = verified(rivers, out)
    assert found.compared == len(found.manifest.cells) == 9
    assert not found.differences and not found.undecided and not found.unavailable


@pytest.mark.parametrize(
    "more",
    [
        {"caps": {split: {"empty": 1, "with_gold": 1} for split in Split}},
        {"schemas_per_sample": None},
        {"splits": ["test"]},
        {"near_duplicates": NearDuplicates.REPORT},
        {"near_duplicates": NearDuplicates.REMOVE},
    ],
)
def test_a_build_of_whatever_definition_verifies_by_the_same(rivers: Any, tmp_path: Path, more: dict[str, Any]):
    rivers.build_to(tmp_path / "out", **more)
    assert not verified(rivers, tmp_path / "out", **more).differences


def test_a_build_in_many_parts_verifies(rivers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jobs, "ROWS", 1)
    rivers.build_to(tmp_path / "out")
    assert pq.ParquetFile(tmp_path / "out" / f"{TEST}.samples.parquet").num_row_groups > 1
    assert not verified(rivers, tmp_path / "out").differences


def test_two_processes_find_what_one_finds(rivers: Any, out: Path):
    (out / f"{TEST}.samples.parquet").unlink()
    edit(out, lambda plain: cell_of(plain, "waters", "test").update(digest="0" * 64))
    assert named(verified(rivers, out, workers=2)) == named(verified(rivers, out, workers=1))


def other_text(rows: list[dict[str, Any]]) -> None:
    rows[0]["text"] = rows[0]["text"].replace("Mto", "Ziwa")


def other_label(rows: list[dict[str, Any]]) -> None:
    rows[0]["records"][0]["label"] = "lake"


def other_surface(rows: list[dict[str, Any]]) -> None:
    rows[0]["records"][0]["mentions"][0]["surface"] = "Mto"


def without_records(rows: list[dict[str, Any]]) -> None:
    rows[0]["records"] = []


@pytest.mark.parametrize("change", [other_text, other_label, other_surface, without_records, list[Any].clear])
def test_a_changed_table_of_instances_is_named(rivers: Any, out: Path, change: Any):
    rewrite(out, f"{TEST}.instances.parquet", change)
    ((where, what),) = named(verified(rivers, out))
    assert where == HERE
    assert what.startswith("its tables")


def other_id(rows: list[dict[str, Any]]) -> None:
    rows[0]["id"] = "0" * 16 + "-" + "0" * 8


def other_schemas(rows: list[dict[str, Any]]) -> None:
    rows[0]["schemas"] = [1]


def other_instance(rows: list[dict[str, Any]]) -> None:
    rows[0]["instance"] = 1


def one_less(rows: list[dict[str, Any]]) -> None:
    rows.pop()


@pytest.mark.parametrize("change", [other_id, other_schemas, other_instance, one_less, list[Any].clear])
def test_a_changed_table_of_samples_is_named(rivers: Any, out: Path, change: Any):
    rewrite(out, f"{TEST}.samples.parquet", change)
    ((where, what),) = named(verified(rivers, out))
    assert where == HERE
    assert "its tables" in what or "cannot be read" in what


def unknown_label(rows: list[dict[str, Any]]) -> None:
    rows[0]["records"][0]["label"] = "ocean"


def no_mentions(rows: list[dict[str, Any]]) -> None:
    rows[0]["records"][0]["mentions"] = []


def no_text(rows: list[dict[str, Any]]) -> None:
    rows[0]["text"] = None


@pytest.mark.parametrize("change", [unknown_label, no_mentions, no_text])
def test_a_table_that_no_build_writes_is_named(rivers: Any, out: Path, change: Any):
    rewrite(out, f"{TEST}.instances.parquet", change)
    ((where, what),) = named(verified(rivers, out))
    assert where == HERE
    assert what.startswith("its tables are not those of a build")


@pytest.mark.parametrize(("column", "value"), [("instance", 99), ("schemas", [7]), ("schemas", None)])
def test_samples_that_lead_nowhere_are_named(rivers: Any, out: Path, column: str, value: Any):
    rewrite(out, f"{TEST}.samples.parquet", lambda rows: rows[0].update({column: value}))
    ((where, what),) = named(verified(rivers, out))
    assert where == HERE
    assert what.startswith("its tables are not those of a build")


def test_an_instance_that_no_sample_asks_about_is_named(rivers: Any, out: Path):
    path = f"{TEST}.instances.parquet"
    rewrite(out, path, lambda rows: rows.append(rows[-1] | {"id": "f" * 16, "text": "brought in"}))
    ((where, _),) = named(verified(rivers, out))
    assert where == HERE


def test_what_another_writer_of_parquet_made_of_the_same_rows_verifies(rivers: Any, out: Path):
    for table in ("instances", "samples"):
        rewrite(out, f"{TEST}.{table}.parquet", lambda rows: None)
    assert not verified(rivers, out).differences


@pytest.mark.parametrize("table", ["instances", "samples"])
def test_a_missing_table_is_named(rivers: Any, out: Path, table: str):
    (out / f"{TEST}.{table}.parquet").unlink()
    ((where, what),) = named(verified(rivers, out))
    assert where == HERE
    assert "cannot be read" in what and "build it again" in what


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no Parquet at all"])
def test_a_damaged_table_is_named(rivers: Any, out: Path, content: bytes):
    (out / f"{TEST}.samples.parquet").write_bytes(content)
    ((where, what),) = named(verified(rivers, out))
    assert where == HERE
    assert "cannot be read" in what


def test_a_table_of_other_columns_is_named(rivers: Any, out: Path):
    pq.write_table(pa.table({"text": ["mine"]}), out / f"{TEST}.instances.parquet")
    ((where, what),) = named(verified(rivers, out))
    assert where == HERE
    assert "the columns of instances are not those of a build" in what


def test_a_changed_raw_file_is_named_by_the_first_step_that_counts_otherwise(rivers: Any, line: Any, out: Path):
    path = rivers.folder / "raw" / "waters" / "texts.jsonl"
    more = line("Ziwa Tana ni kubwa", ("LAKE", "Tana"))
    path.write_text(path.read_text(encoding="utf-8") + json.dumps(more) + "\n", encoding="utf-8")
    assert named(verified(rivers, out)) == [("NER/waters/swa test", "texts after 'read': 1 in the build, 2 now")]


def test_a_changed_raw_file_with_the_same_counts_is_named(rivers: Any, out: Path):
    path = rivers.folder / "raw" / "waters" / "texts.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("Rukwa", "Tanaa"), encoding="utf-8")
    assert named(verified(rivers, out)) == [("NER/waters/swa test", "its texts or records")]


def test_a_changed_test_text_is_named_in_the_cells_that_it_is_filtered_from(rivers: Any, out: Path):
    path = rivers.folder / "raw" / "rivers" / "texts.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("Kairo test", "Kairo siku"), encoding="utf-8")
    assert named(verified(rivers, out)) == [
        (HERE, "its texts or records"),
        ("NER/waters/swa train", "texts after 'de-contaminate': 3 in the build, 4 now"),
    ]


def test_a_raw_file_that_cannot_be_read_any_more_is_named_with_the_reason(rivers: Any, out: Path):
    (rivers.folder / "raw" / "waters" / "texts.jsonl").write_text("{half a li", encoding="utf-8")
    found = named(verified(rivers, out))
    assert [where for where, _ in found] == [f"NER/waters/swa {split}" for split in ("dev", "test", "train")]
    assert all(what.startswith("it cannot be built now: ") and "texts.jsonl:1: not a line" in what for _, what in found)


def test_a_changed_label_of_a_card_is_named(rivers: Any, line: Any, out: Path):
    lines = [line("Ziwa Rukwa", ("LAKE", "Rukwa"))]
    rivers.dataset("waters", lines, languages=["swa"], entities=LABELS | {"LAKE": {"name": "inland sea"}})
    found = named(verified(rivers, out))
    assert found == [
        (f"NER/waters/swa {split}", "labels: 'lake' in the build, 'inland sea' now")
        for split in ("dev", "test", "train")
    ]


@pytest.mark.parametrize(
    ("labels", "what"),
    [
        (LABELS | {"LAKE": {"name": "lake", "description": "no sea"}}, "the description or roles of the label 'lake'"),
        (dict(reversed(LABELS.items())), "the order of its labels"),
        (LABELS | {"SEA": {"name": "sea"}}, "labels: none more in the build, 'sea' now"),
    ],
)
def test_what_changed_in_the_labels_of_a_card_is_said(rivers: Any, out: Path, labels: Any, what: str):
    path = rivers.folder / "cards" / "waters.yaml"
    card = json.loads(path.read_text(encoding="utf-8")) | {"entities": labels}
    path.write_text(json.dumps(card), encoding="utf-8")
    assert {found for _, found in named(verified(rivers, out))} == {what}


def test_a_manifest_with_another_digest_of_a_cell_is_named_with_the_cell(rivers: Any, out: Path):
    edit(out, lambda plain: cell_of(plain, "rivers", "test").update(digest="0" * 64))
    assert named(verified(rivers, out)) == [
        ("", "manifest.json: its digest is not that of what it says: it was changed after the build"),
        (HERE, "the manifest's digest; the tables are what the raw files give"),
    ]
    edit(out, lambda plain: None, digest=True)
    assert named(verified(rivers, out)) == [(HERE, "the manifest's digest; the tables are what the raw files give")]


def test_a_manifest_with_another_digest_of_its_own_is_told(rivers: Any, out: Path):
    edit(out, lambda plain: plain.update(digest="0" * 64))
    assert named(verified(rivers, out)) == [
        ("", "manifest.json: its digest is not that of what it says: it was changed after the build")
    ]


@pytest.mark.parametrize("name", ["instances", "samples", "samples_with_gold"])
def test_a_manifest_with_other_counts_of_a_cell_is_named_with_the_cell(rivers: Any, out: Path, name: str):
    edit(out, lambda plain: cell_of(plain, "rivers", "test").update({name: 99}))
    assert named(verified(rivers, out)) == [(HERE, f"{name.replace('_', ' ')}: 99 in the build, 2 now")]


def test_a_manifest_with_other_counts_after_a_step_is_named_with_the_cell(rivers: Any, out: Path):
    edit(out, lambda plain: cell_of(plain, "rivers", "test")["records"].update({"de-duplicate": 9}))
    assert named(verified(rivers, out)) == [(HERE, "records after 'de-duplicate': 9 in the build, 2 now")]


def test_a_manifest_with_another_label_is_named_with_the_cells(rivers: Any, out: Path):
    edit(out, lambda plain: plain["datasets"]["waters"]["schemas"]["NER"][1].update(description="no sea"))
    found = named(verified(rivers, out))
    assert found == [
        (f"NER/waters/swa {split}", "the description or roles of the label 'lake'")
        for split in ("dev", "test", "train")
    ]


def test_a_manifest_with_another_licence_or_pin_is_told(rivers: Any, out: Path):
    edit(out, lambda plain: plain["datasets"]["waters"].update(pin="elsewhere"))
    ((where, what),) = named(verified(rivers, out))
    assert not where
    assert what == "manifest.json: waters: pin: elsewhere in the build, brought by the user: a folder of our own now"


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"caps": {"test": {"empty": 1}}}, "caps"),
        ({"aggregation": {"score": "lf1", "over": "datasets"}}, "aggregation"),
        ({"version": "0"}, "version"),
        ({"seed": 7}, "seed"),
        ({"schemas_per_sample": 2}, "schemas_per_sample"),
    ],
)
@pytest.mark.parametrize("digest", [False, True])
def test_a_manifest_of_another_definition_is_refused_in_one_line(
    rivers: Any, out: Path, change: dict[str, Any], name: str, digest: bool
):
    edit(out, lambda plain: plain.update(change), digest=digest)
    with pytest.raises(BuildError) as error:
        verified(rivers, out)
    assert f"out: was built with another definition of own: {name} is " in str(error.value)
    assert "; build it anew" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "more", [{"version": "2"}, {"seed": 1}, {"caps": {"test": {"empty": 1, "with_gold": 1}}}, {"schemas_per_sample": 3}]
)
def test_a_build_of_another_definition_is_refused(rivers: Any, out: Path, more: dict[str, Any]):
    (name,) = more
    with pytest.raises(BuildError, match=f"out: was built with another definition of own: {name} is .* now; build it"):
        verified(rivers, out, **more)


def test_a_build_of_another_benchmark_is_refused(rivers: Any, out: Path):
    with pytest.raises(BuildError, match="out: holds own, not other; name the benchmark that it holds"):
        verified(rivers, out, id="other")


def test_a_build_without_near_duplicates_is_verified_as_such(rivers: Any, line: Any, tmp_path: Path):
    near = [line("Mto Nile unapita Kairo test!", split="train"), line("Ziwa Rukwa")]
    rivers.dataset("waters", near, languages=["swa"])
    rivers.build_to(tmp_path / "out", near_duplicates=NearDuplicates.REMOVE)
    assert not verified(rivers, tmp_path / "out", near_duplicates=NearDuplicates.REMOVE).differences
    with pytest.raises(BuildError, match="out: was built with --near-duplicates remove; verify it with the same"):
        verified(rivers, tmp_path / "out")


def test_a_build_with_near_duplicates_differs_from_one_without(rivers: Any, line: Any, tmp_path: Path):
    near = [line("Mto Nile unapita Kairo test!", split="train"), line("Ziwa Rukwa")]
    rivers.dataset("waters", near, languages=["swa"])
    rivers.build_to(tmp_path / "out")
    found = named(verified(rivers, tmp_path / "out", near_duplicates=NearDuplicates.REMOVE))
    assert ("NER/waters/swa train", "texts after 'near-duplicates': no such step in the build, 0 now") in found


def test_a_folder_that_holds_no_build_is_one_clear_error(rivers: Any, tmp_path: Path):
    with pytest.raises(BuildError, match="nowhere: holds no build"):
        verified(rivers, tmp_path / "nowhere")


@pytest.mark.parametrize("part", [{"datasets": ["rivers"]}, {"languages": ["deu"]}, {"datasets": ["waters"]}])
def test_a_part_verifies_by_the_options_that_it_was_built_with(rivers: Any, tmp_path: Path, part: dict[str, Any]):
    rivers.build_to(tmp_path / "out", **part)
    found = verified(rivers, tmp_path / "out", **part)
    assert found.compared == len(found.manifest.cells) > 0
    assert not found.differences


@pytest.mark.parametrize(
    ("part", "lacks", "options"),
    [
        ({"datasets": ["waters"]}, "rivers deu, rivers swa", "--dataset waters"),
        ({"languages": ["deu"]}, "rivers swa, waters swa", "--dataset rivers --language deu"),
        ({"languages": ["swa"]}, "rivers deu", "--language swa"),
        ({"datasets": ["rivers"], "languages": ["swa"]}, "rivers deu, waters swa", "--dataset rivers --language swa"),
    ],
)
def test_a_part_that_is_verified_as_the_whole_is_one_hint(
    rivers: Any, tmp_path: Path, part: dict[str, Any], lacks: str, options: str
):
    rivers.build_to(tmp_path / "out", **part)
    with pytest.raises(BuildError) as error:
        verified(rivers, tmp_path / "out")
    assert f"out: does not hold {lacks}; if it was built as a part of own, " in str(error.value)
    assert f"({options})" in str(error.value)


def test_the_options_of_the_hint_are_those_that_verify(rivers: Any, tmp_path: Path):
    rivers.build_to(tmp_path / "out", languages=["deu"])
    assert not verified(rivers, tmp_path / "out", datasets=["rivers"], languages=["deu"]).differences


def test_the_hint_of_a_small_part_of_much_stays_short(rivers: Any, line: Any, tmp_path: Path):
    for number in range(30):
        rivers.dataset(f"lake{number:02}", [line(f"Ziwa {number}")], languages=["swa"])
    datasets = [f"lake{number:02}" for number in range(12)]
    rivers.build_to(tmp_path / "out", datasets=datasets)
    with pytest.raises(
        BuildError, match=r"lake12 swa, lake13 swa, lake14 swa, lake15 swa and 17 more; .* …\)"
    ) as error:
        verified(rivers, tmp_path / "out")
    assert len(str(error.value)) < 500


def test_the_whole_is_not_verified_by_a_part(rivers: Any, out: Path):
    with pytest.raises(BuildError, match=r"out: also holds waters swa; verify it as it was built, with the same"):
        verified(rivers, out, datasets=["rivers"])


def test_cells_whose_raw_files_are_not_at_hand_are_told_apart_and_their_tables_checked(rivers: Any, out: Path):
    (rivers.folder / "raw" / "rivers" / "texts.jsonl").unlink()
    found = verified(rivers, out)
    assert {(gap.dataset, gap.language) for gap in found.unavailable} == {("rivers", "swa"), ("rivers", "deu")}
    assert len(found.unavailable) == 6
    assert found.compared == 3
    assert named(found) == []
    rewrite(out, f"{TEST}.instances.parquet", without_records)
    assert named(verified(rivers, out)) == [(HERE, "its tables, which are not those that the manifest names")]


def test_what_the_filters_leave_is_undecided_where_texts_that_they_look_for_are_not_at_hand(rivers: Any, out: Path):
    (rivers.folder / "raw" / "rivers" / "texts.jsonl").unlink()
    ((where, what),) = [(f"{each.cell} {each.split}", each.what) for each in verified(rivers, out).undecided]
    assert where == "NER/waters/swa train"
    assert what == "texts after 'de-contaminate': 3 in the build, 4 now"


def test_what_was_read_otherwise_differs_whatever_is_not_at_hand(rivers: Any, line: Any, out: Path):
    (rivers.folder / "raw" / "rivers" / "texts.jsonl").unlink()
    rivers.dataset("waters", [line("Ziwa Rukwa", ("LAKE", "Rukwa"))], languages=["swa"])
    found = verified(rivers, out)
    assert named(found) == [("NER/waters/swa train", "texts after 'read': 4 in the build, 0 now")]
    assert not found.undecided


def test_without_any_raw_file_the_tables_are_checked_all_the_same(rivers: Any, out: Path):
    for dataset in ("rivers", "waters"):
        (rivers.folder / "raw" / dataset / "texts.jsonl").unlink()
    found = verified(rivers, out)
    assert (found.compared, len(found.unavailable), found.differences) == (0, 9, [])
    (out / f"{TEST}.samples.parquet").unlink()
    ((where, _),) = named(verified(rivers, out))
    assert where == HERE


def test_raw_files_that_the_build_did_without_are_named_when_they_are_at_hand(rivers: Any, tmp_path: Path):
    path = rivers.folder / "raw" / "waters" / "texts.jsonl"
    content = path.read_bytes()
    path.unlink()
    rivers.build_to(tmp_path / "out")
    found = verified(rivers, tmp_path / "out")
    assert not found.differences and not found.unavailable
    path.write_bytes(content)
    found = verified(rivers, tmp_path / "out")
    assert {what for where, what in named(found) if "waters" in where} == {"the build was made without its raw files"}


def test_another_table_of_hard_negatives_is_told(workshop: Any, line: Any, tmp_path: Path):
    names = ["river", "lake", "town", "sea", "canal", "spring"]
    lines = [line(f"Mto Nile {number}", ("river", "Nile"), split="train") for number in range(9)]
    workshop.dataset("rivers", lines, languages=["swa"], entities={name: {"name": name} for name in names})
    negatives = workshop.folder / "cards" / "negatives"
    negatives.mkdir()

    def table(nearest: str) -> None:
        labels = {name: [nearest if name != nearest else "town"] for name in names}
        plain = {"embedder": {"name": "by hand"}, "k": 1, "negatives": {"rivers": {"NER": labels}}}
        (negatives / "mine.json").write_text(json.dumps(plain), encoding="utf-8")

    more = {"negatives": "mine", "schemas_per_sample": 1}
    table("lake")
    workshop.build_to(tmp_path / "out", **more)
    assert not verified(workshop, tmp_path / "out", **more).differences
    table("sea")
    ((where, what),) = named(verified(workshop, tmp_path / "out", **more))
    assert where == "NER/rivers/swa train"
    assert what.startswith("hard negatives: the table mine (")


def test_verifying_leaves_the_build_as_it_is(rivers: Any, files_of: Any, out: Path):
    before = files_of(out)
    verified(rivers, out)
    assert files_of(out) == before
    assert not list(out.parent.glob(".out*"))
