"""What the readers of fixed JSON layouts share: the walk through files of JSON lines, and its errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from massie.readers.json_items import Layout, items
from massie.readers.reading import RawText
from massie.sources import RawFile
from massie.types import ReaderError


def read_layout(
    files: Sequence[RawFile], layout: str, text_of: Callable[[dict[str, Any], str], RawText]
) -> Iterator[RawText]:
    """Yield ``text_of(item, where)`` for each line of the files.

    Raises ReaderError, naming the line and the layout, for a line that is not JSON or not of the layout.
    """
    for file in files:
        for where, item in items(file, Layout.LINES):
            try:
                text = text_of(item, where)
            except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
                raise ReaderError(
                    f"{where}: not of the layout of {layout} ({type(error).__name__}: {error}); "
                    "fetch the file again, or choose another reader in the card"
                ) from error
            yield text
