from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest

from massie import __version__
from massie.cli.main import COMMANDS
from massie.types import MassieError

Massie = Callable[..., Any]

EVERY = [(), *((name,) for name in COMMANDS), ("datasets", "show"), ("prompts", "show")]


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_has_help_that_fits_80_columns(massie: Massie, words: tuple[str, ...], flag: str) -> None:
    done = massie(*words, flag)
    assert done.code == 0
    assert done.out.startswith("Usage: massie")
    assert done.err == ""
    assert max(map(len, done.out.splitlines())) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_every_command_says_what_it_does(name: str) -> None:
    module, _, function = COMMANDS[name][0].partition(":")
    command = getattr(import_module(module), function)
    for part in (command, *getattr(command, "commands", {}).values()):
        assert part.help
        for option in part.params:
            assert not isinstance(option, click.Option) or option.help, (name, option.name)


def test_without_arguments_it_shows_its_help(massie: Massie) -> None:
    done = massie()
    assert "Usage: massie" in done.out + done.err
    assert "massie run m-demo --adapter lexicon" in done.out + done.err


def test_it_tells_its_version(massie: Massie) -> None:
    done = massie("--version")
    assert (done.code, done.out) == (0, f"massie {__version__}\n")


@pytest.mark.parametrize(("name", "nearest"), [("rnu", "run"), ("scores", "score"), ("dataset", "datasets")])
def test_an_unknown_command_suggests_the_nearest(massie: Massie, name: str, nearest: str) -> None:
    done = massie(name)
    assert done.code == 2
    assert f"unknown command {name!r}; did you mean {nearest!r}" in done.err


@pytest.mark.parametrize(
    "words",
    [
        ("run",),
        ("run", "m-demo"),
        ("run", "m-demo", "--adapter"),
        ("run", "m-demo", "--adapter", "empty", "--limit", "0"),
        ("run", "m-demo", "--adapter", "empty", "--option", "novalue"),
        ("run", "m-demo", "--adapter", "empty", "--no-such-option"),
        ("check",),
        ("datasets", "shw"),
        ("--no-such-option",),
    ],
)
def test_a_command_used_wrongly_ends_with_2_and_says_how(massie: Massie, words: tuple[str, ...]) -> None:
    done = massie(*words)
    assert done.code == 2
    assert "Error: " in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (MassieError("it broke"), 1, "massie: it broke\n"),
        (click.exceptions.Abort(), 130, "massie: interrupted\n"),
        (KeyboardInterrupt(), 130, "massie: interrupted\n"),
    ],
)
def test_how_a_command_ends_tells_who_is_at_fault(
    massie: Massie, monkeypatch: pytest.MonkeyPatch, raised: BaseException, code: int, said: str
) -> None:
    @click.command()
    def broken() -> None:
        raise raised

    monkeypatch.setattr("massie.cli.checking.check", broken)
    done = massie("check")
    assert done.code == code
    assert done.err.endswith(said)


def test_a_reader_that_hangs_up_gets_no_traceback() -> None:
    massie = Path(sys.executable).with_name("massie")
    with subprocess.Popen([massie, "datasets", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


def test_the_board_wants_a_folder_that_is_there(massie: Massie) -> None:
    done = massie("leaderboard", "--runs", "absent")
    assert done.code == 2
    assert "absent: is not a folder" in done.err
