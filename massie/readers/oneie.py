"""Events of OneIE's layout: JSON lines of tokens, with mentions that name token indices and arguments that name ids.

    {"tokens": ["The", "firm", "was", "hacked", "."],
     "entity_mentions": [{"id": "T1", "start": 0, "end": 2, "text": "The firm", "entity_type": "ORG"}],
     "event_mentions": [{"event_type": "attack", "trigger": {"start": 3, "end": 4, "text": "hacked"},
                         "arguments": [{"entity_id": "T1", "role": "victim"}]}]}

Ends are exclusive. Where a document also has ``sentences`` (Li et al., 2021), for each sentence its tokens with their
offsets in the page and its text, the sentences' own texts are used in place of joined tokens. The white space between
sentences is lost there, but the offsets say how much there was: one character is read as a space, more as a line break.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from massie.catalogue import Content
from massie.readers.json_layouts import read_layout
from massie.readers.reading import RawText, Reading
from massie.sources import RawFile
from massie.types import Argument, Event, Mention


class Options(Content):
    """This reader takes no options."""


def read(files: Sequence[RawFile], options: Options, reading: Reading) -> Iterator[RawText]:
    """Yield each document (or sentence) with its events; entities are read as the arguments' mentions only.

    Arguments without their entity and mentions beyond the tokens are counted as faults. Raises ReaderError for a line
    that is not of this layout.
    """
    return read_layout(files, "OneIE", partial(_text, reading=reading))


def _text(item: dict[str, Any], where: str, reading: Reading) -> RawText:
    if "sentences" in item:
        text, offsets = _joined_sentences(item["sentences"])
        text = reading.joining.text(text)
    else:
        text, offsets = reading.joining.join(item["tokens"])

    def mention(plain: dict[str, Any]) -> Mention | None:
        start: int = plain["start"]
        end: int = plain["end"]
        if not 0 <= start < end <= len(offsets):
            return None
        place = (offsets[start][0], offsets[end - 1][1])
        if "sentences" in item:
            return Mention(reading.joining.text(plain["text"]), (place,))
        return reading.joining.mention(text, [place])

    entities = {entity["id"]: mention(entity) for entity in item["entity_mentions"]}
    events: list[Event] = []
    for plain in item["event_mentions"]:
        trigger = mention(plain["trigger"])
        if trigger is None:
            reading.faults.add("event whose trigger lies beyond the tokens", where)
            continue
        arguments: list[Argument] = []
        for argument in plain["arguments"]:
            filler = entities.get(argument["entity_id"])
            if filler is None:
                reading.faults.add("argument whose entity is missing or lies beyond the tokens", where)
            else:
                arguments.append(Argument(argument["role"], filler))
        events.append(Event(plain["event_type"], trigger, tuple(arguments)))
    return RawText(text, tuple(events), where)


def _joined_sentences(sentences: list[Any]) -> tuple[str, list[tuple[int, int]]]:
    """The text of sentences that stand at offsets of a lost page, and each token's ``(start, end)`` in it."""
    parts: list[str] = []
    offsets: list[tuple[int, int]] = []
    length = page_end = 0
    for tokens, sentence in sentences:
        if not tokens:
            continue
        page_start = tokens[0][1]
        gap = page_start - page_end
        glue = "" if not parts or gap <= 0 else " " if gap == 1 else "\n"
        parts += [glue, sentence]
        shift = length + len(glue) - page_start
        offsets += [(start + shift, end + shift) for _, start, end in tokens]
        length += len(glue) + len(sentence)
        page_end = page_start + len(sentence)
    return "".join(parts), offsets
