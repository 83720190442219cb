"""What the tests of files share: where they lie, what is said of them, how a message is shown."""

from collections.abc import Iterator
from pathlib import Path

from multiwhats_async.cli._reading import Rows

FILES = Path(__file__).with_name("files")
SENDER = "908503080335"

LOST = "is a number that the spreadsheet has rounded, its last digits are lost: format the column"
ERROR = ", which is an error of the spreadsheet and no value: mend its formula"
NO_VALUE = "is a formula whose value is not in the file: open the file in a spreadsheet"


def as_texts(rows: Rows) -> Iterator[str]:
    """Yield each message as one line of text."""
    for message in rows:
        by = f"{message.sender} > " if message.sender else ""
        yield f"{by}{message.to}: {message.message} [{', '.join(message.buttons)}]"
