"""What has come of an answer, however far it came: what the ways over httpx and httpcore share."""

from typing import Any

from .._evidence import Answer, Evidence, Failure, Silence, weigh
from .._wire import MAX_BODY


class Collected:
    """What of an answer has come so far.

    Attributes:
        status: Its status, once it is there.
        retry_after: Its ``Retry-After``, as it came.
        date: Its ``Date``, as it came.
        body: Its body, decoded and without the key; None before it is there.
    """

    __slots__ = ("body", "date", "retry_after", "status")

    def __init__(self) -> None:
        self.status: int | None = None
        self.retry_after: str | None = None
        self.date: str | None = None
        self.body: bytes | None = None

    def result(self, evidence: Evidence, failure: Failure | None) -> Answer | Silence:
        """Return what the attempt came to.

        Args:
            evidence: What is known of its writing.
            failure: Why not all of the answer is there.
        """
        status = evidence.status if self.status is None else self.status
        if status is None:
            # Without a failure there would be a status; a transport that lies is unknown.
            failure = failure or Failure(cause="NoAnswer", text="")
            return Silence(failure=failure, certainty=weigh(evidence, failure))
        return Answer(
            status=status,
            body=None if failure else self.body,
            retry_after=self.retry_after,
            date=self.date,
            failure=failure,
        )


async def read_capped(stream: Any) -> bytes:
    """Read a body as it comes on the wire, up to the cap.

    Args:
        stream: Gives it in pieces, and can be closed.

    Raises:
        ValueError: It is larger than the cap.
    """
    pieces: list[bytes] = []
    size = 0
    try:
        async for piece in stream:
            size += len(piece)
            if size <= MAX_BODY:
                pieces.append(piece)
            else:
                # Reading on from a closed connection ends every generator underneath.
                await stream.aclose()
    except Exception:
        if size <= MAX_BODY:
            raise
    check_size(size)
    return b"".join(pieces)


def check_size(size: int) -> None:
    """Refuse a body beyond the cap.

    Raises:
        ValueError: It is larger.
    """
    if size > MAX_BODY:
        raise ValueError(f"the answer is larger than {MAX_BODY} bytes")
