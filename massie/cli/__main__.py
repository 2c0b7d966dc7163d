"""``python -m massie.cli`` is the command ``massie``."""

from massie.cli.main import main

main()
