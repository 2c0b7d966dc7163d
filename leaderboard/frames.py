"""pandas, whose code ships no types: what pyright infers from it is wrong, so it counts as untyped here."""

from __future__ import annotations

from typing import Any, TypeAlias

import pandas  # pyright: ignore[reportMissingTypeStubs]

pd: Any = pandas
Frame: TypeAlias = Any
"""A ``pandas.DataFrame``."""
Column: TypeAlias = Any
"""A ``pandas.Series``."""
