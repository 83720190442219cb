"""``multiwhats sandbox``: the API on this machine."""

from typing import Final

import click

from ..sandbox import Emulator, FaultPlan, SandboxServer, SandboxStats
from ._exits import ALL_ACCEPTED
from ._screen import many, write_out

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8787


@click.command("sandbox")
@click.option("--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True)
@click.option("--host", default=DEFAULT_HOST, show_default=True, help="A loopback address.")
@click.option("--allow-remote", is_flag=True, help="Let --host be reachable from other machines.")
@click.option("--api-key", metavar="KEY", help="Accept this key only; otherwise any.")
@click.option(
    "--credits", "budget", type=click.IntRange(min=0), metavar="N", help="Credits before 402."
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="SPEC",
    help="What goes wrong, such as 429@every:50 or disconnect_after@nth:7; repeat it for more.",
)
@click.option(
    "--magic-numbers",
    is_flag=True,
    help="Numbers that end in 0401, 0402, 0422, 0429, 0500, 0503 ... are answered so.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of faults with p:.")
def command(
    *,
    port: int,
    host: str,
    allow_remote: bool,
    api_key: str | None,
    budget: int | None,
    faults: tuple[str, ...],
    magic_numbers: bool,
    seed: int,
) -> int:
    """Serve the MultiWhats API on this machine.

    Prints the two lines that point a program at it, and serves until Ctrl-C. Nothing is sent.
    """
    try:
        emulator = Emulator(
            api_keys=None if api_key is None else [api_key],
            credits=budget,
            faults=FaultPlan(faults, seed=seed),
            magic_numbers=magic_numbers,
        )
        server = SandboxServer(emulator, host=host, port=port, allow_remote=allow_remote)
        server.serve_forever(on_start=_introduce)
    except (ValueError, OSError) as error:
        why = str(error.strerror if isinstance(error, OSError) else error)
        raise click.UsageError(
            why.replace("pass allow_remote=True", "add --allow-remote")
        ) from None
    _tell(emulator.stats())
    return ALL_ACCEPTED


def _introduce(server: SandboxServer) -> None:
    """Print how to use it."""
    for name, value in server.env.items():
        write_out(f"export {name}={value}")
    click.echo("The sandbox answers; Ctrl-C ends it. Nothing is sent.", err=True)


def _tell(stats: SandboxStats) -> None:
    """Print what was counted."""
    click.echo(
        f"{many(stats.requests, 'request')} read, {many(stats.accepted, 'message')} accepted, "
        f"{many(stats.credits, 'credit')}, {stats.sent_twice:,} sent twice",
        err=True,
    )
