"""Python's cycle collector, paused where millions of objects are made that form no cycles: it would only slow them."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Generator[None]:
    """Without the cycle collector; a quarter of a build's and of a scoring's time is saved so."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
