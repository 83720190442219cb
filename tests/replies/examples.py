"""Pushed choices, made from the vendor's own example."""

import copy
import json
from typing import Any

from vendor import RESPONSE

LABELS = RESPONSE["extra_data"]["buttons"]
CUSTOMER = RESPONSE["targets"][0]["target_identifier"]
OURS = RESPONSE["from_identifier"]

NOTHING = object()


def pushed(item: Any = NOTHING, target_item: Any = NOTHING, **changes: Any) -> dict[str, Any]:
    """Return the vendor's record with a choice in it, and fields changed."""
    record = copy.deepcopy(RESPONSE)
    if item is not NOTHING:
        record["extra_data"]["selectedItemId"] = item
    if target_item is not NOTHING:
        record["targets"][0]["extra_data"]["selectedItemId"] = target_item
    return record | changes


def body(item: Any = NOTHING, target_item: Any = NOTHING, **changes: Any) -> bytes:
    """Return the same as the bytes that are pushed."""
    return json.dumps(pushed(item, target_item, **changes), ensure_ascii=False).encode()
