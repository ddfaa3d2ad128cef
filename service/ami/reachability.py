"""Why an AMI cannot be reached, and what an operator does about each reason."""

from __future__ import annotations

import enum
import errno
import socket
import ssl

from service.errors import CallServerUnavailable


class Trouble(enum.Enum):
    """What went wrong before a login. The value is what to do about it."""

    NAME = "AMI_HOST is no name that DNS knows: mend it, or the resolver of this machine"
    REFUSED = (
        "nothing listens there: start Asterisk, or set `enabled = yes`, `bindaddr` and `port` in manager.conf "
        "(with TLS `tlsenable`, `tlsbindaddr`); or mend AMI_HOST and AMI_PORT"
    )
    NO_WAY = "no route leads there: mend AMI_HOST, or the network between"
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


class OutOfReach(CallServerUnavailable):
    """There is no AMI to log in to."""

    def __init__(self, what: str, trouble: Trouble) -> None:
        super().__init__(what)
        self.trouble = trouble


def trouble_of(error: OSError | TimeoutError) -> Trouble:
    """What a failed connection means."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Trouble.CERTIFICATE
    if isinstance(error, ssl.SSLError):
        return Trouble.NO_TLS
    if isinstance(error, socket.gaierror):
        return Trouble.NAME
    # Of a name with several addresses the loop tells all failures in one text.
    if isinstance(error, ConnectionRefusedError) or f"[Errno {errno.ECONNREFUSED}]" in str(error):
        return Trouble.REFUSED
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return Trouble.CLOSED
    if isinstance(error, TimeoutError):
        return Trouble.TIMEOUT
    return Trouble.NO_WAY
