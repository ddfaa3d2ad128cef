"""Creates a PostgreSQL cluster, also as root, and also below folders that PostgreSQL's user cannot enter."""

import contextlib
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from local.data_folder import write_secret
from local.postgres_binaries import PostgresError, account, environment


def initdb(binaries: Path, cluster: Path, superuser: str, password_file: Path) -> None:
    """Create `cluster` atomically, with a random superuser password that `password_file` stores."""
    cluster.parent.mkdir(parents=True, exist_ok=True)
    unfinished = cluster.with_name(f"{cluster.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    credentials = account(cluster)
    password = secrets.token_urlsafe(24)
    write_secret(password_file, password)
    with contextlib.ExitStack() as stack:
        copy = stack.enter_context(tempfile.TemporaryFile())  # PostgreSQL's user can read this copy, but not our file
        copy.write(password.encode())
        copy.seek(0)
        if credentials:
            os.chown(unfinished, credentials["user"], credentials["group"])
            os.fchown(copy.fileno(), credentials["user"], credentials["group"])
        fd = stack.enter_context(opened(unfinished))
        command = [str(binaries / "initdb"), "-D", f"/proc/self/fd/{fd}", f"--username={superuser}"]
        choices = ["--pwfile=/dev/stdin", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"]
        done = subprocess.run(
            [*command, *choices],
            cwd="/",
            pass_fds=[fd],
            env=environment(),
            stdin=copy,
            capture_output=True,
            text=True,
            check=False,
            **credentials,
        )
    if done.returncode:
        raise PostgresError(f"initdb failed: {done.stderr.strip()}")
    unfinished.rename(cluster)


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[int]:
    """A file descriptor of `folder` for a child process.

    PostgreSQL reaches its data folder as /proc/self/fd/N. So the folder may be below one that PostgreSQL's user cannot
    enter, such as /root.
    """
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)
