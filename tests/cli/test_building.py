from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from massie.build import Benchmark, load_benchmark

Massie = Callable[..., Any]
MANIFEST = "manifest.json"


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No network, no mirror, an empty cache."""
    monkeypatch.delenv("MASSIE_MIRROR", raising=False)
    monkeypatch.setenv("MASSIE_OFFLINE", "1")
    monkeypatch.setenv("MASSIE_CACHE", str(tmp_path / "cache"))


def test_fetching_without_network_is_one_clear_error(massie: Massie) -> None:
    done = massie("fetch", "masakhaner20", "--language", "swa")
    assert done.code == 2
    assert done.out == ""
    (line,) = done.err.splitlines()
    assert line.startswith("massie: masakhaner20: https://")
    assert "MASSIE_OFFLINE forbids to download it" in line
    assert "--mirror DIR" in line


@pytest.mark.realdata
def test_fetching_from_a_mirror_verifies_what_it_holds(massie: Massie, mirror: Path) -> None:
    done = massie("fetch", "kluner", "--mirror", mirror, "--json")
    assert done.code == 0, done.err
    assert (done.json["dataset"], done.json["origin"]) == ("kluner", "mirror")
    assert done.json["files"] >= 1
    assert done.json["bytes"] > 0


@pytest.mark.realdata
def test_a_mirror_named_in_the_environment_is_used(
    massie: Massie, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASSIE_MIRROR", str(mirror))
    done = massie("fetch", "kluner")
    assert done.code == 0, done.err
    assert done.out.startswith("kluner: ")
    assert done.out.endswith(" MB (mirror)\n")


def test_a_mirror_that_holds_nothing_names_the_cells_that_it_lacks(massie: Massie, tmp_path: Path) -> None:
    (tmp_path / "mirror").mkdir()
    done = massie("fetch", "masakhaner20", "--language", "swa", "--mirror", tmp_path / "mirror")
    assert done.code == 2
    assert "masakhaner20: the mirror does not hold https://" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("fetch", "masakhaner"), "unknown dataset 'masakhaner'; did you mean 'masakhaner20'"),
        (("fetch", "masakhaner20", "--language", "swaa"), "unknown language 'swaa'; did you mean 'swa'"),
        (("fetch", "masakhaner20", "--mirror", "absent"), "--mirror (MASSIE_MIRROR): absent is not a folder"),
        (("build", "m-dmo", "--out", "data"), "unknown benchmark 'm-dmo'; did you mean 'm-demo'"),
        (("build", "m-demo", "--dataset", "demo-natur", "--out", "data"), "did you mean 'demo-nature'"),
        (("build", "m-demo", "--dataset", "xsid", "--out", "data"), "(the benchmark m-demo does not have it)"),
        (("build", "m-demo", "--language", "swq", "--out", "data"), "unknown language 'swq'; did you mean 'swa'"),
        (("build", "m-demo", "--raw", "absent", "--out", "data"), "--raw: absent is not a folder"),
    ],
)
def test_an_unknown_name_is_one_clear_error(massie: Massie, words: tuple[str, ...], said: str) -> None:
    done = massie(*words)
    assert done.code == 2
    assert said in done.err
    assert len(done.err.splitlines()) == 1
    assert not Path("data").exists()


def test_a_build_leaves_a_manifest_and_what_it_prints_is_that_manifest(built: tuple[Path, Any]) -> None:
    folder, done = built
    assert done.code == 0, done.err
    assert done.json == json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    assert not list(folder.parent.glob(".*"))


def test_a_build_on_disk_is_the_benchmark_in_memory(built: tuple[Path, Any], demo: Benchmark) -> None:
    opened = load_benchmark("m-demo", data=built[0])
    assert opened.digest == demo.digest
    assert opened.samples() == demo.samples()


def test_the_report_of_a_build_counts_and_says_what_is_next(massie: Massie) -> None:
    done = massie("build", "m-demo", "--dataset", "demo-nature", "--out", "data")
    assert done.code == 0, done.err
    assert "demo-nature" in done.out
    assert done.out.splitlines()[-1] == "next             massie run m-demo --data data --adapter lexicon"


def test_a_part_has_another_digest(massie: Massie, demo: Benchmark) -> None:
    done = massie("build", "m-demo", "--language", "swa", "--language", "jpn", "--out", "data", "--json")
    assert {cell["language"] for cell in done.json["cells"]} == {"swa", "jpn"}
    assert done.json["digest"] != demo.digest


def test_a_folder_that_is_not_empty_is_refused_and_left_alone(massie: Massie, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.txt").write_text("keep me", encoding="utf-8")
    done = massie("build", "m-demo", "--out", "data")
    assert done.code == 2
    assert "data: is not an empty folder; name another with --out" in done.err
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["mine.txt"]


def test_a_folder_that_cannot_be_written_is_one_clear_error(massie: Massie, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = massie("build", "m-demo", "--dataset", "demo-nature", "--out", "file/data")
    assert done.code == 2
    assert "file/data: cannot be written: " in done.err


def test_a_cell_that_fails_is_named_and_the_others_are_built(massie: Massie, rivers: Path) -> None:
    done = massie("build", "waters", "--tasks", "cards", "--raw", "raw", "--out", "data")
    assert done.code == 2
    assert "massie: not built: rivers: there is no file raw/swa.jsonl; the dataset must be brought" in done.err
    opened = json.loads((rivers / "data" / MANIFEST).read_text(encoding="utf-8"))
    assert {cell["language"] for cell in opened["cells"]} == {"eng"}
    assert {gap["language"] for gap in opened["gaps"]} == {"swa"}


def test_a_build_that_was_interrupted_goes_on_when_the_same_command_is_given_again(
    massie: Massie, rivers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("build", "waters", "--tasks", "cards", "--raw", "raw", "--language", "eng", "--json", "--out")
    whole = massie(*command, "whole")
    real = Path.write_text

    def stopped(path: Path, *arguments: Any, **options: Any) -> int:
        if path.name == MANIFEST:
            raise KeyboardInterrupt
        return real(path, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", stopped)
        done = massie(*command, "data")
    assert (done.code, done.out, done.err.strip()) == (130, "", "massie: interrupted")
    assert not (rivers / "data").exists()
    done = massie(*command, "data")
    assert done.code == 0, done.err
    assert done.json == whole.json
    assert not list(rivers.glob(".*"))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_fault_of_a_card_is_one_clear_error_in_however_many_processes(
    massie: Massie, rivers: Path, workers: str
) -> None:
    card = rivers / "cards" / "rivers.yaml"
    card.write_text(card.read_text(encoding="utf-8").replace("where:", "wher:"), encoding="utf-8")
    done = massie("build", "waters", "--tasks", "cards", "--raw", "raw", "--out", "data", "--workers", workers)
    assert done.code == 2
    assert "card rivers: reader.options: wher: unknown key" in done.err
    assert len(done.err.splitlines()) == 1
    assert not (rivers / "data").exists()


def test_the_number_of_processes_changes_nothing(massie: Massie, rivers: Path) -> None:
    command = ("build", "waters", "--tasks", "cards", "--raw", "raw", "--language", "eng", "--json")
    one, two = (massie(*command, "--out", number, "--workers", number) for number in ("1", "2"))
    assert one.code == two.code == 0, two.err
    assert one.json == two.json


def test_a_dataset_that_must_be_brought_says_so(massie: Massie, rivers: Path) -> None:
    done = massie("fetch", "rivers", "--tasks", "cards")
    assert done.code == 2
    assert "rivers: the dataset must be brought: ask nobody for rivers.zip" in done.err
    assert "--raw DIR" in done.err


VERIFY = ("build", "waters", "--tasks", "cards", "--raw", "raw", "--language", "eng")


@pytest.fixture
def waters(massie: Massie, rivers: Path) -> Path:
    """A folder with a build of the English part of the benchmark ``waters`` in ``data``."""
    done = massie(*VERIFY, "--out", "data")
    assert done.code == 0, done.err
    return rivers


@pytest.mark.usefixtures("waters")
def test_a_build_that_verifies_ends_with_0(massie: Massie) -> None:
    done = massie(*VERIFY, "--verify", "data")
    assert (done.code, done.out) == (0, "2 cells compared with the raw files, 0 differ\n")
    found = massie(*VERIFY, "--verify", "data", "--json").json
    digest = json.loads(Path("data", MANIFEST).read_text(encoding="utf-8"))["digest"]
    assert found == {"digest": digest, "compared": 2, "differences": [], "undecided": [], "unavailable": []}


def test_a_build_that_differs_ends_with_1_and_names_the_cell(massie: Massie, waters: Path) -> None:
    (waters / "data" / "NER" / "test" / "rivers.eng.samples.parquet").unlink()
    done = massie(*VERIFY, "--verify", "data")
    assert done.code == 1
    assert "NER/rivers" in done.out and "cannot be read" in done.out
    assert done.out.splitlines()[-1] == "2 cells compared with the raw files, 1 differ"
    (found,) = massie(*VERIFY, "--verify", "data", "--json").json["differences"]
    assert (found["cell"], found["split"]) == ("NER/rivers/eng", "test")


def test_a_manifest_that_was_changed_ends_with_1_and_is_told(massie: Massie, waters: Path) -> None:
    path = waters / "data" / MANIFEST
    path.write_text(path.read_text(encoding="utf-8").replace('"digest": "', '"digest": "0'), encoding="utf-8")
    done = massie(*VERIFY, "--verify", "data")
    assert done.code == 1
    assert done.out.startswith("manifest.json: its digest is not that of what it says")
    found = massie(*VERIFY, "--verify", "data", "--json").json["differences"]
    assert [each["cell"] for each in found] == [None, "NER/rivers/eng", "NER/rivers/eng"]


def test_raw_files_that_are_not_at_hand_are_a_note(massie: Massie, waters: Path) -> None:
    (waters / "raw" / "eng.jsonl").unlink()
    done = massie(*VERIFY, "--verify", "data")
    assert done.code == 0
    assert "of 2 raw cells the files are not at hand: their tables alone were checked" in done.err
    assert [gap["raw_split"] for gap in massie(*VERIFY, "--verify", "data", "--json").json["unavailable"]] == [
        "test",
        "train",
    ]


@pytest.mark.usefixtures("waters")
def test_a_part_that_is_verified_as_the_whole_is_one_hint(massie: Massie) -> None:
    done = massie("build", "waters", "--tasks", "cards", "--raw", "raw", "--verify", "data")
    assert (done.code, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert "data: does not hold rivers swa" in line
    assert "with the same options (--language eng)" in line


@pytest.mark.usefixtures("waters")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("m-demo", "--verify", "data"), "data: holds waters, not m-demo; name the benchmark that it holds"),
        (("m-demo", "--verify", "nowhere"), "nowhere: holds no build"),
        (("m-demo", "--verify", "data", "--out", "more"), "give either --out DIR (to build there) or --verify DIR"),
        (("m-demo",), "give either --out DIR (to build there) or --verify DIR"),
    ],
)
def test_what_cannot_be_verified_ends_with_2(massie: Massie, words: tuple[str, ...], said: str) -> None:
    done = massie("build", *words)
    assert done.code == 2
    assert said in done.err
    assert not Path("more").exists()


def test_the_same_difference_in_many_languages_is_one_line(massie: Massie, waters: Path) -> None:
    codes = ["eng", "swa", "deu", "yor", "hau"]
    card = waters / "cards" / "rivers.yaml"
    text = card.read_text(encoding="utf-8").replace("[eng, swa]", f"[{', '.join(codes)}]")
    card.write_text(text, encoding="utf-8")
    for code in codes:
        (waters / "raw" / f"{code}.jsonl").write_bytes((waters / "raw" / "eng.jsonl").read_bytes())
    command = ("build", "waters", "--tasks", "cards", "--raw", "raw")
    assert massie(*command, "--out", "all").code == 0
    card.write_text(text.replace("name: river}", "name: stream}"), encoding="utf-8")
    done = massie(*command, "--verify", "all")
    assert done.code == 1
    rows = [line for line in done.out.splitlines() if "labels: 'river' in the build, 'stream' now" in line]
    assert len(rows) == 2
    assert all("deu, eng, hau and 2 more" in row for row in rows)


def test_without_datasketch_near_duplicates_are_one_clear_error(
    massie: Massie, rivers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "datasketch", None)
    done = massie(*VERIFY, "--near-duplicates", "report", "--out", "data")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "massie: --near-duplicates needs the package 'datasketch': pip install 'massie[near-duplicates]'\n"
    )
    assert not list(rivers.glob("*data*"))
