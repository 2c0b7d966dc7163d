"""Exports: what the files hold, what stands beside them, and that a folder is whole or not there."""

from __future__ import annotations

import hashlib
import json
import socket
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import mlcroissant
import pyarrow.parquet as pq
import pytest
from huggingface_hub import DatasetCard

from massie.build import Benchmark
from massie.build.exporting.exported import Export
from massie.build.exporting.exports import HF, JSONL, PARQUET, PRIVATE, ExportPlan, Form, export_to
from massie.build.exporting.flat import write_parquet
from massie.catalogue import Catalogue, language
from massie.types import BuildError, Sample, Split, Task, record_as_json

FORMS = [PARQUET, JSONL, HF]
Exported = Callable[..., Path]


def plan_of(benchmark: Benchmark, form: Form, **more: Any) -> ExportPlan:
    plan = ExportPlan(benchmark, Catalogue.default(), form, tuple(Split), "massie export …", "2026-01-02T03:04:05Z")
    return replace(plan, **more)


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory, demo: Benchmark) -> Exported:
    """The folder of M-DEMO exported in a form, made once."""
    made: dict[tuple[str, bool], Path] = {}

    def export(form: Form, *, private: bool = False) -> Path:
        key = form.name, private
        if key not in made:
            made[key] = tmp_path_factory.mktemp("export") / "out"
            export_to(made[key], plan_of(demo, form, private=private))
        return made[key]

    return export


def files_of(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def export_of(folder: Path) -> Export:
    return Export.model_validate_json((folder / "export.json").read_bytes())


def rows_of(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").removesuffix("\n").split("\n")]
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return [row | {key: json.loads(row[key]) for key in ("gold", "offsets")} for row in rows]


def surfaces_of(record: Mapping[str, Any]) -> list[str]:
    """The surfaces of a record in JSON, in the order of its mentions."""
    named = [record[key] for key in ("entity", "slot", "head", "tail", "event_trigger") if key in record]
    return named + [argument["argument"] for argument in record.get("arguments", ())]


# ---- What the files hold


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_there_is_one_file_for_each_task_and_split_with_every_sample_once(
    form: Form, exported: Exported, demo: Benchmark
) -> None:
    folder = exported(form)
    data = {f"{task}/{split}{form.suffix}" for task in Task for split in Split}
    beside = {"README.md", "export.json"} | ({"croissant.json"} if form is HF else set())
    assert set(files_of(folder)) == data | beside
    for task in Task:
        for split in Split:
            ids = [sample.id for sample in demo.select(tasks=[task]).iter_samples(split)]
            assert [row["id"] for row in rows_of(folder / task / f"{split}{form.suffix}")] == ids


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
@pytest.mark.parametrize("task", Task)
def test_a_row_says_what_its_sample_says(form: Form, task: Task, exported: Exported, demo: Benchmark) -> None:
    rows = rows_of(exported(form) / task / f"test{form.suffix}")
    for row, sample in zip(rows, demo.select(tasks=[task]).samples("test"), strict=True):
        assert (row["task"], row["dataset"], row["language"]) == (task, sample.dataset, sample.language)
        assert (row["text"], row["instance_id"]) == (sample.text, sample.instance_id)
        assert [(each["name"], each["description"]) for each in row["schemas"]] == [
            (schema.name, schema.description) for schema in sample.schemas
        ]
        assert [[(role["name"], role["description"]) for role in each["roles"]] for each in row["schemas"]] == [
            [(role.name, role.description) for role in schema.roles] for schema in sample.schemas
        ]
        assert row["gold"] == [record_as_json(record, task) for record in sample.gold or ()]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_offsets_find_the_surfaces_of_gold_in_every_script(form: Form, exported: Exported) -> None:
    folder, scripts, mentions = exported(form), set[str](), 0
    for file in export_of(folder).files:
        for row in rows_of(folder / file.path):
            glue = " " if language(row["language"]).spaces else ""
            assert len(row["gold"]) == len(row["offsets"])
            for record, places in zip(row["gold"], row["offsets"], strict=True):
                found = [glue.join(row["text"][start:end] for start, end in fragments) for fragments in places]
                assert found == surfaces_of(record)
                mentions += len(found)
            scripts.add(language(row["language"]).script)
    assert len(scripts) >= 8
    assert mentions > 500


def test_lines_keep_all_letters_as_they_are(tmp_path: Path, workshop: Any, line: Any) -> None:
    text = 'Kivu\u2028 "Ziwa" \u202eא\u202c 𝔘 e\u0301 <b>|</b> \\'
    workshop.dataset("rivers", [line(text, ("RIV", "𝔘 e\u0301"))])
    benchmark = Benchmark.of_build(workshop.build())
    for form in (JSONL, PARQUET):
        export_to(tmp_path / form.name, plan_of(benchmark, form, catalogue=workshop.catalogue))
        (row,) = rows_of(tmp_path / form.name / "NER" / f"test{form.suffix}")
        (((start, end),),) = row["offsets"][0]
        assert (row["text"], row["gold"][0]["entity"], text[start:end]) == (text, "𝔘 e\u0301", "𝔘 e\u0301")
    assert "𝔘" in (tmp_path / "jsonl" / "NER" / "test.jsonl").read_text(encoding="utf-8")


def test_a_build_on_disk_is_exported_as_one_in_memory(tmp_path: Path, workshop: Any, line: Any) -> None:
    workshop.dataset("rivers", [line(f"The Tana, {n}.", ("RIV", "Tana"), split=split) for n, split in texts()])
    workshop.build_to(tmp_path / "data")
    for name, benchmark in (
        ("disk", Benchmark.open(tmp_path / "data")),
        ("memory", Benchmark.of_build(workshop.build())),
    ):
        export_to(tmp_path / name, plan_of(benchmark, JSONL, catalogue=workshop.catalogue))
    for split in Split:
        of_disk, of_memory = ((tmp_path / name / "NER" / f"{split}.jsonl") for name in ("disk", "memory"))
        assert of_disk.read_bytes() == of_memory.read_bytes()


def texts() -> Iterator[tuple[int, str]]:
    return ((number, split) for number, split in enumerate([*Split] * 4))


def test_only_what_was_chosen_is_exported(tmp_path: Path, demo: Benchmark) -> None:
    part = demo.select(tasks=["NER", "SF"], languages=["swa", "tha"], datasets=["demo-everyday", "demo-assistant"])
    made = export_to(tmp_path / "out", plan_of(part, JSONL, splits=[Split.DEV]))
    assert files_of(tmp_path / "out") == ["NER/dev.jsonl", "README.md", "SF/dev.jsonl", "export.json"]
    assert made.languages == ["swa", "tha"]
    assert [*made.datasets] == ["demo-assistant", "demo-everyday"]
    assert made.samples == len(part.samples("dev"))


# ---- Parquet


def test_a_parquet_file_is_written_in_row_groups_as_samples_come(
    tmp_path: Path, demo: Benchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("massie.build.exporting.flat.ROW_GROUP", 25)
    export_to(tmp_path / "out", plan_of(demo, PARQUET, splits=[Split.TEST]))
    metadata = pq.ParquetFile(tmp_path / "out" / "NER" / "test.parquet").metadata
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [25, 25, 25, 25, 8]


def test_memory_does_not_grow_with_the_number_of_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("massie.build.exporting.flat.ROW_GROUP", 500)

    def rows(number: int) -> Iterator[dict[str, Any]]:
        for place in range(number):
            yield {"id": f"{place}", "text": f"{place} " * 50, "schemas": [], "gold": [], "offsets": []}

    def peak(number: int) -> int:
        tracemalloc.start()
        write_parquet(tmp_path / f"{number}.parquet", rows(number), {})
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(500)  # what is loaded on first use
    assert peak(20_000) < 2 * peak(1_000)


def test_every_parquet_file_says_of_what_build_it_is_and_whether_it_may_be_passed_on(
    exported: Exported, demo: Benchmark
) -> None:
    for private in (False, True):
        folder = exported(PARQUET, private=private)
        for file in export_of(folder).files:
            marks = pq.read_schema(folder / file.path).metadata
            assert marks[b"massie.manifest_digest"].decode() == demo.digest
            assert marks[b"massie.redistributable"] == (b"false" if private else b"true")


# ---- A dataset of the Hugging Face hub


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("private", [False, True])
def test_datasets_loads_the_folder_with_a_config_for_each_task(
    private: bool, exported: Exported, demo: Benchmark, tmp_path: Path
) -> None:
    folder = str(exported(HF, private=private))
    whole = datasets.load_dataset(folder, cache_dir=str(tmp_path))
    assert {split: whole[split].num_rows for split in whole} == {split: len(demo.samples(split)) for split in Split}
    for task in Task:
        loaded = datasets.load_dataset(folder, task, cache_dir=str(tmp_path), split="test")
        samples = demo.select(tasks=[task]).samples("test")
        assert loaded["id"] == [sample.id for sample in samples]
        assert loaded["text"] == [sample.text for sample in samples]
        assert loaded[0]["schemas"][0]["name"] == samples[0].schemas[0].name
        assert [json.loads(gold) for gold in loaded["gold"]] == [
            [record_as_json(record, task) for record in sample.gold or ()] for sample in samples
        ]


def test_the_card_of_the_hub_says_languages_licences_size_and_files(exported: Exported, demo: Benchmark) -> None:
    folder = exported(HF)
    card = DatasetCard.load(folder / "README.md")
    plain = card.data.to_dict()
    assert plain["language"] == sorted({cell.language for cell in demo.cells("test")})
    assert plain["license"] == ["cc0-1.0"]
    assert plain["size_categories"] == ["1K<n<10K"]
    assert "relation-extraction" in plain["tags"]
    assert [config["config_name"] for config in plain["configs"]] == ["all", *Task]
    named = {path for config in plain["configs"] for each in config["data_files"] for path in each["path"]}
    assert named == {file.path for file in export_of(folder).files}
    assert demo.digest in card.text


def test_one_task_alone_needs_no_config_of_all(tmp_path: Path, demo: Benchmark) -> None:
    export_to(tmp_path / "out", plan_of(demo.select(tasks=["RE"]), HF))
    configs = DatasetCard.load(tmp_path / "out" / "README.md").data.to_dict()["configs"]
    assert [config["config_name"] for config in configs] == ["RE"]
    assert datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "c"), split="dev").num_rows == 38


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("private", [False, True])
def test_croissant_is_valid_and_reads_the_very_records(private: bool, exported: Exported, demo: Benchmark) -> None:
    metadata = mlcroissant.Dataset(jsonld=str(exported(HF, private=private) / "croissant.json"))
    issues = metadata.metadata.ctx.issues
    assert (issues.errors, issues.warnings) == (set(), set())
    assert {records.uuid for records in metadata.metadata.record_sets} == {
        f"{task}/{split}" for task in Task for split in Split
    }
    samples = demo.select(tasks=["EE"]).samples("dev")
    for record, sample in zip(metadata.records("EE/dev"), samples, strict=True):
        assert record["EE/dev/id"].decode() == sample.id
        assert record["EE/dev/text"].decode() == sample.text
        names = [schema["EE/dev/schemas/name"].decode() for schema in record["EE/dev/schemas"]]
        assert names == [schema.name for schema in sample.schemas]


@pytest.mark.parametrize("private", [False, True])
def test_croissant_has_the_hash_of_every_file_beside_it(private: bool, exported: Exported) -> None:
    folder = exported(HF, private=private)
    plain = json.loads((folder / "croissant.json").read_text(encoding="utf-8"))
    stated = {file["contentUrl"]: (file["sha256"], file["contentSize"]) for file in plain["distribution"]}
    found = {name: (folder / name).read_bytes() for name in files_of(folder) if name != "croissant.json"}
    assert stated == {name: (hashlib.sha256(each).hexdigest(), f"{len(each)} B") for name, each in found.items()}


# ---- What stands beside the data


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_export_json_says_what_the_files_hold(form: Form, exported: Exported, demo: Benchmark) -> None:
    folder = exported(form)
    said = export_of(folder)
    assert (said.form, said.manifest_digest, said.redistributable) == (form.name, demo.digest, True)
    assert said.left_out == {}
    for file in said.files:
        data = (folder / file.path).read_bytes()
        assert (file.bytes, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        assert file.samples == len(rows_of(folder / file.path))
    for split in Split:
        of_datasets = sum(dataset.samples.get(split, 0) for dataset in said.datasets.values())
        assert of_datasets == len(demo.samples(split))


def test_the_readme_names_every_dataset_with_licence_and_citation(exported: Exported) -> None:
    text = (exported(PARQUET) / "README.md").read_text(encoding="utf-8")
    for dataset, said in export_of(exported(PARQUET)).datasets.items():
        assert f"- **{dataset}** ({said.name}): {said.citation}; licence: CC0-1.0" in text
    assert not text.startswith("---")


def test_the_readme_says_how_to_build_a_part_of_a_benchmark_again(tmp_path: Path, workshop: Any, line: Any) -> None:
    for dataset in ("rivers", "lakes"):
        workshop.dataset(dataset, [line(f"The Tana in {dataset}.", ("RIV", "Tana"))])
    workshop.build_to(tmp_path / "data", datasets=["rivers"])
    made = export_to(tmp_path / "out", plan_of(Benchmark.open(tmp_path / "data"), JSONL, catalogue=workshop.catalogue))
    assert made.remake == ["massie build own --dataset=rivers --out data", "massie export …"]
    readme = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "\n    massie build own --dataset=rivers --out data\n" in readme


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_private_export_says_so_to_people_and_machines(form: Form, exported: Exported) -> None:
    folder = exported(form, private=True)
    assert export_of(folder).redistributable is False
    assert "not to be published" in (folder / PRIVATE).read_text(encoding="utf-8")
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert "\n# M-DEMO 1 (private)\n\n> **Private: " in f"\n{readme}"
    if form is HF:
        plain = DatasetCard.load(folder / "README.md").data.to_dict()
        assert (plain["license"], plain["license_name"]) == (["other"], "private-not-redistributable")
        assert {"private", "not-redistributable"} <= set(plain["tags"])
        croissant = json.loads((folder / "croissant.json").read_text(encoding="utf-8"))
        assert croissant["conditionsOfAccess"].startswith("Private: ")
        assert croissant["license"] == [croissant["conditionsOfAccess"]]


def test_an_export_that_may_be_passed_on_has_no_mark_of_a_private_one(exported: Exported) -> None:
    for form in FORMS:
        folder = exported(form)
        assert not (folder / PRIVATE).exists()
        assert "rivate" not in (folder / "README.md").read_text(encoding="utf-8")


def test_two_exports_of_one_build_are_the_same_bytes(tmp_path: Path, exported: Exported, demo: Benchmark) -> None:
    export_to(tmp_path / "again", plan_of(demo, HF))
    for name in files_of(exported(HF)):
        assert (tmp_path / "again" / name).read_bytes() == (exported(HF) / name).read_bytes()


# ---- Whole or not at all


def breaking(after: int) -> Form:
    """A form whose files cannot be written to their end."""

    def write(path: Path, samples: Iterable[Sample], marks: Mapping[str, str]) -> None:
        with path.open("w") as file:
            for number, sample in enumerate(samples):
                if number == after:
                    raise OSError(28, "No space left on device")
                file.write(sample.id)

    return Form("breaking", ".txt", write, {})


def test_an_export_that_fails_leaves_nothing(tmp_path: Path, demo: Benchmark) -> None:
    with pytest.raises(BuildError, match=r"out: cannot be written: No space left on device"):
        export_to(tmp_path / "out", plan_of(demo, breaking(50)))
    assert [*tmp_path.iterdir()] == []
    export_to(tmp_path / "out", plan_of(demo, JSONL))
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_interrupted_export_leaves_nothing(tmp_path: Path, demo: Benchmark) -> None:
    def interrupt(done: int, total: int, what: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_to(tmp_path / "out", plan_of(demo, JSONL), interrupt)
    assert [*tmp_path.iterdir()] == []


def test_what_a_killed_export_left_does_not_come_into_the_next(tmp_path: Path, demo: Benchmark) -> None:
    left = tmp_path / ".out.export" / "build" / "NER"
    left.mkdir(parents=True)
    (left / "old.jsonl").write_text("old")
    export_to(tmp_path / "out", plan_of(demo, JSONL))
    assert "NER/old.jsonl" not in files_of(tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_with_something_in_it_is_not_touched(tmp_path: Path, demo: Benchmark) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(BuildError, match="is not an empty folder"):
        export_to(tmp_path, plan_of(demo, JSONL))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_two_exports_into_one_folder_are_one_clear_error(tmp_path: Path, demo: Benchmark) -> None:
    def again(done: int, total: int, what: str) -> None:
        with pytest.raises(BuildError, match=r"out: another process is exporting it"):
            export_to(tmp_path / "out", plan_of(demo, JSONL))

    made = export_to(tmp_path / "out", plan_of(demo.select(tasks=["ED"]), JSONL), again)
    assert export_of(tmp_path / "out") == made


def test_progress_counts_samples_to_their_number(tmp_path: Path, demo: Benchmark) -> None:
    seen: list[tuple[int, int]] = []
    made = export_to(tmp_path / "out", plan_of(demo, JSONL), lambda done, total, _: seen.append((done, total)))
    assert seen == sorted(seen)
    assert seen[-1] == (made.samples, made.samples)
