"""Where raw files are looked for on this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from massie.types import SourceError


@dataclass(frozen=True, slots=True)
class SourceStore:
    """The places that raw files come from and go to.

    ``cache`` keeps downloads and unpacked archives. With ``mirror`` set, ``https://HOST/PATH`` is read from
    ``mirror/HOST/PATH`` and the network is not touched. ``raw`` holds what the user must bring for ``path:`` sources.
    ``parallel`` is how many downloads run at once; ``offline`` refuses every download.
    """

    cache: Path
    mirror: Path | None = None
    raw: Path | None = None
    parallel: int = 4
    offline: bool = False

    @classmethod
    def from_environment(cls, mirror: Path | None = None, raw: Path | None = None) -> SourceStore:
        """The store that ``MASSIE_CACHE``, ``MASSIE_MIRROR`` and ``MASSIE_OFFLINE`` describe; arguments go first.

        Raises SourceError where the mirror or the folder of brought files is none.
        """
        named = os.environ.get("MASSIE_MIRROR")
        mirror = mirror or (Path(named) if named else None)
        cache = os.environ.get("MASSIE_CACHE")
        return cls(
            cache=Path(cache).expanduser() if cache else platformdirs.user_cache_path("massie"),
            mirror=_folder(mirror, "--mirror (MASSIE_MIRROR)"),
            raw=_folder(raw, "--raw"),
            offline=os.environ.get("MASSIE_OFFLINE", "0") not in ("", "0"),
        )


def _folder(path: Path | None, setting: str) -> Path | None:
    if path is None:
        return None
    folder = path.expanduser()
    if not folder.is_dir():
        raise SourceError(f"{setting}: {folder} is not a folder; name one that exists")
    return folder
