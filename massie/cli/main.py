"""The command ``massie``: its subcommands are loaded when they are called, so that ``--help`` is quick."""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

from massie._version import __version__
from massie.types.errors import MassieError, UnknownNameError, UserError

COMMANDS = {
    "datasets": ("massie.cli.datasets:datasets", "The catalogue: list the datasets, show a card."),
    "fetch": ("massie.cli.building:fetch", "Download (or find in a mirror) and verify a dataset's raw files."),
    "build": ("massie.cli.building:build", "Build a benchmark from raw files."),
    "check": ("massie.cli.checking:check", "Hold cards against their raw files: counts, labels, offsets."),
    "plan": ("massie.cli.planning:plan", "Tell what a run would take: requests, tokens, dollars, time."),
    "run": ("massie.cli.running:run", "Run a system on a benchmark, or continue a run, and score it."),
    "score": ("massie.cli.scoring:score", "Score a run again, or a predictions file."),
    "compare": ("massie.cli.comparing:compare_command", "Compare runs: differences, intervals, p-values, ranks."),
    "conformance": ("massie.cli.conformance:conformance", "Hold any scorer against the conformance vectors."),
    "mine-negatives": ("massie.cli.mining:mine_negatives", "Rebuild a table of hard negatives, and show what changes."),
    "check-adapter": ("massie.cli.checking:check_adapter", "Check an adapter's contract on M-DEMO."),
    "prompts": ("massie.cli.prompts:prompts", "List the prompts, or show one as a model gets it."),
    "export": ("massie.cli.exporting:export", "Write a build's samples for other tools and trainers."),
    "leaderboard": ("massie.cli.leaderboard:leaderboard", "Open the board on published and local results."),
}

EPILOG = """\b
With no download:      massie run m-demo --adapter lexicon
The board:             massie leaderboard
From real data:        massie build m-light --dataset xsid --out data/m-light
A language model:      massie plan m-demo --adapter openai --option model=NAME
                       massie run m-demo --adapter openai --option model=NAME
A system of your own:  massie check-adapter my_system.py:MyAdapter
                       massie run m-demo --adapter my_system.py:MyAdapter

Exit codes: 0 success, 1 failure (of the system, or a bug), 2 something in the input is to be mended, 130 interrupted.
"""


class Commands(click.Group):
    """A group that imports a subcommand only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of a first journey."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand, loaded."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        return getattr(import_module(module), name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but an unknown name suggests the nearest."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise UnknownNameError("command", args[0], COMMANDS)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of subcommands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", message="massie %(version)s")
def cli() -> None:
    """MASSIE: benchmark suite and leaderboard for multilingual information extraction (NER, RE, SF, ED, EE)."""


def main() -> None:
    """Run the command; errors become one clear message and an exit code that tells who is at fault."""
    # Arrow's own allocator keeps much of what it freed, and a long run would hold it to its end.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    try:
        status = cli.main(prog_name="massie", standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        click.echo("massie: interrupted", err=True)
        status = 130
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except UserError as error:
        click.echo(f"massie: {error}", err=True)
        status = 2
    except MassieError as error:
        click.echo(f"massie: {error}", err=True)
        status = 1
    sys.exit(status if isinstance(status, int) else 0)
