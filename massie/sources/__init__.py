"""Raw files: fetched, mirrored, verified, unpacked."""

from massie.sources.cells import cell_digest, cell_files
from massie.sources.fetching import FetchReport, fetch, lacking
from massie.sources.files import RawFile
from massie.sources.network import Progress
from massie.sources.places import Origin
from massie.sources.store import SourceStore

__all__ = [
    "FetchReport",
    "Origin",
    "Progress",
    "RawFile",
    "SourceStore",
    "cell_digest",
    "cell_files",
    "fetch",
    "lacking",
]
