"""The layout of DocRED."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from massie.readers import Faults, Joining, RawText, Reading
from massie.readers.docred import Options, read
from massie.sources import RawFile
from massie.types import Mention, ReaderError, Relation

Read = Callable[..., list[RawText]]


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def read_documents(tmp_path: Path, faults: Faults) -> Read:
    """Reads a file with these documents: ``read_documents(document, option=...)``."""

    def read_them(*documents: Any, spaces: bool = True, **options: Any) -> list[RawText]:
        path = tmp_path / "a.json"
        lines = options.get("layout") == "lines"
        path.write_text("\n".join(map(json.dumps, documents)) if lines else json.dumps(documents), encoding="utf-8")
        reading = Reading("a", "eng", "test", "en", "test", Joining(spaces=spaces), faults)
        return list(read([RawFile("data/a.json", path)], Options.model_validate(options), reading))

    return read_them


def mention(name: str, sentence: int, first: int, last: int) -> dict[str, Any]:
    return {"name": name, "sent_id": sentence, "pos": [first, last], "type": "PER"}


ENGLISH = {
    "sents": [["Amina", "Otieno", "writes", "."], ["Otieno", "lives", "in", "Kisumu", "."]],
    "vertexSet": [
        [mention("Otieno", 1, 0, 1), mention("Amina Otieno", 0, 0, 2)],
        [mention("Kisumu", 1, 3, 4)],
    ],
    "labels": [{"h": 0, "t": 1, "r": "P551", "evidence": [1]}],
}
JAPANESE = {
    "sents": [["佐野", "の", "る", "り", "は", "1", "9", "1", "4年", "に", "生まれ", "た", "。"]],
    "vertexSet": [[mention("佐野 のるり", 0, 0, 4)], [mention("1914年", 0, 5, 8)]],
    "labels": [{"h": 0, "t": 1, "r": "P569", "evidence": [0]}],
}


def test_sentences_are_one_text_and_clusters_give_all_pairs_of_surfaces(read_documents: Read) -> None:
    assert read_documents(ENGLISH) == [
        RawText(
            "Amina Otieno writes . Otieno lives in Kisumu .",
            (
                Relation("P551", Mention("Amina Otieno", ((0, 12),)), Mention("Kisumu", ((38, 44),))),
                Relation("P551", Mention("Otieno", ((22, 28),)), Mention("Kisumu", ((38, 44),))),
            ),
            "data/a.json:item 1",
        )
    ]


def test_a_mention_is_as_long_as_its_name_without_the_spaces_that_the_text_has_not(read_documents: Read) -> None:
    cut = JAPANESE | {"vertexSet": [JAPANESE["vertexSet"][0], [mention("1914年", 0, 5, 8)]]}
    (text,) = read_documents(cut, spaces=False)

    assert text.text == "佐野のるりは1914年に生まれた。"
    assert text.annotations == (Relation("P569", Mention("佐野のるり", ((0, 5),)), Mention("1914年", ((6, 11),))),)


def test_a_mention_without_tokens_stands_where_its_first_token_would(read_documents: Read, faults: Faults) -> None:
    empty = JAPANESE | {"vertexSet": [JAPANESE["vertexSet"][0], [mention("1914年", 0, 5, 5)]]}

    assert read_documents(empty, spaces=False) == read_documents(JAPANESE, spaces=False)
    assert not faults.counts


@pytest.mark.parametrize(
    "misplaced",
    [mention("Nakuru", 1, 3, 4), mention("Kisumu", 7, 3, 4), mention("Kisumu", 1, 9, 9), mention("", 1, 3, 4)],
)
def test_a_name_that_does_not_stand_at_its_place_is_a_fault(
    read_documents: Read, faults: Faults, misplaced: dict[str, Any]
) -> None:
    (text,) = read_documents(ENGLISH | {"vertexSet": [ENGLISH["vertexSet"][0], [misplaced]]})

    assert text.annotations == ()
    assert faults.counts == {
        "mention that is not at its offsets": 1,
        "relation to an entity without usable mentions": 1,
    }


def test_a_document_may_be_a_line(read_documents: Read) -> None:
    first, second = read_documents(ENGLISH, ENGLISH, layout="lines")

    assert (first.where, second.where) == ("data/a.json:1", "data/a.json:2")
    assert [(text.text, text.annotations) for text in (first, second)] == [
        (text.text, text.annotations) for text in read_documents(ENGLISH) * 2
    ]


def test_a_mention_may_be_the_tokens_of_its_position_whatever_its_name(read_documents: Read, faults: Faults) -> None:
    entities = [[mention("Otien", 1, 0, 1), mention("she", 0, 0, 2)], [mention("here", 1, 3, 4)]]

    assert read_documents(ENGLISH | {"vertexSet": entities}, mentions="position") == read_documents(ENGLISH)
    assert not faults.counts


@pytest.mark.parametrize("place", [(1, 3, 3), (1, 3, 9), (7, 3, 4), (1, -1, 1)])
def test_a_position_that_is_not_in_its_sentence_is_a_fault(
    read_documents: Read, faults: Faults, place: tuple[int, int, int]
) -> None:
    entities = [ENGLISH["vertexSet"][0], [mention("Kisumu", *place)]]
    (text,) = read_documents(ENGLISH | {"vertexSet": entities}, mentions="position")

    assert text.annotations == ()
    assert faults.counts["mention that is not at its offsets"] == 1


def test_broken_mentions_and_relations_are_faults(read_documents: Read, faults: Faults) -> None:
    entities = [[*ENGLISH["vertexSet"][0], {"name": "Otieno"}], ENGLISH["vertexSet"][1]]
    labels = [{"h": 0, "t": 9, "r": "P551"}, {"h": 0, "t": -1, "r": "P551"}, {"h": 0, "t": 1}, *ENGLISH["labels"]]
    (text,) = read_documents(ENGLISH | {"vertexSet": entities, "labels": labels})

    assert len(text.annotations) == 2
    assert faults.counts == {"annotation without label or offsets": 2, "relation to an unknown entity": 2}


def test_a_document_without_its_lists_is_an_error(read_documents: Read) -> None:
    with pytest.raises(ReaderError, match=r"data/a\.json:item 2: no list at 'labels'"):
        read_documents(ENGLISH, {key: ENGLISH[key] for key in ("sents", "vertexSet")})
