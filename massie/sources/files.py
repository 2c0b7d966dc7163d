"""Raw files as the later stages see them: a name within the source and a place on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from massie.types import ReaderError


@dataclass(frozen=True, slots=True)
class RawFile:
    """A raw file: ``name`` is its path within the source, ``path`` where it lies on this machine."""

    name: str
    path: Path

    def text(self, encoding: str = "utf-8-sig") -> str:
        """The file's text with a BOM removed and line ends kept.

        Raises ReaderError where it cannot be decoded, naming the line.
        """
        data = self.path.read_bytes()
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise ReaderError(
                f"{self.path}:{line}: not {encoding.removesuffix('-sig')}: byte {data[error.start]:#04x}; "
                "fetch the file again, or convert it"
            ) from error
