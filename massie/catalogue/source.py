"""Where a dataset's raw files are: the part of a card that names and pins them."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from massie.catalogue.yaml import Content


class Repository(Content):
    """A repository of GitHub, "owner/name", pinned to a 40-digit commit; both are given or neither."""

    github: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$")
    commit: str | None = Field(default=None, pattern=r"^[0-9a-f]{40}$")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.github is None) != (self.commit is None):
            raise ValueError("github and commit belong together")
        return self


class SourceFiles(Repository):
    """Files of some splits and languages.

    ``path`` is one pattern or several (files that belong together); ``{lang}`` and ``{split}`` stand for the source's
    own codes, ``{name}`` for each of ``names``: all files of the first name come before those of the next. With
    ``archive`` (a zip, a tar, compressed or not, or one compressed file, whatever its suffix) the patterns name its
    members, which come sorted by name; there ``*`` stands for any characters but a slash. ``github`` and ``commit``
    are given where these files are in another repository than the source's.
    """

    splits: list[str] = Field(min_length=1)
    path: list[str] = Field(min_length=1)
    languages: list[str] | None = None
    names: list[str] | None = None
    archive: str | None = None

    @field_validator("path", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, value: list[str]) -> list[str]:
        for pattern in value:
            if pattern.startswith("/") or ".." in pattern.split("/") or "\\" in pattern:
                raise ValueError(f"{pattern!r} must be a relative path with '/' and without '..'")
        return value


class Source(Repository):
    """Where the raw files are: exactly one of ``github`` with ``commit``, ``url``, ``bundled`` and ``path``.

    ``url`` is a base address whose files are pinned by the ``sha256`` of every cell. ``bundled`` is a folder of
    ``tasks/`` in this project. ``path`` names, in words, the folder that the user must bring (``--raw DIR``).
    """

    url: str | None = Field(default=None, pattern=r"^https://")
    bundled: str | None = None
    path: str | None = None
    language_codes: dict[str, str] = {}
    split_codes: dict[str, str] = {}
    files: list[SourceFiles] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_place(self) -> Source:
        places = [name for name in ("github", "url", "bundled", "path") if getattr(self, name)]
        if len(places) != 1:
            raise ValueError(f"exactly one of github, url, bundled, path must be given, not {places or 'none'}")
        if self.github is None and any(entry.github for entry in self.files):
            raise ValueError("files can be in a repository of their own only where the source is github")
        return self

    @property
    def pin(self) -> str:
        """What the source is pinned to, as the manifest records it: all repositories that it has files in."""
        if self.github:
            repositories = map(self._repository, self.files)
            return ", ".join(dict.fromkeys(f"github.com/{each.github}@{each.commit}" for each in repositories))
        return self.url or (f"bundled:{self.bundled}" if self.bundled else f"brought by the user: {self.path}")

    def address(self, path: str, entry: SourceFiles) -> str:
        """The URL of a file or archive of the source that an entry of ``files`` names."""
        if self.github:
            repository = self._repository(entry)
            return f"https://raw.githubusercontent.com/{repository.github}/{repository.commit}/{path}"
        return f"{(self.url or '').rstrip('/')}/{path}"

    def _repository(self, entry: SourceFiles) -> Repository:
        return entry if entry.github else self
