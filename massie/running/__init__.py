"""Running systems: settings, store, and the loop that asks for what has no answer yet."""

from massie.running.running import Progress, run
from massie.running.settings import SETTINGS, STORE, Settings, lock_run, open_run, read_settings, slug
from massie.running.store import Store

__all__ = [
    "SETTINGS",
    "STORE",
    "Progress",
    "Settings",
    "Store",
    "lock_run",
    "open_run",
    "read_settings",
    "run",
    "slug",
]
