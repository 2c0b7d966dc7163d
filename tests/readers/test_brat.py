"""brat standoff: mentions, relations and events, and what real files hold besides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from massie.readers import Faults, Joining, RawText, Reading
from massie.readers.brat import Options, read
from massie.sources import RawFile
from massie.types import Argument, Event, Mention, ReaderError, Record, Relation, Span

Read = Callable[..., list[RawText]]

TEXT = "Amina met Otieno and Wanjiru in Kisumu.\nShe paid Otieno.\n"
AMINA = Mention("Amina", ((0, 5),))
MET = Mention("met", ((6, 9),))
OTIENO = Mention("Otieno", ((10, 16),))
KISUMU = Mention("Kisumu", ((32, 38),))
MENTIONS = "T1\tPERSON 0 5\tAmina\nT2\tPERSON 10 16\tOtieno\nT3\tCITY 32 38\tKisumu\n"


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def read_brat(tmp_path: Path, faults: Faults) -> Read:
    """Reads these files, ``name=content``, in this order."""

    def read_files(contents: dict[str, str | bytes], joining: Joining | None = None, **options: Any) -> list[RawText]:
        files: list[RawFile] = []
        for name, content in contents.items():
            path = tmp_path / name.replace("/", "-")
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            files.append(RawFile(name, path))
        reading = Reading("a", "eng", "test", "en", "test", joining or Joining(spaces=True), faults)
        return list(read(files, Options.model_validate(options), reading))

    return read_files


def records(read_brat: Read, annotations: str | bytes, text: str | bytes = TEXT, **options: Any) -> tuple[Record, ...]:
    return read_brat({"a/1.txt": text, "a/1.ann": annotations}, **options)[0].annotations


def test_a_pair_of_files_is_a_text_with_its_spans(read_brat: Read) -> None:
    assert read_brat({"a/1.txt": TEXT, "a/1.ann": MENTIONS}) == [
        RawText(TEXT, (Span("PERSON", AMINA), Span("PERSON", OTIENO), Span("CITY", KISUMU)), "a/1.txt")
    ]


def test_files_are_paired_by_their_stem_in_any_order(read_brat: Read) -> None:
    files = {"a/1.ann": "", "a/2.ann": "", "b/1.ann": "", "b/1.txt": "b1", "a/1.v2.txt": "v2", "a/1.v2.ann": ""}
    texts = read_brat(files | {"a/2.txt": "a2", "a/1.txt": "a1"})

    assert [(text.where, text.text) for text in texts] == [
        ("a/1.txt", "a1"),
        ("a/2.txt", "a2"),
        ("b/1.txt", "b1"),
        ("a/1.v2.txt", "v2"),
    ]


def test_relations_link_mentions_by_id_wherever_the_lines_stand(read_brat: Read) -> None:
    found = records(read_brat, "R1\tLIVES_IN Arg1:T1 Arg2:T3\t\nR2\tKNOWS Arg1:T2 Arg2:T1\n" + MENTIONS)

    assert found[3:] == (Relation("LIVES_IN", AMINA, KISUMU), Relation("KNOWS", OTIENO, AMINA))


def test_an_event_has_its_trigger_and_arguments_by_role(read_brat: Read) -> None:
    found = records(
        read_brat, MENTIONS + "T4\tMeet 6 9\tmet\nE1\tMeet:T4 Person:T1 Person2:T2 Place:T3 \nE2\tMeet:T4\n"
    )

    assert found == (
        Span("PERSON", AMINA),
        Span("PERSON", OTIENO),
        Span("CITY", KISUMU),
        Event("Meet", MET, (Argument("Person", AMINA), Argument("Person2", OTIENO), Argument("Place", KISUMU))),
        Event("Meet", MET),
    )


def test_numbers_and_suffixes_of_roles_are_taken_off_as_the_card_says(read_brat: Read) -> None:
    event = MENTIONS + "T4\tMeet 6 9\tmet\nE1\tMeet:T4 Person-Arg:T1 Person-Arg2:T2 Place:T3\n"

    def roles(**options: Any) -> list[str]:
        found = records(read_brat, event, **options)[-1]
        assert isinstance(found, Event)
        return [argument.role for argument in found.arguments]

    assert roles() == ["Person-Arg", "Person-Arg2", "Place"]
    assert roles(numbered_roles=True) == ["Person-Arg", "Person-Arg", "Place"]
    assert roles(numbered_roles=True, role_suffix="-Arg") == ["Person", "Person", "Place"]


def test_an_event_that_is_an_argument_stands_for_its_trigger(read_brat: Read) -> None:
    lines = "T4\tMeet 6 9\tmet\nT5\tPay 44 48\tpaid\nE2\tPay:T5 Giver:T1 Occasion:E1\nE1\tMeet:T4\n"

    assert Event("Pay", Mention("paid", ((44, 48),)), (Argument("Giver", AMINA), Argument("Occasion", MET))) in records(
        read_brat, MENTIONS + lines
    )


def test_a_discontinuous_mention_keeps_its_fragments(read_brat: Read) -> None:
    line = "T1\tMEETING 0 9;17 28\tAmina met and Wanjiru\n"

    assert records(read_brat, line) == (Span("MEETING", Mention("Amina met and Wanjiru", ((0, 9), (17, 28)))),)


def test_fragments_are_joined_by_nothing_where_the_script_has_no_spaces(read_brat: Read) -> None:
    found = records(read_brat, "T1\t地名 0 2;3 4\t東京 都\n", "東京の都", joining=Joining(spaces=False))

    assert found == (Span("地名", Mention("東京都", ((0, 2), (3, 4)))),)


def test_a_line_break_within_a_mention_is_a_space_in_brats_surface(read_brat: Read) -> None:
    found = records(read_brat, "T1\tX 32 43\tKisumu. She\n")

    assert found == (Span("X", Mention("Kisumu.\nShe", ((32, 43),))),)


def test_a_surface_that_does_not_stand_there_is_left_to_the_build(read_brat: Read) -> None:
    assert records(read_brat, "T1\tPERSON 1 6\tAmina\n") == (Span("PERSON", Mention("Amina", ((1, 6),))),)


def test_other_kinds_of_lines_are_passed_over(read_brat: Read, faults: Faults) -> None:
    others = (
        "N1\tReference T1 Wiki:Q1\tAmina\nA1\tNegated E1\nM1\tOld T1\n#1\tAnnotatorNotes T1\twho?\n*\tEquiv T1 T2\n\n"
    )

    assert records(read_brat, others + MENTIONS) == records(read_brat, MENTIONS)
    assert not faults.counts


def test_bom_and_crlf_of_annotations_are_no_trouble(read_brat: Read) -> None:
    windows = ("\ufeff" + MENTIONS + "R1\tLIVES_IN Arg1:T1 Arg2:T3\n").replace("\n", "\r\n")

    assert records(read_brat, windows)[2:] == (Span("CITY", KISUMU), Relation("LIVES_IN", AMINA, KISUMU))


def test_carriage_returns_of_the_text_are_counted(read_brat: Read) -> None:
    (text,) = read_brat({"1.txt": "Amina\r\nOtieno", "1.ann": "T1\tPERSON 7 13\tOtieno\n"})

    assert text.text == "Amina\r\nOtieno"
    assert text.annotations == (Span("PERSON", Mention("Otieno", ((7, 13),))),)


@pytest.mark.parametrize("counted", [0, 1])
def test_a_bom_of_the_text_is_taken_off_whether_or_not_offsets_count_it(read_brat: Read, counted: int) -> None:
    line = f"T1\tPERSON {counted} {counted + 5}\tAmina\nT2\tPERSON {10 + counted} {16 + counted}\tOtieno\n"
    (text,) = read_brat({"1.txt": "\ufeff" + TEXT, "1.ann": line})

    assert text.text == TEXT
    assert text.annotations == (Span("PERSON", AMINA), Span("PERSON", OTIENO))


def test_single_characters_are_replaced_in_text_and_surfaces(read_brat: Read) -> None:
    found = records(
        read_brat, "T1\tPLACE 0 8\tCao_Lãnh\n", "Cao_Lãnh .", joining=Joining(spaces=True, replace={ord("_"): " "})
    )

    assert found == (Span("PLACE", Mention("Cao Lãnh", ((0, 8),))),)


@pytest.mark.parametrize(
    "line",
    [
        "T9\tPERSON 0 5",
        "T9\tPERSON 0\tAmina",
        "T9 PERSON 0 5 Amina",
        f"T9\tPERSON 0 {'5' * 5000}\tAmina",
        f"T9\tPERSON 0 {10**30}\tAmina",
        "R9",
        "R9\tKNOWS Arg1:T1",
        "R9\tKNOWS T1 T2",
        "E9\tMeet",
    ],
)
def test_a_malformed_line_is_a_fault_and_the_rest_is_read(read_brat: Read, faults: Faults, line: str) -> None:
    assert records(read_brat, f"{line}\n{MENTIONS}") == records(read_brat, MENTIONS)
    assert faults.counts == {"malformed line": 1}
    assert faults.places["malformed line"] == ["a/1.ann:1"]


def test_a_line_of_an_unknown_kind_is_a_fault(read_brat: Read, faults: Faults) -> None:
    records(read_brat, MENTIONS + "?\n")

    assert faults.counts == {"line of an unknown kind": 1}
    assert faults.places["line of an unknown kind"] == ["a/1.ann:4"]


def test_references_to_ids_that_no_line_declares_are_faults(read_brat: Read, faults: Faults) -> None:
    lines = "R1\tKNOWS Arg1:T1 Arg2:T8\nE1\tMeet:T9 Person:T1\nT4\tMeet 6 9\tmet\nE2\tMeet:T4 Person:T1 Place:T7\n"
    found = records(read_brat, MENTIONS + lines)

    assert found[3:] == (Event("Meet", MET, (Argument("Person", AMINA),)),)
    assert faults.counts == {"reference to an id that no line declares": 3}
    assert faults.places["reference to an id that no line declares"] == ["a/1.ann:4", "a/1.ann:5", "a/1.ann:7"]


def test_a_missing_companion_is_an_error_that_names_it(read_brat: Read) -> None:
    with pytest.raises(ReaderError, match=r"its companion a/1\.ann is missing"):
        read_brat({"a/1.txt": TEXT})
    with pytest.raises(ReaderError, match=r"its companion a/1\.txt is missing"):
        read_brat({"a/1.ann": MENTIONS})


def test_a_file_that_is_neither_text_nor_annotations_is_an_error(read_brat: Read) -> None:
    with pytest.raises(ReaderError, match=r"annotation\.conf: neither '{document}\.txt' nor '{document}\.ann'"):
        read_brat({"annotation.conf": ""})


def test_the_card_says_how_the_two_files_of_a_document_are_called(read_brat: Read) -> None:
    files = {
        "Spans/s_1.txt": "T1\tPERSON 0 5\tAmina\n",
        "Texts/t_2.txt": "",
        "Texts/t_1.txt": TEXT,
        "Spans/s_2.txt": "",
    }
    names = {"text_file": "Texts/t_{document}.txt", "annotation_file": "Spans/s_{document}.txt"}

    assert read_brat(files, **names) == [
        RawText(TEXT, (Span("PERSON", AMINA),), "Texts/t_1.txt"),
        RawText("", (), "Texts/t_2.txt"),
    ]


def test_a_name_of_files_without_document_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"'\*\.txt' must have {document} once"):
        Options(text_file="*.txt")


def test_half_of_a_line_end_is_no_part_of_a_mention(read_brat: Read, faults: Faults) -> None:
    text = "Amina\r\nin Kisumu\r\n"
    lines = "T1\tPERSON 0 6\tAmina\r\nT2\tCITY 10 17\tKisumu\nT3\tCITY 10 17\tKismu\n"

    assert records(read_brat, lines, text) == (
        Span("PERSON", AMINA),
        Span("CITY", Mention("Kisumu", ((10, 16),))),
        Span("CITY", Mention("Kismu", ((10, 17),))),
    )
    assert not faults.counts


def test_text_that_is_not_utf8_is_an_error_that_names_the_line(read_brat: Read) -> None:
    with pytest.raises(ReaderError, match=r"1\.txt:2: not utf-8"):
        read_brat({"1.txt": b"Amina\n\xff", "1.ann": ""})


def test_a_mention_whose_surface_differs_may_be_read_at_its_offsets(read_brat: Read, faults: Faults) -> None:
    annotations = "T1\tPERSON 0 5\tAmiina\nR1\tMET Arg1:T1 Arg2:T2\nT2\tCITY 32 37;37 38\tKisum u\n"
    kisumu = Mention("Kisum u", ((32, 37), (37, 38)))
    read = records(read_brat, annotations, trust_offsets=True)
    assert read == (Span("PERSON", AMINA), Span("CITY", kisumu), Relation("MET", AMINA, kisumu))
    assert faults.counts == {"mention whose stated surface is not at its offsets, taken from there": 1}
    assert faults.places == {"mention whose stated surface is not at its offsets, taken from there": ["a/1.ann:T1"]}


def test_a_surface_that_goes_over_a_line_break_and_is_cut_there_is_read_in_fragments(
    read_brat: Read, faults: Faults
) -> None:
    annotations = "T1\tCITY 32 43\tKisumu.\nShe\n"
    assert records(read_brat, annotations, trust_offsets=True) == (
        Span("CITY", Mention("Kisumu. She", ((32, 39), (40, 43)))),
    )
    assert faults.counts["line of an unknown kind"] == 1


def test_offsets_beyond_the_text_are_not_trusted(read_brat: Read) -> None:
    assert records(read_brat, "T1\tCITY 99 105\tKisumu\n", trust_offsets=True) == (
        Span("CITY", Mention("Kisumu", ((99, 105),))),
    )
