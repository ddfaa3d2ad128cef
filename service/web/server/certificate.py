"""The certificate of the HTTPS port: read from files, proved by a handshake in memory, and replaced while serving.

Python's `ssl` tells nothing about a certificate that it serves. So the new one is used once, with a client that trusts
only this chain: that proves that key and certificate belong together, and gives the certificate's times and names.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import time

import structlog
from aiohttp import web

from service.errors import ConfigurationError
from service.settings import Settings

log = structlog.get_logger(__name__)

NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which `ssl` does not name: an expired certificate should say when it did."""
HANDSHAKE_STEPS = 4
RENEWAL_DAYS, RENEWAL_SHARE = 14, 4
"""A certificate is to be renewed in its last 14 days; one that lives for less, in the last quarter of its life."""


class CertificateUnusable(Exception):
    """The files hold no certificate that can be served. The message names the file and holds none of its content."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that can be served, with its key."""

    context: ssl.SSLContext
    names: tuple[str, ...]
    """The host names and addresses for which it is valid."""
    valid_from: float
    expires: float
    """Seconds since the epoch."""

    @property
    def expires_at(self) -> str:
        """When it expires, for people."""
        return f"{datetime.fromtimestamp(self.expires, UTC):%Y-%m-%dT%H:%M:%SZ}"

    def is_valid(self, now: float) -> bool:
        """Whether clients accept its times now."""
        return self.valid_from <= now < self.expires

    def is_due(self, now: float) -> bool:
        """Whether it should have been renewed by now."""
        return now > self.expires - min(RENEWAL_DAYS * 86_400, (self.expires - self.valid_from) / RENEWAL_SHARE)


def load(certificate_file: Path, key_file: Path | None) -> Certificate:
    """Read the files. Raises CertificateUnusable. Expired certificates are returned too."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)  # TLS 1.2 or newer, asks for no client certificate
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | NO_CHECK_TIME
    for file in filter(None, (certificate_file, key_file)):
        _require_readable(file)
    try:
        context.load_cert_chain(certificate_file, key_file, password=_refuse_password)
        trusting.load_verify_locations(certificate_file)
        described = _handshake(context, trusting)
    except ssl.SSLError as error:
        raise CertificateUnusable(_describe(error, certificate_file, key_file)) from None
    except OSError as error:
        raise CertificateUnusable(f"{error.filename or certificate_file} cannot be read: {error.strerror}") from None
    names = tuple(str(value) for _, value in described.get("subjectAltName", ()))
    valid_from, expires = (ssl.cert_time_to_seconds(str(described[name])) for name in ("notBefore", "notAfter"))
    return Certificate(context, names, float(valid_from), float(expires))


def _require_readable(file: Path) -> None:
    try:
        file.read_bytes()
    except OSError as error:
        raise CertificateUnusable(f"{file} cannot be read: {error.strerror}") from None


def _refuse_password() -> str:
    """OpenSSL would ask on the terminal."""
    raise CertificateUnusable("the key is encrypted: give it without a passphrase, readable by the service only")


def _handshake(serving: ssl.SSLContext, trusting: ssl.SSLContext) -> dict[str, tuple[tuple[str, str], ...]]:
    """Use a certificate once, in memory, and return what `ssl` tells a client about it. Raises ssl.SSLError."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(to_client, to_server)
    server = serving.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(HANDSHAKE_STEPS):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    described: dict[str, tuple[tuple[str, str], ...]] = client.getpeercert() or {}  # type: ignore[assignment]
    return described


def _describe(error: ssl.SSLError, certificate_file: Path, key_file: Path | None) -> str:
    key = key_file or certificate_file
    reason: str | None = error.reason
    match reason:
        case "KEY_VALUES_MISMATCH" | "NO_CERTIFICATE_ASSIGNED":  # the second: not even of the same kind
            return f"the key in {key} does not belong to the first certificate in {certificate_file}"
        case None:
            return f"{certificate_file} must hold a certificate in PEM, and {key} its key"
        case "CERTIFICATE_VERIFY_FAILED" if isinstance(error, ssl.SSLCertVerificationError):
            return f"{certificate_file} is refused by clients: {error.verify_message}"
    return f"{certificate_file} and {key} cannot be used: {reason.lower().replace('_', ' ')}"


def load_valid(certificate_file: Path, key_file: Path | None, now: float) -> Certificate:
    """Read the files. Raises CertificateUnusable, also for a certificate that is not valid now."""
    certificate = load(certificate_file, key_file)
    if certificate.expires <= now:
        raise CertificateUnusable(f"{certificate_file} has expired at {certificate.expires_at}")
    if not certificate.is_valid(now):
        raise CertificateUnusable(f"{certificate_file} is not valid yet")
    return certificate


def find_problem(settings: Settings) -> str | None:
    """Say why the settings' files cannot be served; None if they can, and without TLS."""
    file = settings.tls_certificate_file
    try:
        file is None or load_valid(file, settings.tls_key_file, time())
    except CertificateUnusable as error:
        return str(error)
    return None


class ServedCertificate:
    """The certificate that new connections get. Files that cannot be used never replace one that can."""

    def __init__(self, certificate_file: Path, key_file: Path | None, now: Callable[[], float] = time) -> None:
        self._files, self._now = (certificate_file, key_file), now
        self._tried = self._seen = self.identity()
        self.refused = ""
        """Why the files' present content is not served; empty if it is."""
        self.failed_handshakes = 0
        """Handshakes of clients that failed, since the start."""
        try:
            self.certificate = load(*self._files)
        except CertificateUnusable as error:
            raise ConfigurationError(f"TLS: {error}") from None
        if self.certificate.is_valid(now()):
            log.info("tls_certificate_loaded", names=self.certificate.names, expires=self.certificate.expires_at)
        else:  # a client that does not mind goes on working, the others would find a closed port
            log.error("tls_certificate_not_valid", names=self.certificate.names, expires=self.certificate.expires_at)

    @classmethod
    def of(cls, settings: Settings) -> ServedCertificate | None:
        """The certificate of the settings; None without TLS. Raises ConfigurationError."""
        file = settings.tls_certificate_file
        return None if file is None else cls(file, settings.tls_key_file)

    @property
    def context(self) -> ssl.SSLContext:
        """For new connections."""
        return self.certificate.context

    def identity(self) -> tuple[object, ...]:
        """What changes when the files are replaced, be it by writing, renaming or another link."""
        found: list[object] = []
        for file in filter(None, self._files):
            try:
                stat = file.stat()
                found.append((stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size))
            except OSError as error:
                found.append(error.errno)
        return tuple(found)

    def reload_if_settled(self) -> None:
        """Load changed files once they have stayed the same since the last call: one of the two is written first."""
        identity = self.identity()
        settled, self._seen = identity == self._seen, identity
        if settled and identity != self._tried:
            self.reload()

    def reload(self) -> None:
        """Load the files, and keep the present certificate if they cannot be used. Logs which."""
        self._tried = self.identity()
        try:
            certificate = load_valid(*self._files, self._now())
        except CertificateUnusable as error:
            self.refused = str(error)
            log.error(
                "tls_certificate_refused",
                error=self.refused,
                names=self.certificate.names,
                expires=self.certificate.expires_at,
            )
            return
        self.certificate, self.refused = certificate, ""
        log.info("tls_certificate_loaded", names=self.certificate.names, expires=self.certificate.expires_at)


SERVED_CERTIFICATE = web.AppKey("served_certificate", ServedCertificate)
