"""The names that spans and metrics bear: OpenTelemetry's semantic conventions, and our own.

Those of messaging are in development there, and may change: they stand here, and nowhere else. Our
own begin with ``multiwhats.``. None is that of a value that may hold a number or a text, such as
``messaging.destination.name``: a destination is a person.
"""

from typing import Final

SCOPE: Final = "multiwhats_async"
SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.37.0"
"""The version of the conventions in which the names below are found."""

SYSTEM: Final = "messaging.system"
OPERATION_NAME: Final = "messaging.operation.name"
OPERATION_TYPE: Final = "messaging.operation.type"
MESSAGE_ID: Final = "messaging.message.id"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
STATUS_CODE: Final = "http.response.status_code"
RESEND_COUNT: Final = "http.request.resend_count"
ERROR_TYPE: Final = "error.type"

CERTAINTY: Final = "multiwhats.certainty"
ATTEMPTS: Final = "multiwhats.attempts"
UNKNOWN_ATTEMPTS: Final = "multiwhats.unknown_attempts"
CREDITS: Final = "multiwhats.credits"

SENT_MESSAGES: Final = "messaging.client.sent.messages"
OPERATION_DURATION: Final = "messaging.client.operation.duration"
ATTEMPT_DURATION: Final = "multiwhats.client.attempt.duration"
SPENT_CREDITS: Final = "multiwhats.client.spent.credits"

MULTIWHATS: Final = "multiwhats"
SEND: Final = "send"
SPAN: Final = f"{SEND} {MULTIWHATS}"
ATTEMPT_SPAN: Final = f"attempt {MULTIWHATS}"

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""The buckets of durations, as the conventions advise."""

LONG_SECONDS: Final = (15.0, 30.0, 60.0, 120.0)
"""And those beyond: an attempt may take 30 s, a message waits for a pause of 120 s."""
