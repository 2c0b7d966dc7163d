from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from massie.readers import Faults, Joining, Reading
from massie.readers.event_links import Options, read
from massie.readers.reading import RawText
from massie.sources import RawFile
from massie.types import Argument, Event, Mention, ReaderError

SENTENCES = [["It", "rained", "."], ["The", "mill", "at", "Ostrava", "closed", "."]]
TRIGGER = [7, 7, [["business.closing.n/a", 1.0]]]
FIRM = Argument("firm", Mention("The mill", ((12, 20),)))
PLACE = Argument("place", Mention("Ostrava", ((24, 31),)))
CLOSED = Mention("closed", ((32, 38),))


def window(triggers: list[Any], links: list[Any]) -> dict[str, Any]:
    return {"sentences": SENTENCES, "evt_triggers": triggers, "gold_evt_links": links, "ent_spans": []}


def texts_of(folder: Path, *items: Any) -> tuple[list[RawText], Faults]:
    path = folder / "a.jsonlines"
    path.write_text("\n".join(json.dumps(item) for item in items), encoding="utf-8")
    reading = Reading("d", "eng", "test", "eng", "test", Joining(True), Faults())
    return list(read([RawFile("a.jsonlines", path)], Options(), reading)), reading.faults


def test_counts_the_tokens_of_all_sentences_with_inclusive_ends(tmp_path: Path) -> None:
    links = [[[7, 7], [3, 4], "evt012arg01firm"], [[7, 7], [6, 6], "evt012arg02place"]]
    [text], faults = texts_of(tmp_path, window([TRIGGER], links))
    assert text.text == "It rained . The mill at Ostrava closed ."
    assert text.annotations == (Event("business.closing.n/a", CLOSED, (FIRM, PLACE)),)
    assert not faults.counts


def test_a_span_may_fill_several_roles(tmp_path: Path) -> None:
    links = [[[7, 7], [6, 6], "evt012arg02place"], [[7, 7], [6, 6], "evt012arg03origin"]]
    [text], _ = texts_of(tmp_path, window([TRIGGER], links))
    assert text.annotations == (Event("business.closing.n/a", CLOSED, (PLACE, Argument("origin", PLACE.mention))),)


def test_gives_each_trigger_its_own_arguments(tmp_path: Path) -> None:
    rain = [1, 1, [["weather.rain.n/a", 1.0]]]
    [text], _ = texts_of(tmp_path, window([rain, TRIGGER], [[[7, 7], [3, 4], "evt012arg01firm"]]))
    assert text.annotations == (
        Event("weather.rain.n/a", Mention("rained", ((3, 9),))),
        Event("business.closing.n/a", CLOSED, (FIRM,)),
    )


def test_counts_links_from_no_trigger_and_spans_beyond_the_tokens(tmp_path: Path) -> None:
    links = [[[1, 1], [3, 4], "evt012arg01firm"], [[7, 7], [6, 60], "evt012arg02place"]]
    [text], faults = texts_of(tmp_path, window([TRIGGER], links))
    assert text.annotations == (Event("business.closing.n/a", CLOSED),)
    assert faults.counts == {"argument of a span that is no trigger": 1, "trigger or argument beyond the tokens": 1}


@pytest.mark.parametrize("item", [{"sentences": SENTENCES}, 3, window([[7]], [])])
def test_a_line_of_another_layout_is_an_error_that_names_it(tmp_path: Path, item: Any) -> None:
    with pytest.raises(ReaderError, match=r"a\.jsonlines:2: not of the layout of event links"):
        texts_of(tmp_path, window([], []), item)
