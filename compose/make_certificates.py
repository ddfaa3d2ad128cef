"""Gives PostgreSQL, Asterisk and NATS a certificate each, and their clients the CA: given ones, else of an own CA.

It runs at each `up` with docker-compose.tls.yml. The CA's key is never stored: when a certificate is missing, was made
for other names or ends within a month, all are made again.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path("/certificates")
GIVEN = Path("/given")
SERVERS = ("postgres", "asterisk", "nats")
TRUSTING = ("migrate", "service", "collector")
OPTIONAL = ("nats",)
"""Servers without which given certificates are whole: the bus is a profile."""
DAYS, LEFT_S = "3650", str(31 * 86_400)
NAMES = "names"
"""A file beside each certificate: the hash of what it was made for."""


def main() -> int:
    try:
        with tempfile.TemporaryDirectory() as made:
            source, told = (GIVEN, "given") if (GIVEN / "ca.pem").exists() else (Path(made), "made")
            if source != GIVEN and all(is_current(server) for server in SERVERS):
                print("certificates: kept")
                return 0
            if source != GIVEN:
                make(source)
            hand_out(source)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        print(f"error: {getattr(error, 'stderr', None) or error}", file=sys.stderr)
        return 1
    print(f"certificates: {told}")
    return 0


def names(server: str) -> str:
    """The subjectAltName of a server. Phones reach Asterisk by the address in SIP_NAMES."""
    further = os.environ.get("SIP_NAMES", "").split() if server == "asterisk" else []
    kinds = {name: "IP" if name.replace(".", "").isdigit() or ":" in name else "DNS" for name in further}
    return ",".join(dict.fromkeys([f"DNS:{server}", *(f"{kind}:{name}" for name, kind in kinds.items())]))


def digest(server: str) -> str:
    return hashlib.sha256(names(server).encode()).hexdigest()


def is_current(server: str) -> bool:
    folder = FOLDER / server
    if not (folder / NAMES).exists() or (folder / NAMES).read_text() != digest(server):
        return False
    ends = ("openssl", "x509", "-checkend", LEFT_S, "-noout", "-in", str(folder / "server.pem"))
    return subprocess.run(ends, check=False, capture_output=True).returncode == 0


def make(folder: Path) -> None:
    """A CA, and a certificate of it for each server. The CA's key ends with this process."""
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", DAYS)
    ca, key = folder / "ca.pem", folder / "ca.key"
    signs = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")  # Python 3.13 demands it
    openssl("req", "-x509", *new, *signs, "-subj", "/CN=Asterisk connector CA", "-keyout", str(key), "-out", str(ca))
    for server in SERVERS:
        openssl(
            *("req", "-x509", *new, "-CA", str(ca), "-CAkey", str(key), "-subj", f"/CN={server}"),
            *("-addext", f"subjectAltName={names(server)}", "-addext", "basicConstraints=critical,CA:FALSE"),
            *("-keyout", str(folder / f"{server}.key"), "-out", str(folder / f"{server}.pem")),
        )


def hand_out(source: Path) -> None:
    """Copy to each container's volume what it needs, and nothing more."""
    files = {f"{server}/server.{end}": f"{server}.{end}" for server in SERVERS for end in ("pem", "key")}
    files |= {f"{reader}/ca.pem": "ca.pem" for reader in (*SERVERS, *TRUSTING)}
    for server in OPTIONAL:
        if not (source / f"{server}.pem").exists():
            files = {target: name for target, name in files.items() if not target.startswith(f"{server}/")}
    for name in files.values():
        if not (source / name).exists():
            raise ValueError(
                f"{source}/{name} is missing: ca.pem, and .pem and .key of postgres, asterisk and, for the bus, nats"
            )
    for target, name in files.items():
        unfinished = FOLDER / f"{target}.unfinished"
        shutil.copyfile(source / name, unfinished)
        # Containers run as different users. No container has a volume with the key of another.
        unfinished.chmod(0o444)
        unfinished.rename(FOLDER / target)
    for server in SERVERS:
        (FOLDER / server / NAMES).write_text(digest(server))


def openssl(*arguments: str) -> None:
    subprocess.run(("openssl", *arguments), check=True, capture_output=True, text=True)


if __name__ == "__main__":
    sys.exit(main())
