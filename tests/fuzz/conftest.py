"""The command line, as its own tests call it."""

from cli.conftest import cli, no_account, table

__all__ = ["cli", "no_account", "table"]
