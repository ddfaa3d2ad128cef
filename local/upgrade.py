"""`make upgrade`: another release for the project of docker-compose.prod.yml, without a failed request.

Migrates, then replaces one replica after the other. The next one is touched only when the new one answers and Caddy
sends requests to it. If the new one does not become ready, it gets its old release back. Rolling back is the same with
an older tag: nothing is migrated down.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from local import image
from local.bootstrap import PROJECT
from local.release import VERSION_FILE, read_version

REPLICAS = ("service", "service-b")
TAG = "SERVICE_TAG"
READY_WITHIN_S = 60.0
DEGRADED_AFTER_S = 15.0
"""A replica that replaces a degraded one, as while Asterisk is away, is accepted as it is after this time."""
IN_ROTATION_AFTER_S = 5.0
"""Three health checks of the Caddyfile, and one more."""
PAUSE_S = 0.5
STATUS = (
    "import json, urllib.request as u; print(json.load(u.urlopen('http://127.0.0.1:8080/readyz', timeout=5))['status'])"
)


class UpgradeError(Exception):
    """The upgrade is not possible, or was taken back. The message says why."""


class Compose:
    """The project as `docker compose` finds it, with one tag."""

    def __init__(self, tag: str, environment: Mapping[str, str] = os.environ) -> None:
        self.tag = tag
        self._environment = {**environment, TAG: tag}

    def run(self, *arguments: str, quiet: bool = False) -> str:
        """What a compose command prints; with `quiet` only to the caller. Raises UpgradeError."""
        command = ["docker", "compose", *arguments]
        errors = subprocess.PIPE if quiet else None
        done = subprocess.run(
            command, cwd=PROJECT, env=self._environment, stdout=subprocess.PIPE, stderr=errors, text=True, check=False
        )
        if not quiet:
            sys.stdout.write(done.stdout)
        if done.returncode:
            raise UpgradeError(f"{' '.join(command)} failed{': ' + done.stderr.strip() if quiet else ''}")
        return done.stdout

    def services(self) -> dict[str, Any]:
        """The services by name. Raises UpgradeError unless docker-compose.prod.yml is among the files."""
        found: dict[str, Any] = json.loads(self.run("config", "--format=json", quiet=True))["services"]
        if missing := [replica for replica in REPLICAS if replica not in found]:
            raise UpgradeError(
                f"there is no service {missing[0]}: COMPOSE_FILE in .env must name docker-compose.prod.yml"
            )
        return found

    def start(self, replica: str) -> None:
        """Replace the replica's container, unless it has this image already."""
        self.run("up", "--detach", "--no-deps", "--no-build", "--wait", "--wait-timeout=120", replica)

    def status(self, replica: str) -> str:
        """What the replica's /readyz says: `ready` or `degraded`; empty if it does not answer, or with a 503."""
        try:
            return self.run("exec", "-T", replica, "python", "-c", STATUS, quiet=True).strip()
        except UpgradeError:
            return ""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make upgrade", description=__doc__)
    parser.add_argument(
        "tag", nargs="?", help="a release whose image exists; without it this checkout's, which is built"
    )
    try:
        upgrade(parser.parse_args().tag)
    except (UpgradeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def upgrade(given: str | None) -> None:
    """Raises UpgradeError."""
    compose = Compose(given or read_version((PROJECT / VERSION_FILE).read_text()))
    provide_image(str(compose.services()["service"]["image"]), build=given is None)
    compose.run("run", "--rm", "--no-deps", "settings")
    compose.run("run", "--rm", "--no-deps", "migrate")
    for replica in REPLICAS:
        replace(compose, replica)
    remember(compose.tag)
    print(f"every replica runs {compose.tag}")


def provide_image(name: str, *, build: bool) -> None:
    """Build the image from this checkout, or have it here. Raises UpgradeError."""
    if build:
        os.environ["SERVICE_IMAGE"] = name.rpartition(":")[0]
        if image.main():
            raise UpgradeError(f"{name} cannot be built")
    elif quietly("image", "inspect", name) and quietly("pull", name):
        raise UpgradeError(f"there is no image {name}: `make image` in a checkout of that release builds it")


def quietly(*arguments: str) -> int:
    """The exit code of a docker command."""
    return subprocess.run(["docker", *arguments], capture_output=True, check=False).returncode


def replace(compose: Compose, replica: str) -> None:
    """Give the replica the new release, or its old one back. Raises UpgradeError."""
    old, before = running_tag(compose, replica), compose.status(replica)
    try:
        compose.start(replica)
        wait_until_ready(compose, replica, before)
    except UpgradeError as error:
        if old is None or old == compose.tag:
            raise
        print(f"{replica} gets {old} back", file=sys.stderr)
        Compose(old).start(replica)
        raise UpgradeError(f"{replica} does not run with {compose.tag}, and has {old} again: {error}") from error
    time.sleep(IN_ROTATION_AFTER_S)
    print(f"{replica} runs {compose.tag}")


def running_tag(compose: Compose, replica: str) -> str | None:
    """The tag of the image that the replica's container has now; None without a container."""
    lines = compose.run("ps", "--all", "--format=json", replica, quiet=True).splitlines()
    return str(json.loads(lines[0])["Image"]).rpartition(":")[2] if lines else None


def wait_until_ready(compose: Compose, replica: str, before: str) -> None:
    """Raises UpgradeError if the replica is not as ready in time as the one `before` it."""
    started = time.monotonic()
    for passed in elapsed(started):
        status = compose.status(replica)
        if status == "ready" or (status == "degraded" and before != "ready" and passed > DEGRADED_AFTER_S):
            return
    raise UpgradeError(f"it is {status or 'not answering'} after {READY_WITHIN_S:g} s: `docker compose logs {replica}`")


def elapsed(started: float) -> Iterator[float]:
    """Seconds since then, with a pause after each, until the deadline."""
    while (passed := time.monotonic() - started) < READY_WITHIN_S:
        yield passed
        time.sleep(PAUSE_S)


def remember(tag: str) -> None:
    """Have the next `docker compose up` keep this release: write the tag into `.env`."""
    file = Path(os.environ.get("COMPOSE_ENV_FILES", ".env").split(",")[0])
    path = PROJECT / file
    text = path.read_text() if path.exists() else ""
    line = f"{TAG}={tag}"
    changed, count = re.subn(rf"^{TAG}=.*$", lambda _: line, text, flags=re.MULTILINE)
    if not count:
        changed = f"{text}{'' if not text or text.endswith(chr(10)) else chr(10)}{line}\n"
    if changed != text:
        unfinished = path.with_name(f"{path.name}.unfinished")
        unfinished.write_text(changed)
        unfinished.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o600)
        unfinished.replace(path)


if __name__ == "__main__":
    sys.exit(main())
