"""Reasons why AMI is unreachable, and the remedy for each."""

from __future__ import annotations

import enum
import errno
import socket
import ssl

from service.errors import CallServerUnavailable


class UnreachableReason(enum.Enum):
    """What failed before the login. The value is the remedy."""

    UNKNOWN_HOST = "AMI_HOST is no name that DNS knows: mend it, or the resolver of this machine"
    REFUSED = (
        "nothing listens there: start Asterisk, or set `enabled = yes`, `bindaddr` and `port` in manager.conf "
        "(with TLS `tlsenable`, `tlsbindaddr`); or mend AMI_HOST and AMI_PORT"
    )
    NO_ROUTE = "no route leads there: mend AMI_HOST, or the network between"
    TIMEOUT = "packets are lost on the way: a firewall, or AMI_HOST is another machine's; see whether Asterisk's runs"
    CERTIFICATE = (
        "its certificate is not believed: give its CA as AMI_CA_FILE, and AMI_HOST as the certificate names it"
    )
    NO_TLS = "that port speaks no TLS: mend AMI_PORT (`tlsbindaddr` in manager.conf), or set AMI_TLS=false"
    NOT_AMI = "something else listens there: mend AMI_PORT (`port` in manager.conf, 5038 if not given)"
    SILENT = (
        "it accepts and says nothing: if that port is `tlsbindaddr` of manager.conf set AMI_TLS=true; "
        "else mend AMI_PORT, or Asterisk hangs"
    )
    CLOSED = (
        "it accepts and hangs up: too many connections that have not logged in (`authlimit` in manager.conf), "
        "an `acl` in [general] there, or a port that speaks TLS only"
    )


class AmiUnreachable(CallServerUnavailable):
    """The connection failed before the login."""

    def __init__(self, detail: str, reason: UnreachableReason) -> None:
        super().__init__(detail)
        self.reason = reason


def classify_connection_error(error: OSError | TimeoutError) -> UnreachableReason:
    """The reason why connecting failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return UnreachableReason.CERTIFICATE
    if isinstance(error, ssl.SSLError):
        return UnreachableReason.NO_TLS
    if isinstance(error, socket.gaierror):
        return UnreachableReason.UNKNOWN_HOST
    # For a host with several addresses the event loop joins all failures in one text.
    if isinstance(error, ConnectionRefusedError) or f"[Errno {errno.ECONNREFUSED}]" in str(error):
        return UnreachableReason.REFUSED
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return UnreachableReason.CLOSED
    if isinstance(error, TimeoutError):
        return UnreachableReason.TIMEOUT
    return UnreachableReason.NO_ROUTE
