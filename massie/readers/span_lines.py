"""Lines with packed spans: a text a line among tab-separated fields, its spans together in one of them.

    set_alarm <TAB> 14:18:time,0:4:verb <TAB> Wake me up at 8 am <TAB> en_XX

Offsets count characters of the field with the text, of which nothing is stripped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Self

from pydantic import Field, model_validator

from massie.catalogue import Content
from massie.readers.reading import RawText, Reading
from massie.sources import RawFile
from massie.types import ReaderError, Span

UNREADABLE = "span that is not start, end and label"
OUTSIDE = "offsets outside the text"


class Options(Content):
    """``columns`` is how many fields a line has; ``text`` and ``spans`` are the columns of these, counted from 1.

    ``between`` parts spans, ``within`` parts a span's start, end (exclusive) and label.
    """

    columns: int = Field(ge=2)
    text: int = Field(ge=1)
    spans: int = Field(ge=1)
    between: str = Field(default=",", min_length=1)
    within: str = Field(default=":", min_length=1)

    @model_validator(mode="after")
    def _columns_exist(self) -> Self:
        if max(self.text, self.spans) > self.columns:
            raise ValueError(f"a line has the columns 1 to {self.columns} only")
        return self


def read(files: Sequence[RawFile], options: Options, reading: Reading) -> Iterator[RawText]:
    """Yield the text of each line; a span that cannot be read or lies outside the text is a fault.

    Raises ReaderError for a line with another number of fields.
    """
    for file in files:
        for number, line in enumerate(file.text().replace("\r\n", "\n").split("\n"), start=1):
            if not line.strip():
                continue
            fields = line.split("\t")
            if len(fields) != options.columns:
                raise ReaderError(
                    f"{file.path}:{number}: has {len(fields)} fields parted by tabs, not {options.columns}; "
                    "fetch the file again, or correct columns in the card's reader.options"
                )
            where = f"{file.name}:{number}"
            text = reading.joining.text(fields[options.text - 1])
            yield RawText(text, tuple(_spans(text, fields[options.spans - 1], options, reading, where)), where)


def _spans(text: str, packed: str, options: Options, reading: Reading, where: str) -> Iterator[Span]:
    for span in filter(str.strip, packed.split(options.between)):
        start, end, label = (*span.split(options.within, 2), "", "")[:3]
        try:
            place = (int(start), int(end))
        except ValueError:
            label = ""
            place = (0, 0)
        if not label:
            reading.faults.add(UNREADABLE, where)
        elif not 0 <= place[0] < place[1] <= len(text):
            reading.faults.add(OUTSIDE, where)
        else:
            yield Span(label, reading.joining.mention(text, [place]))
