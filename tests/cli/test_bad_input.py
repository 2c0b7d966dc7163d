"""Raw files and cards that are not as they should be: a clear error or a counted drop, and never a traceback."""

from __future__ import annotations

import gzip
import io
import json
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Massie = Callable[..., Any]

CARD: dict[str, Any] = {
    "tasks": ["NER"],
    "status": "ready",
    "in_paper": False,
    "languages": ["swa"],
    "licence": {"spdx": "CC0-1.0", "redistributable": True},
    "access": "on request",
    "citation": "nobody, 2026",
    "homepage": None,
    "entities": {"RIV": {"name": "river"}, "LAKE": {"name": "lake"}},
}
JSONL = {"name": "jsonl"}
COLUMNS = {"name": "columns", "options": {"columns": 2, "tags": [2]}}
TEXT = "Mto Nile unapita Kairo"
GOOD = {"text": TEXT, "annotations": [{"label": "RIV", "start": 4, "end": 8, "surface": "Nile"}]}


def lines(*items: dict[str, Any]) -> bytes:
    return "".join(json.dumps(item) + "\n" for item in items).encode()


def annotated(**more: Any) -> dict[str, Any]:
    return GOOD | {"annotations": [GOOD["annotations"][0] | more]}


def zipped(name: str = "test.jsonl", content: bytes = b"", kind: int = stat.S_IFREG) -> bytes:
    with zipfile.ZipFile(packed := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as opened:
        info = zipfile.ZipInfo(name)
        info.external_attr = (kind | 0o644) << 16
        opened.writestr(info, content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def linked(target: str) -> bytes:
    with tarfile.open(fileobj=(packed := io.BytesIO()), mode="w") as opened:
        link = tarfile.TarInfo("test.jsonl")
        link.type, link.linkname = tarfile.SYMTYPE, target
        opened.addfile(link)
    return packed.getvalue()


def bomb() -> bytes:
    """A zip of 10 kB that says to hold 4 GB."""
    stated = (10**7).to_bytes(4, "little")
    return zipped(content=bytes(10**7)).replace(stated, (4 * 10**9).to_bytes(4, "little"))


UNSAFE = "nothing of it was kept: fetch it from a place that you trust"
AGAIN = "fetch it again"

REFUSED: dict[str, tuple[bytes, str, str]] = {
    "half-a-zip": (zipped(content=lines(GOOD) * 99)[:60], "the archive test.zip cannot be unpacked", AGAIN),
    "half-a-tar": (gzip.compress(linked("x"))[:60], "the archive test.zip cannot be unpacked", AGAIN),
    "error-page": (b"<html>404</html>", "the archive test.zip is no zip, tar or compressed file", AGAIN),
    "parent-path": (zipped("../../escaped.jsonl"), "the unsafe name '../../escaped.jsonl'", UNSAFE),
    "absolute-path": (zipped("/tmp/escaped.jsonl"), "the unsafe name '/tmp/escaped.jsonl'", UNSAFE),
    "bomb": (bomb(), "a member 'test.jsonl' packed more than 200 to one", UNSAFE),
    "link-out-of-a-tar": (linked("/etc/passwd"), "has a link or device 'test.jsonl'", UNSAFE),
    "link-out-of-a-zip": (zipped(content=b"/etc/passwd", kind=stat.S_IFLNK), "has a link or device", UNSAFE),
    "other-member": (
        zipped("train.jsonl"),
        "has no member 'test.jsonl'; it has train.jsonl",
        "mend the card's pattern",
    ),
}
"""Archives, what is said of them, and what to do."""

BROKEN: dict[str, tuple[bytes, dict[str, Any], str]] = {
    "latin-1": (b'{"text": "caf\xe9", "annotations": []}\n', JSONL, ":1: not utf-8: byte 0xe9; fetch the file again"),
    "utf-16": ("Mto\tO\n".encode("utf-16"), COLUMNS, ":1: not utf-8: byte 0xff; fetch the file again"),
    "latin-1-columns": (b"Mto\tO\ncaf\xe9\tO\n", COLUMNS, ":2: not utf-8: byte 0xe9"),
    "half-a-line": (lines(GOOD) + b'{"text": "half a li', JSONL, ":2: not a line of MASSIE's JSON lines"),
    "no-columns": (b"Mto Nile\nunapita Kairo\n", COLUMNS, ":1: "),
    "endless-number": (lines(annotated(end=7)).replace(b"7", b"1e999"), JSONL, ":1: not a line of MASSIE's JSON lines"),
    "many-digits": (lines(annotated(end=7)).replace(b"7", b"7" * 5000), JSONL, ":1: not a line of MASSIE's JSON lines"),
}
"""Raw files that cannot be read, their reader, and what is said of them."""

DROPPED: dict[str, tuple[bytes, dict[str, Any], dict[str, int]]] = {
    "offsets-past-the-end": (lines(annotated(start=400, end=404)), JSONL, {"offsets outside the text": 1}),
    "offsets-below-zero": (lines(annotated(start=-22, end=-18)), JSONL, {"offsets outside the text": 1}),
    "offsets-past-all-bounds": (lines(annotated(end=10**30)), JSONL, {"offsets outside the text": 1}),
    "other-surface": (lines(annotated(surface="Kairo")), JSONL, {"surface not at its offsets": 1}),
    "unknown-label": (lines(annotated(label="SEA")), JSONL, {"label 'SEA' not in the card": 1}),
    "unknown-tags": (
        b"Mto\tO\nNile\tX-RIV\nKairo\tRIV\n",
        COLUMNS,
        {"not a tag of the scheme, taken as O": 2},
    ),
    "half-a-character": (
        lines(GOOD, {"text": "Mto \ud83d", "annotations": []}),
        JSONL,
        {"text with half of a surrogate pair": 1},
    ),
    "no-text": (lines(GOOD, {"text": " ", "annotations": []}), JSONL, {"text without characters": 1}),
}
"""Raw files in which something is dropped, their reader, and what is counted."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Places a card with its raw file."""
    monkeypatch.setenv("MASSIE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cards").mkdir()
    (tmp_path / "raw").mkdir()

    def write(
        dataset: str, content: bytes, reader: dict[str, Any] = JSONL, *, archive: bool = False, **more: Any
    ) -> None:
        file: dict[str, Any] = {"splits": ["test"], "path": "test.jsonl"}
        source = {"path": "ask nobody", "files": [file | ({"archive": "test.zip"} if archive else {})]}
        card = CARD | {"id": dataset, "name": dataset, "source": source, "reader": reader} | more
        (tmp_path / "cards" / f"{dataset}.yaml").write_text(json.dumps(card), encoding="utf-8")
        (tmp_path / "raw" / dataset).mkdir()
        (tmp_path / "raw" / dataset / ("test.zip" if archive else "test.jsonl")).write_bytes(content)

    return write


@pytest.fixture
def everything(tmp_path: Path, place: Callable[..., None]) -> Path:
    """A benchmark of all the raw files above, and of one that is as it should be."""
    place("good", lines(GOOD))
    for dataset, (content, _, _) in REFUSED.items():
        place(dataset, content, archive=True)
    for dataset, (content, reader, _) in (BROKEN | DROPPED).items():
        place(dataset, content, reader)
    (tmp_path / "cards" / "benchmarks").mkdir()
    definition = {"id": "bad", "name": "Bad", "version": "1", "summary": "Bad input."}
    plain = json.dumps(definition | {"datasets": ["good", *REFUSED, *BROKEN, *DROPPED]})
    (tmp_path / "cards" / "benchmarks" / "bad.yaml").write_text(plain, encoding="utf-8")
    return tmp_path


def reasons(manifest: dict[str, Any]) -> dict[str, str]:
    return {gap["dataset"]: gap["reason"] for gap in manifest["gaps"]}


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_build_names_every_file_that_it_cannot_use_counts_what_it_drops_and_makes_the_rest(
    massie: Massie, everything: Path, workers: str
) -> None:
    done = massie("build", "bad", "--tasks", "cards", "--raw", "raw", "--out", "data", "--workers", workers)
    assert done.code == 2
    assert "Traceback" not in done.out + done.err
    manifest = json.loads((everything / "data" / "manifest.json").read_text(encoding="utf-8"))
    told = reasons(manifest)
    assert told.keys() == REFUSED.keys() | BROKEN.keys()
    for dataset, (_, what, way_out) in REFUSED.items():
        assert told[dataset].startswith(f"{dataset}: the archive test.zip "), told[dataset]
        assert what in told[dataset] and way_out in told[dataset]
    for dataset, (_, _, what) in BROKEN.items():
        assert told[dataset].startswith(f"raw/{dataset}/test.jsonl{what}"), told[dataset]
    assert done.err.splitlines() == [
        *(line for line in done.err.splitlines() if line.startswith("building")),
        *(f"massie: not built: {gap['reason']}" for gap in manifest["gaps"]),
    ]
    cells = {cell["dataset"]: cell for cell in manifest["cells"]}
    assert cells["good"]["samples"] == 1 and not cells["good"]["dropped"]
    assert {dataset: cells[dataset]["dropped"] for dataset in DROPPED} == {
        dataset: dropped for dataset, (_, _, dropped) in DROPPED.items()
    }
    assert all(cells[dataset]["instances"] == 1 for dataset in DROPPED)
    assert not list(everything.rglob("escaped*")) and not Path("/tmp/escaped.jsonl").exists()
    assert not list((everything / "cache").rglob("test.jsonl"))


@pytest.mark.usefixtures("everything")
@pytest.mark.parametrize("dataset", [*REFUSED, *BROKEN])
def test_a_check_says_of_a_file_that_it_cannot_use_what_a_build_says(massie: Massie, dataset: str) -> None:
    done = massie("check", dataset, "--tasks", "cards", "--raw", "raw")
    assert done.code == 2
    what = REFUSED[dataset][1] if dataset in REFUSED else BROKEN[dataset][2]
    (line,) = [line for line in done.err.splitlines() if not line.startswith("checking")]
    assert line.startswith(f"massie: {dataset} swa test: not read: ")
    assert what in line


@pytest.mark.usefixtures("everything")
def test_a_build_of_nothing_but_such_files_is_their_reasons_alone(massie: Massie) -> None:
    done = massie("build", "bad", "--dataset", "bomb", "--tasks", "cards", "--raw", "raw", "--out", "data")
    assert (done.code, done.out) == (2, "")
    assert "massie: bomb: the archive test.zip has a member 'test.jsonl' packed more than 200 to one" in done.err
    assert not Path("data").exists()


CARDS: dict[str, tuple[dict[str, Any], str]] = {
    "a language that is not in the table": ({"languages": ["swx"]}, "unknown language 'swx'; did you mean"),
    "the English name of a language": ({"languages": ["Swahili"]}, "(swa is the code of Swahili)"),
    "an unknown tag scheme": (
        {"reader": {"name": "columns", "options": COLUMNS["options"] | {"scheme": "biloux"}}},
        "reader.options: scheme",
    ),
    "an unknown reader": ({"reader": {"name": "column"}}, "unknown reader 'column'; did you mean 'columns'"),
    "an option that the reader lacks": (
        {"reader": {"name": "jsonl", "options": {"encoding": "latin-1"}}},
        "card rivers: reader.options: encoding: unknown key",
    ),
    "no label": ({"entities": {}}, "entities"),
    "an unknown key": ({"colour": "blue"}, "rivers.yaml: colour: unknown key"),
    "a task that there is not": ({"tasks": ["NEL"]}, "tasks.0"),
}
"""What is wrong with a card, and what is said of it."""


@pytest.mark.parametrize("fault", CARDS)
@pytest.mark.parametrize(
    "command", [("build", "m-light", "--dataset", "rivers", "--out", "data", "--workers", "1"), ("check", "rivers")]
)
def test_a_fault_of_a_card_is_one_clear_line(
    massie: Massie, place: Callable[..., None], command: tuple[str, ...], fault: str
) -> None:
    more, said = CARDS[fault]
    place("rivers", b"Mto\tO\n" if "columns" in str(more) else lines(GOOD), **more)
    done = massie(*command, "--tasks", "cards", "--raw", "raw")
    assert done.code == 2
    (line,) = [line for line in done.err.splitlines() if not line.startswith(("building", "checking"))]
    assert line.startswith("massie: ")
    assert said in line
    assert not Path("data").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"id: rivers\n  name: x\n", "cards/rivers.yaml:2: "),
        (b"id: rivers\nid: rivers\n", "cards/rivers.yaml"),
        (b"\xff\xfe", "cards/rivers.yaml"),
        (b"- a list\n", "cards/rivers.yaml"),
        (b"!!python/object/apply:os.system ['true']\n", "cards/rivers.yaml"),
    ],
)
def test_a_file_that_is_no_card_is_one_clear_line(massie: Massie, tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "rivers.yaml").write_bytes(content)
    done = massie("check", "rivers", "--tasks", "cards")
    assert done.code == 2
    (line,) = done.err.splitlines()
    assert said in line
