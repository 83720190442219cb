"""The engines that carry chunks to workers, as the command line names them."""

from collections.abc import Callable
from typing import Any, Final, Literal

import attrs
import click

from ..abc import ChunkQueue, TransactionalQueue
from ._failure import REDIS_OPTION

Name = Literal["pgqueuer", "streaq"]

STREAQ: Final = "streaq"
ENGINES: Final[tuple[Name, ...]] = ("pgqueuer", STREAQ)

REDIS_ENVIRONMENT: Final = "MULTIWHATS_REDIS"

redis_option: Final[Callable[[Any], Any]] = click.option(
    REDIS_OPTION,
    "redis",
    metavar="URL",
    envvar=REDIS_ENVIRONMENT,
    help=f"Where streaq's queue is. [env: {REDIS_ENVIRONMENT}]",
)
queue_option: Final[Callable[[Any], Any]] = click.option(
    "--queue",
    "queue_name",
    metavar="NAME",
    help="The queue's name, where several ledgers share a server.",
)


@attrs.frozen(kw_only=True)
class Engine:
    """Which engine carries the chunks, and where its queue is.

    Attributes:
        name: One of :data:`ENGINES`.
        redis: The address of streaq's server, or None.
        queue_name: The queue's name; None is the engine's own.
    """

    name: Name
    redis: str | None = attrs.field(repr=False)
    queue_name: str | None

    def queue(self) -> ChunkQueue | TransactionalQueue:
        """Return its queue.

        Raises:
            ConfigurationError: The address cannot be read.
            ImportError: The engine is not installed.
        """
        name = self.queue_name
        if self.redis is None:
            from ..integrations.pgqueuer import PgQueuerQueue  # noqa: PLC0415  # an extra

            return PgQueuerQueue() if name is None else PgQueuerQueue(entrypoint=name)
        from ..integrations.streaq import StreaqQueue  # noqa: PLC0415  # likewise

        return StreaqQueue(self.redis) if name is None else StreaqQueue(self.redis, name=name)


def engine_of(context: click.Context, name: Name, redis: str | None, queue: str | None) -> Engine:
    """Return the engine that the options describe.

    Raises:
        click.UsageError: They do not fit together.
    """
    if name == STREAQ:
        if not redis:
            raise click.UsageError(
                f"{STREAQ} needs to know its server: set {REDIS_ENVIRONMENT}, or give "
                f"{REDIS_OPTION} redis://host"
            )
        return Engine(name=name, redis=redis, queue_name=queue)
    refuse_given(context, ("redis",), f"the queue of {name} stands in the ledger's own database")
    return Engine(name=name, redis=None, queue_name=queue)


def refuse_given(context: click.Context, names: tuple[str, ...], why: str) -> None:
    """Refuse options that stand in the command line and make no sense with another.

    Args:
        context: The command.
        names: The names of their parameters.
        why: Why they make none.

    Raises:
        click.UsageError: One does.
    """
    given = click.core.ParameterSource.COMMANDLINE
    options = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name in names and context.get_parameter_source(parameter.name) is given
    ]
    if options:
        raise click.UsageError(f"{why}: leave out {', '.join(options)}")
