"""The moments of an attempt at which a random walk may cancel its caller, on every transport.

httpcore tells of its steps by itself, where it is asked. Our own transports tell only when they
begin to write: the other steps of the direct one are told from outside, under the names that
httpcore's have.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any
from unittest import mock

from faults.steps import told_of_steps
from faults.walk_plan import Plan

from multiwhats_async._evidence import Evidence
from multiwhats_async._transport._direct import Origin


class Cut:
    """The cancellation of one call, at the event of its plan and once."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.struck: str | None = None
        self.strike: Callable[[], object] = lambda: None

    def at(self, event: str) -> None:
        """Cancel, where this is the event."""
        if event == self.plan.cut and self.struck is None:
            self.struck = event
            self.strike()


CURRENT: ContextVar[Cut | None] = ContextVar("current", default=None)


class WatchedAnswer:
    """An answer whose caller may be cancelled as it comes."""

    def __init__(self, answer: Any, cut: Cut) -> None:
        self._answer = answer
        self._cut = cut

    def __getattr__(self, name: str) -> Any:
        return getattr(self._answer, name)

    def feed(self, data: bytes) -> bool:
        """Take bytes, as the answer does."""
        begun = self._answer.status is not None
        self._cut.at(f"receive_response_{'body' if begun else 'headers'}.started")
        complete: bool = self._answer.feed(data)
        if not begun and self._answer.status is not None:
            self._cut.at("receive_response_headers.complete")
        if complete:
            self._cut.at("receive_response_body.complete")
        return complete


def _after(event: str) -> None:
    cut = CURRENT.get()
    if cut is not None:
        cut.at(event)


def _before(event: str) -> None:
    cut = CURRENT.get()
    if cut is not None and cut.plan.early:
        cut.at(event)


@contextmanager
def watched() -> Iterator[None]:
    """Tell each call's cut of what its attempts go through."""
    begin, opened, carry = Evidence.begin_writing, Origin._open, Origin.carry

    def begins(evidence: Evidence) -> None:
        _before("send_request_headers.started")
        begin(evidence)
        _after("send_request_headers.started")
        _after("send_request_body.started")

    async def opening(origin: Origin, *arguments: Any) -> Any:
        _after("connect_tcp.started")
        connection = await opened(origin, *arguments)
        _after("connect_tcp.complete")
        return connection

    async def carried(origin: Origin, request: Any, answer: Any, **options: Any) -> None:
        cut = CURRENT.get()
        watch = answer if cut is None else WatchedAnswer(answer, cut)
        await carry(origin, request, watch, **options)  # type: ignore[arg-type]  # it is alike

    with ExitStack() as stack:
        stack.enter_context(told_of_steps(_after, _before))
        for owner, name, watch in (
            (Evidence, "begin_writing", begins),
            (Origin, "_open", opening),
            (Origin, "carry", carried),
        ):
            stack.enter_context(mock.patch.object(owner, name, watch))
        yield
