"""Certificates made for a test with OpenSSL: of any age, with a chain or without one."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

CONFIG = """
[ca]
default_ca = own
[own]
database = {index}
serial = {serial}
new_certs_dir = {folder}
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[leaf]
subjectAltName = {names}
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
"""


@dataclass(frozen=True)
class Issued:
    """A certificate and its key."""

    certificate: Path
    key: Path

    def trusting(self) -> ssl.SSLContext:
        """A client's context that trusts this certificate, and no other."""
        return ssl.create_default_context(cafile=self.certificate)


def issue(
    folder: Path,
    name: str = "server",
    *,
    issuer: Issued | None = None,
    authority: bool = False,
    days: tuple[float, float] = (-1, 30),
    names: str = "DNS:localhost, IP:127.0.0.1",
    curve: str = "P-256",
) -> Issued:
    """Issue a certificate, by itself unless `issuer` does, valid between these days from now."""
    made = Issued(folder / f"{name}.pem", folder / f"{name}.key.pem")
    request, config, index, serial = (folder / f"{name}.{end}" for end in ("csr", "cnf", "index", "serial"))
    index.write_text("")
    serial.write_text(f"{abs(hash((name, days))) % 10**12:012d}")
    config.write_text(CONFIG.format(index=index, serial=serial, folder=folder, names=names))
    _openssl(
        "req", "-new", "-newkey", "ec", "-pkeyopt", f"ec_paramgen_curve:{curve}", "-nodes", "-subj", f"/CN={name}",
        "-keyout", made.key, "-out", request,
    )  # fmt: skip
    by: list[str | Path] = ["-selfsign", "-keyfile", made.key]
    if issuer is not None:
        by = ["-cert", issuer.certificate, "-keyfile", issuer.key]
    start, end = (f"{datetime.now(UTC) + timedelta(days=day):%Y%m%d%H%M%SZ}" for day in days)
    _openssl(
        "ca", "-batch", "-notext", "-config", config, "-extensions", "authority" if authority else "leaf", *by,
        "-in", request, "-startdate", start, "-enddate", end, "-out", made.certificate,
    )  # fmt: skip
    return made


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
