"""Standoff tables: columns in any order, and what real files hold besides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massie.readers import Faults, Joining, RawText, Reading
from massie.readers.standoff import Options, read
from massie.sources import RawFile
from massie.types import Mention, ReaderError, Span

Read = Callable[..., list[RawText]]

TEXT = "Amina met Otieno in Kisumu.\n"
PERSON = Span("PER", Mention("Amina", ((0, 5),)))
CITY = Span("LOC", Mention("Kisumu", ((20, 26),)))
OFFSETS_FIRST = {"columns": 4, "start": 1, "end": 2, "surface": 3, "label": 4}
ANY_BUT_BOM = st.characters(exclude_categories=["Cs"], exclude_characters="\ufeff")
SURFACE_LAST = {"columns": 5, "label": 2, "start": 3, "end": 4, "surface": 5}


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def read_standoff(tmp_path: Path, faults: Faults) -> Read:
    """Reads a text with its table, or all of these files."""

    def read_files(
        table: str,
        text: str = TEXT,
        files: dict[str, str] | None = None,
        joining: Joining | None = None,
        **options: Any,
    ) -> list[RawText]:
        raw: list[RawFile] = []
        for name, content in (files or {"1.txt": text, "1.ann": table}).items():
            path = tmp_path / name.replace("/", "-")
            path.write_bytes(content.encode())
            raw.append(RawFile(name, path))
        reading = Reading("a", "eng", "test", "en", "test", joining or Joining(spaces=True), faults)
        return list(read(raw, Options.model_validate(options), reading))

    return read_files


def test_the_card_names_the_columns(read_standoff: Read, faults: Faults) -> None:
    expected = [RawText(TEXT, (PERSON, CITY), "1.txt")]

    assert read_standoff("0\t5\tAmina\tPER\n20\t26\tKisumu\tLOC\n", **OFFSETS_FIRST) == expected
    assert read_standoff("T1\tPER\t0\t5\tAmina\nT2\tLOC\t20\t26\tKisumu", **SURFACE_LAST) == expected
    assert not faults.counts


def test_files_are_paired_by_what_their_names_have_in_common(read_standoff: Read) -> None:
    files = {
        "raw/en/a.txt.txt": TEXT,
        "ner/en/a.txt.tsv": "0\t5\tAmina\tPER\n",
        "ner/en/b.tsv": "",
        "raw/en/b.txt": "B",
    }
    names = {"text_file": "raw/{document}.txt", "annotation_file": "ner/{document}.tsv"}

    assert read_standoff("", files=files, **names, **OFFSETS_FIRST) == [
        RawText(TEXT, (PERSON,), "raw/en/a.txt.txt"),
        RawText("B", (), "raw/en/b.txt"),
    ]


def test_a_missing_companion_is_an_error_that_names_it(read_standoff: Read) -> None:
    with pytest.raises(ReaderError, match=r"1\.txt: its companion 1\.ann is missing"):
        read_standoff("", files={"1.txt": TEXT}, **OFFSETS_FIRST)


def test_a_surface_with_a_line_break_goes_on_in_the_next_line(read_standoff: Read, faults: Faults) -> None:
    table = "T1\tPER\t0\t5\tAmina\nT2\tLOC\t9\t18\tLake\nSide\n\nT3\tLOC\t22\t28\tKisumu\n"

    (text,) = read_standoff(table, text="Amina at Lake\nSide by Kisumu", **SURFACE_LAST)

    assert text.annotations[1:] == (
        Span("LOC", Mention("Lake\nSide", ((9, 18),))),
        Span("LOC", Mention("Kisumu", ((22, 28),))),
    )
    assert not faults.counts


def test_lines_that_are_no_row_and_offsets_outside_the_text_are_faults(read_standoff: Read, faults: Faults) -> None:
    table = "start\tend\tsurface\tlabel\n0\t5\tAmina\tPER\n0\t5\tAmina\n20\t99\tKisumu\tLOC\n5\t5\t\tLOC\nKisumu\n"

    (text,) = read_standoff(table, **OFFSETS_FIRST)

    assert text.annotations == (PERSON,)
    assert faults.counts == {"malformed line": 3, "offsets outside the text": 2}
    assert faults.places["malformed line"] == ["1.ann:1", "1.ann:3", "1.ann:6"]


def test_a_table_without_any_row_of_the_cards_columns_is_an_error(read_standoff: Read) -> None:
    with pytest.raises(ReaderError, match=r"1\.ann:2: no line of the file has 4 columns"):
        read_standoff("\nT1\tPER\t0\t5\tAmina\n", **OFFSETS_FIRST)


def test_without_a_column_of_surfaces_they_are_taken_from_the_text(read_standoff: Read) -> None:
    (text,) = read_standoff("PER\t0\t5\tA mina\t2\n", columns=5, label=1, start=2, end=3)

    assert text.annotations == (PERSON,)


def test_a_surface_that_is_not_at_its_offsets_is_left_as_stated(read_standoff: Read) -> None:
    (text,) = read_standoff("0\t5\tOtieno\tPER\n", **OFFSETS_FIRST)

    assert text.annotations == (Span("PER", Mention("Otieno", ((0, 5),))),)


def test_replacements_of_the_card_hold_in_text_and_surfaces(read_standoff: Read) -> None:
    (text,) = read_standoff(
        "0\t7\tLa_Villa\tLOC\n", text="La_Ville", joining=Joining(True, replace={ord("_"): " "}), **OFFSETS_FIRST
    )

    assert text == RawText("La Ville", (Span("LOC", Mention("La Villa", ((0, 7),))),), "1.txt")


def test_line_ends_of_windows_and_a_bom_are_no_part_of_a_table(read_standoff: Read, faults: Faults) -> None:
    (text,) = read_standoff("\ufeff0\t5\tAmina\tPER\r\n20\t26\tKisumu\tLOC\r\n", **OFFSETS_FIRST)

    assert text.annotations == (PERSON, CITY)
    assert not faults.counts


@given(before=st.text(ANY_BUT_BOM, max_size=20), after=st.text("😀é字 ", max_size=9))
def test_offsets_in_code_units_become_offsets_in_characters(
    tmp_path_factory: pytest.TempPathFactory, before: str, after: str
) -> None:
    folder = tmp_path_factory.mktemp("pair")
    start = len(before.encode("utf-16-le")) // 2
    (folder / "1.txt").write_text(f"{before}Kisumu{after}", encoding="utf-8", newline="")
    (folder / "1.ann").write_text(f"LOC\t{start}\t{start + 6}\n")
    reading = Reading("a", "eng", "test", "en", "test", Joining(spaces=True), Faults())
    options = Options(columns=3, label=1, start=2, end=3, unit="UTF-16")
    files = [RawFile(path.name, path) for path in sorted(folder.iterdir())]

    (text,) = read(files, options, reading)

    assert text.annotations == (Span("LOC", Mention("Kisumu", ((len(before), len(before) + 6),))),)


def test_half_of_a_surrogate_pair_is_no_offset(read_standoff: Read, faults: Faults) -> None:
    (text,) = read_standoff("PER\t1\t7\nPER\t2\t7\n", text="😀Amina", columns=3, label=1, start=2, end=3, unit="UTF-16")

    assert text.annotations == (Span("PER", Mention("Amina", ((1, 6),))),)
    assert faults.counts == {"offsets outside the text": 1}


def test_a_column_that_a_row_does_not_have_is_an_error() -> None:
    with pytest.raises(ValueError, match="there is no column 5: a row has the columns 1 to 4"):
        Options.model_validate(OFFSETS_FIRST | {"label": 5})
