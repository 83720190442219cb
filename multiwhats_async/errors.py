"""Every error of this package.

    MultiWhatsError
     ├── ConfigurationError         the client is set up or used wrongly; nothing was sent
     ├── InvalidMessageError        (also a ValueError) lists every problem; nothing was sent
     ├── InvalidReplyError          (also a ValueError) a pushed choice that cannot be read
     ├── InvalidMenuError           (also a ValueError) lists every problem of a staged menu
     ├── TemplateError              (also a ValueError) a text with {names} that cannot be used
     ├── LedgerError                the durable record cannot be trusted; nothing more is sent
     │    ├── CampaignHeldError         it is paused or cancelled; nothing of it is sent now
     │    └── ClaimLostError            another run has taken the message over
     ├── RateError                  the shared rate gives no slot; nothing is sent without one
     └── SendError                  one message did not end in a receipt
          ├── NotSentError          proof that the server cannot have processed it
          ├── RejectedError         the server answered no
          │    ├── AuthenticationError       401, 403: the key or its rights
          │    ├── InsufficientCreditError   402
          │    ├── InvalidRequestError       400, 404, 413, 422 and other 4xx
          │    └── RateLimitedError          429, 425, or 503 with Retry-After
          └── OutcomeUnknownError   it may or may not have gone out: never sent again by itself

No error of a lower layer leaves the package, and none holds the API key or a whole phone
number. All of them pickle. The meaning of single statuses is assumed: the vendor documents none.
What each means and the way out of it: docs/reference/errors.md, a section for each class and cause.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

import attrs

from ._certainty import Certainty

if TYPE_CHECKING:
    from .outcomes import Report

NOT_TRIED: Final = "NotTried"
"""The ``cause`` of an error whose message was never attempted."""


class MultiWhatsError(Exception):
    """The base of every error of this package.

    The way out: docs/reference/errors.md#multiwhatserror
    """


class ConfigurationError(MultiWhatsError):
    """The client is set up or used in a way that cannot work. Nothing was sent.

    The way out: docs/reference/errors.md#configurationerror
    """


class LedgerError(MultiWhatsError):
    """The durable record of a campaign cannot be read or written. Nothing more is sent.

    The way out: docs/reference/errors.md#ledgererror

    Attributes:
        report: Of an error that ``send_many`` raises: what became of each message, also where the
            ledger could not take it any more. None elsewhere.
    """

    report: "Report | None" = None


class CampaignHeldError(LedgerError):
    """The campaign is paused or cancelled in its ledger. Nothing of it is sent now.

    The way out: docs/reference/errors.md#campaignhelderror
    """


class ClaimLostError(LedgerError):
    """Another run has taken a message over, or it was resolved: this run does not send it.

    The way out: docs/reference/errors.md#claimlosterror
    """


class RateError(MultiWhatsError):
    """The shared rate gives no slot: its server cannot be reached. Nothing is sent without one.

    The way out: docs/reference/errors.md#rateerror
    """


class InvalidReplyError(MultiWhatsError, ValueError):
    """A pushed choice that cannot be read. Holds nothing of it but a label and masked numbers.

    The way out: docs/reference/errors.md#invalidreplyerror
    """


class TemplateError(MultiWhatsError, ValueError):
    """A text with ``{names}`` that is written wrongly, or has no value for one of them.

    The way out: docs/reference/errors.md#templateerror
    """


class InvalidMenuError(MultiWhatsError, ValueError):
    """A staged menu that cannot work as it is.

    The way out: docs/reference/errors.md#invalidmenuerror

    Attributes:
        problems: Everything that is wrong with it, not only the first.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems: tuple[str, ...] = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "; ".join(self.problems)


@attrs.frozen
class Problem:
    """One thing that is wrong with a message.

    Attributes:
        field: The name of the field: ``to``, ``sender``, ``message``, ``buttons``, ``key`` or
            ``limits``.
        text: What is wrong, the value, and the way out.
    """

    field: str
    text: str

    def __str__(self) -> str:
        return f"{self.field}: {self.text}"

    def to_dict(self) -> dict[str, str]:
        """Return the problem as plain data."""
        return {"field": self.field, "text": self.text}


class InvalidMessageError(MultiWhatsError, ValueError):
    """A message that cannot be sent as it is. Nothing was sent.

    The way out: docs/reference/errors.md#invalidmessageerror

    Attributes:
        problems: Everything that is wrong with the message, not only the first.
        index: Its position in the input of a bulk run, counted from 0, or None.
    """

    def __init__(self, problems: Iterable[Problem], *, index: int | None = None) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        self.index = index
        where = "" if index is None else f"message {index} of the input: "
        super().__init__(where + "; ".join(map(str, self.problems)))

    def to_dict(self) -> dict[str, Any]:
        """Return the error as plain data, ready for JSON."""
        return {
            "type": type(self).__name__,
            "message": str(self),
            "index": self.index,
            "problems": [problem.to_dict() for problem in self.problems],
        }

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), (self.problems,), {"index": self.index})


class SendError(MultiWhatsError):
    """One message did not end in a receipt.

    The way out: docs/reference/errors.md#senderror

    Attributes:
        certainty: What is known of the message.
        attempts: How many attempts were begun for it: 0 when it was never tried.
        status_code: The HTTP status that the server answered, or None.
        recipient: The recipient, masked to the last four digits, or None.
        detail: What the server or the lower layer said, redacted and cut, or None.
        cause: The name of the lower layer's error, such as ``ConnectError``, or None.
        retry_after: Seconds after which the server asked to come back, or None.
    """

    certainty: ClassVar[Certainty]

    def __init__(
        self,
        message: str,
        *,
        attempts: int = 0,
        status_code: int | None = None,
        recipient: str | None = None,
        detail: str | None = None,
        cause: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.attempts = attempts
        self.status_code = status_code
        self.recipient = recipient
        self.detail = detail
        self.cause = cause
        self.retry_after = retry_after

    def to_dict(self) -> dict[str, Any]:
        """Return the error as plain data, ready for JSON."""
        return {
            "type": type(self).__name__,
            "message": str(self),
            "certainty": self.certainty.value,
            **self._fields(),
        }

    def with_fields(self, **changes: Any) -> Self:
        """Return a fresh copy with some fields changed; it carries no traceback."""
        return type(self)(str(self), **(self._fields() | changes))

    def _fields(self) -> dict[str, Any]:
        return {
            "attempts": self.attempts,
            "status_code": self.status_code,
            "recipient": self.recipient,
            "detail": self.detail,
            "cause": self.cause,
            "retry_after": self.retry_after,
        }

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self._fields())


class NotSentError(SendError):
    """The message provably did not reach the server: sending it again cannot double it.

    The way out: docs/reference/errors.md#notsenterror
    """

    certainty = Certainty.NOT_SENT


class RejectedError(SendError):
    """The server answered no: the message was not accepted.

    The way out: docs/reference/errors.md#rejectederror
    """

    certainty = Certainty.REJECTED


class AuthenticationError(RejectedError):
    """The server refused the API key or its rights (401, 403). A bulk run stops.

    The way out: docs/reference/errors.md#authenticationerror
    """


class InsufficientCreditError(RejectedError):
    """The account has no credit left (402). A bulk run stops.

    The way out: docs/reference/errors.md#insufficientcrediterror
    """


class InvalidRequestError(RejectedError):
    """The server refused this message (400, 404, 413, 422 and other 4xx).

    The way out: docs/reference/errors.md#invalidrequesterror
    """


class RateLimitedError(RejectedError):
    """The server said "later" (429, 425, or 503 with Retry-After), too often or for too long.

    The way out: docs/reference/errors.md#ratelimitederror
    """


class OutcomeUnknownError(SendError):
    """The message may or may not have gone out. It is never sent again by itself.

    The way out: docs/reference/errors.md#outcomeunknownerror
    """

    certainty = Certainty.UNKNOWN


def _rebuild(
    kind: type[MultiWhatsError], args: tuple[Any, ...], fields: Mapping[str, Any]
) -> MultiWhatsError:
    """Build an error anew from its parts: pickle calls this."""
    return kind(*args, **fields)
