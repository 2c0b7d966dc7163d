"""Running systems: settings, store, and the loop that asks for what has no answer yet."""

from massie.running.running import Progress, Stopping, run
from massie.running.settings import (
    BATCHES,
    SETTINGS,
    STORE,
    Mode,
    Settings,
    check_same,
    lock_run,
    open_run,
    read_settings,
    slug,
)
from massie.running.store import Store

__all__ = [
    "BATCHES",
    "SETTINGS",
    "STORE",
    "Mode",
    "Progress",
    "Settings",
    "Stopping",
    "Store",
    "check_same",
    "lock_run",
    "open_run",
    "read_settings",
    "run",
    "slug",
]
