"""Certificates that servers show, good and bad, and a client's trust in the good one."""

import datetime as dt
import ssl
from collections.abc import Mapping
from typing import Final

import attrs
import trustme

NAME: Final = "gateway.invalid"
"""The name that the good certificate holds, besides the loopback address."""

TRUSTED, STRANGERS, OTHER_HOST, EXPIRED = "trusted", "stranger's", "other host", "expired"
ASKS, ASKS_12, TLS_12 = "asks for the client's", "asks for the client's, TLS 1.2", "TLS 1.2"


@attrs.frozen
class Certificates:
    """What servers show, by name; and a client that trusts one authority."""

    servers: Mapping[str, ssl.SSLContext]
    trusting: ssl.SSLContext


def issue() -> Certificates:
    """Issue certificates for this machine."""
    authority, stranger = trustme.CA(), trustme.CA()
    good = authority.issue_cert("127.0.0.1", NAME)
    past = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    shown = {
        TRUSTED: good,
        STRANGERS: stranger.issue_cert("127.0.0.1"),
        OTHER_HOST: authority.issue_cert("elsewhere.invalid"),
        EXPIRED: authority.issue_cert("127.0.0.1", not_after=past),
        ASKS: good,
        ASKS_12: good,
        TLS_12: good,
    }
    servers = {}
    for name, certificate in shown.items():
        context = servers[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        if name in (ASKS, ASKS_12):
            context.verify_mode = ssl.CERT_REQUIRED
            authority.configure_trust(context)
        if name in (ASKS_12, TLS_12):
            context.maximum_version = ssl.TLSVersion.TLSv1_2
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(trusting)
    return Certificates(servers, trusting)
