"""Events as links between spans of tokens (Ebner et al., 2020): JSON lines with one list of links for each text.

    {"sentences": [["The", "firm", "was", "hacked", "."]],
     "evt_triggers": [[3, 3, [["conflict.attack.n/a", 1.0]]]],
     "gold_evt_links": [[[3, 3], [0, 1], "evt007arg02target"]]}

Indices count the tokens of all sentences, ends are inclusive. A link goes from a trigger to an argument; its role is
what follows the numbers of event type and argument.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from massie.catalogue import Content
from massie.readers.json_layouts import read_layout
from massie.readers.reading import RawText, Reading
from massie.sources import RawFile
from massie.types import Argument, Event, Mention

_NUMBERS_BEFORE_ROLE = re.compile(r"^evt\d+arg\d+")


class Options(Content):
    """This reader takes no options."""


def read(files: Sequence[RawFile], options: Options, reading: Reading) -> Iterator[RawText]:
    """Yield each text (its sentences joined as its tokens are) with its events.

    Spans beyond the tokens and links from spans that are no trigger are counted as faults. Raises ReaderError for a
    line that is not of this layout.
    """
    return read_layout(files, "event links", partial(_text, reading=reading))


def _text(item: dict[str, Any], where: str, reading: Reading) -> RawText:
    text, offsets = reading.joining.join([token for sentence in item["sentences"] for token in sentence])

    def mention(start: int, end: int) -> Mention | None:
        if 0 <= start <= end < len(offsets):
            return reading.joining.mention(text, [(offsets[start][0], offsets[end][1])])
        reading.faults.add("trigger or argument beyond the tokens", where)
        return None

    arguments: defaultdict[tuple[int, int], list[Argument]] = defaultdict(list)
    for trigger_span, argument_span, name in item["gold_evt_links"]:
        filler = mention(*argument_span)
        if filler is not None:
            arguments[tuple(trigger_span)].append(Argument(_NUMBERS_BEFORE_ROLE.sub("", name), filler))
    events: list[Event] = []
    triggers: set[tuple[int, int]] = set()
    for start, end, types in item["evt_triggers"]:
        triggers.add((start, end))
        trigger = mention(start, end)
        if trigger is not None:
            events += [Event(label, trigger, tuple(arguments[start, end])) for label, _ in types]
    for span in arguments.keys() - triggers:
        reading.faults.add("argument of a span that is no trigger", where, len(arguments[span]))
    return RawText(text, tuple(events), where)
