"""The types of errors: what one catches has its data."""

from typing import assert_type

from multiwhats_async import (
    AuthenticationError,
    CampaignHeldError,
    ClaimLostError,
    ConfigurationError,
    InsufficientCreditError,
    InvalidMenuError,
    InvalidMessageError,
    InvalidReplyError,
    InvalidRequestError,
    LedgerError,
    MultiWhatsError,
    NotSentError,
    OutcomeUnknownError,
    Problem,
    RateError,
    RateLimitedError,
    RejectedError,
    Report,
    SendError,
    TemplateError,
)


def send() -> None:
    """Stand for anything that raises."""


def each_has_its_data() -> None:
    """Fields of what was caught."""
    try:
        send()
    except InvalidMessageError as error:
        assert_type(error.problems, tuple[Problem, ...])
        assert_type(error.index, int | None)
    except InvalidMenuError as error:
        assert_type(error.problems, tuple[str, ...])
    except LedgerError as error:
        assert_type(error.report, Report | None)
    except (NotSentError, RejectedError, OutcomeUnknownError) as error:
        assert_type(error.attempts, int)
        assert_type(error.with_fields(attempts=2).recipient, str | None)
    except SendError as error:
        assert_type(error.retry_after, float | None)


def as_rejected(error: AuthenticationError | InsufficientCreditError) -> RejectedError:
    """Refused for the key, its rights or the credit."""
    return error


def as_rejected_too(error: InvalidRequestError | RateLimitedError) -> RejectedError:
    """Refused for the message, or for now."""
    return error


def as_ledger(error: CampaignHeldError | ClaimLostError) -> LedgerError:
    """Of a campaign that is held, or a message that is another's."""
    return error


def as_value(error: InvalidReplyError | TemplateError | InvalidMenuError) -> ValueError:
    """Of what somebody has written wrongly."""
    return error


def as_ours(error: ConfigurationError | RateError | SendError | LedgerError) -> MultiWhatsError:
    """The base of all."""
    return error
