"""What a customer has chosen: from pushed bytes to a :class:`Reply`, and a door for web services.

The vendor documents one sentence: the customer's choice comes back "into your own system
instantly". Assumed, because nothing more is documented:

- that it is pushed over HTTP, as a JSON record of the shape that answers a sent message;
- that the chosen button stands in ``extra_data.selectedItemId``, of the record or of its target;
- what that id holds, so you say it: ``assumed_item_id="label"``, ``"index_from_0"`` or
  ``"index_from_1"``. It is never guessed: a button may have the text "1".

Where your account pushes another shape, ``adapt=`` takes the decoded JSON to the documented record
or straight to a :class:`Reply`.
"""

from ._handler import MAX_REMEMBERED, REMEMBER_SECONDS, ReplyHandler, ReplyResponse
from ._parsing import MAX_REPLY_BYTES, parse_reply
from ._reply import AssumedItemId, Reply

__all__ = [
    "MAX_REMEMBERED",
    "MAX_REPLY_BYTES",
    "REMEMBER_SECONDS",
    "AssumedItemId",
    "Reply",
    "ReplyHandler",
    "ReplyResponse",
    "parse_reply",
]
