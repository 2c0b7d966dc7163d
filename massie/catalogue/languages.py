"""The table of languages: ISO 639-3 codes with names, families and scripts (paper, appendix K)."""

from __future__ import annotations

from functools import cache
from typing import Literal

from pydantic import Field

from massie._content import content_folder
from massie.catalogue.yaml import Content, read_yaml, validated
from massie.types import UnknownNameError


class Language(Content):
    """A language: English name, own name, family, script (ISO 15924), direction, whether words are spaced.

    ``counts_as`` is the paper's code under which a finer code is counted.
    """

    name: str
    own_name: str
    family: str
    script: str = Field(pattern=r"^[A-Z][a-z]{3}$")
    direction: Literal["ltr", "rtl"]
    spaces: bool
    other_scripts: list[str] = []
    counts_as: str | None = None
    in_paper: bool = False


class _Languages(Content):
    languages: dict[str, Language]


@cache
def languages() -> dict[str, Language]:
    """All languages by ISO 639-3 code."""
    path = content_folder("tasks") / "languages.yaml"
    return validated(_Languages, {"languages": read_yaml(path)}, path).languages


def language(code: str) -> Language:
    """The language of a code; code-switched data (``eng+hin``) go by their first language with both names.

    Raises UnknownNameError, suggesting the nearest code.
    """
    table = languages()
    first, _, rest = code.partition("+")
    if first not in table:
        by_name = {entry.name.casefold(): known for known, entry in table.items()}
        hint = f"({by_name[code.casefold()]} is the code of {code})" if code.casefold() in by_name else ""
        raise UnknownNameError("language", code, table, hint or "(codes are ISO 639-3)")
    if not rest:
        return table[first]
    second = language(rest)
    names = {"name": f"{table[first].name} + {second.name}", "own_name": f"{table[first].own_name} + {second.own_name}"}
    return table[first].model_copy(update=names)


def counted_under(code: str) -> tuple[str, ...]:
    """The codes of the paper's list (appendix K) that a language's data count under.

    Two for code-switched data, none for a language that the paper does not have. Raises UnknownNameError.
    """
    codes = (language(part).counts_as or part for part in code.split("+"))
    return tuple(dict.fromkeys(part for part in codes if language(part).in_paper))
