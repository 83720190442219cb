"""The statements, each in a file of its own that an SQL tool can read."""

from functools import cache
from importlib.resources import files


@cache
def sql(name: str) -> str:
    """Return the statement of that name."""
    return (
        files("multiwhats_async.ledger").joinpath("sql", "sqlite", f"{name}.sql").read_text("utf-8")
    )
