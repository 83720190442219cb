"""One short name for several texts."""

from collections.abc import Iterable
from hashlib import blake2b


def digest_of(parts: Iterable[str]) -> str:
    """Return a digest of texts in their order, in 32 hexadecimal digits."""
    digest = blake2b(digest_size=16)
    for part in parts:
        # A lone surrogate is no UTF-8; in what came from outside it may stand all the same.
        data = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(data) + data)
    return digest.hexdigest()
