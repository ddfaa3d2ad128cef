"""A new Debian machine with systemd, without a virtual one: a root of packages, and systemd as process 1 of namespaces.

It needs root, Linux's namespaces and overlay files, and mmdebstrap. A container without privileges has none of these.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.cache import cache_dir, exclusive_lock
from local.child_process import child_pids
from local.mirrors import machine_sources
from tests.support.eventually import wait_until

INSTALLED = ("dbus", "systemd", "systemd-sysv")
AT_HAND = ("ca-certificates", "libstdc++6", "postgresql", "python3")
"""What an installation of the package downloads. The machine has no network, so apt's cache has it already."""
COMMAND_TIMEOUT_S = 120
BOOT_TIMEOUT_S = 60
CLONE_NEWNET = 0x40000000


@dataclass(frozen=True)
class Machine:
    """A booted machine. Paths are the machine's own."""

    pid: int

    def run(
        self, *command: str, given: str = "", timeout: float = COMMAND_TIMEOUT_S
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as root, to its end."""
        environment = [
            "env",
            "--ignore-environment",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME=/root",
            "LANG=C.UTF-8",
        ]
        entered = [
            "nsenter",
            "--target",
            str(self.pid),
            "--all",
            *environment,
            "sh",
            "-c",
            'cd && exec "$@"',
            "sh",
            *command,
        ]
        return subprocess.run(entered, input=given, capture_output=True, text=True, timeout=timeout, check=False)

    def says(self, *command: str, given: str = "") -> str:
        """What a command prints. It must succeed."""
        done = self.run(*command, given=given)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}\n{self.journal()}"
        return done.stdout

    def journal(self, *options: str) -> str:
        return self.run("journalctl", "--no-pager", "--lines=200", *options).stdout

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        """Properties of a unit, by name."""
        names = [f"--property={name}" for name in properties]
        lines = self.says("systemctl", "show", *names, unit).splitlines()
        return dict(line.split("=", 1) for line in lines)

    def path(self, name: str) -> Path:
        """A file of the machine, as this process reaches it."""
        return Path(f"/proc/{self.pid}/root") / name.removeprefix("/")

    def put(self, file: Path) -> str:
        """Copy a file into root's home."""
        shutil.copy(file, self.path(f"/root/{file.name}"))
        return f"/root/{file.name}"

    def get(self, url: str, *headers: str) -> Any:
        """The JSON of a request on the machine itself, as Debian has no curl."""
        program = (
            "import json, sys, urllib.request as u; "
            "r = u.Request(sys.argv[1], headers=dict(h.split(': ') for h in sys.argv[2:])); "
            "print(u.urlopen(r, timeout=10).read().decode())"
        )
        return json.loads(self.says("python3", "-c", program, url, *headers))


@contextlib.contextmanager
def booted(root: Path) -> Iterator[Machine]:
    """A machine with a copy of this root, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="machine-") as folder, _cgroup() as cgroup:
        script = Path(__file__).with_name("boot.sh")
        spaces = ["--pid", "--fork", "--mount", "--net", "--uts", "--ipc", "--cgroup", "--kill-child"]
        joined = ["sh", "-c", f'echo $$ > "$1/cgroup.procs" && shift && exec unshare {" ".join(spaces)} sh "$@"']
        with (Path(folder) / "console").open("wb") as console, tempfile.TemporaryDirectory() as mounted:
            process = subprocess.Popen(
                [*joined, "sh", str(cgroup), str(script), str(root), mounted, str(cgroup)],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )
            try:
                yield _wait_for_boot(process, Path(console.name))
            finally:
                process.kill()
                process.wait()


def _wait_for_boot(process: subprocess.Popen[bytes], console: Path) -> Machine:
    def up() -> bool:
        assert process.poll() is None, console.read_text()
        children = child_pids(process.pid)
        if not children:
            return False
        state = Machine(min(children)).run("systemctl", "is-system-running").stdout.strip()
        return state in ("running", "degraded")

    wait_until(up, BOOT_TIMEOUT_S, "the machine has booted")
    return Machine(min(child_pids(process.pid)))


@contextlib.contextmanager
def _cgroup() -> Iterator[Path]:
    """A cgroup of version 2 for the machine, so that it cannot touch those of this one."""
    mounts = re.findall(r"^\S+ (\S+) cgroup2 ", Path("/proc/self/mounts").read_text(), re.MULTILINE)
    assert mounts, "this machine has no cgroups of version 2"
    folder = Path(tempfile.mkdtemp(prefix="asterisk-connector-", dir=mounts[0]))
    try:
        yield folder
    finally:
        for path in sorted(folder.rglob("*/"), reverse=True):
            wait_until(lambda path=path: _removed(path), 10, f"{path} is empty")  # type: ignore[misc]
        wait_until(lambda: _removed(folder), 10, f"{folder} is empty")


def _removed(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        folder.rmdir()
    return not folder.exists()


def made_root() -> Path:
    """A root of this machine's Debian release, in the cache: made once, from its mirrors, and never changed."""
    target = cache_dir() / "machine"
    manifest = "".join(source.line() for source in machine_sources()) + " ".join((*INSTALLED, *AT_HAND))
    stamp = target.with_name("machine.packages")
    target.parent.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(target.with_name(".machine.lock")):
        if not (target.exists() and stamp.exists() and stamp.read_text() == manifest):
            stamp.unlink(missing_ok=True)
            shutil.rmtree(target, ignore_errors=True)
            _bootstrap(target)
            stamp.write_text(manifest)
    return target


def _bootstrap(target: Path) -> None:
    download = f'chroot "$1" apt-get -o APT::Install-Recommends=1 install --yes --download-only {" ".join(AT_HAND)}'
    forget = 'rm "$1"/etc/apt/apt.conf.d/99mmdebstrap'  # options for this making only
    command = ["mmdebstrap", "--mode=root", "--variant=minbase", f"--include={','.join(INSTALLED)}"]
    options = ["--skip=cleanup/apt", f"--customize-hook={download} && {forget}", '--aptopt=Acquire::Languages "none"']
    lines = [source.line().strip() for source in machine_sources()]
    suite = min((source.suite for source in machine_sources()), key=len)
    done = subprocess.run([*command, *options, suite, str(target), *lines], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def forwarded(machine: Machine, port: int, target: int) -> Iterator[None]:
    """Let the machine reach a port of this one, at this port of its own loopback."""
    open_sockets = [listener := _listener(machine, port)]

    def copy(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                near = listener.accept()[0]
                far = socket.create_connection(("127.0.0.1", target))
                open_sockets.extend((near, far))
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=copy, args=ends, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield
    finally:
        for each in open_sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


def _listener(machine: Machine, port: int) -> socket.socket:
    """A socket in the machine's network. A thread of its own enters it, and ends there."""
    made: list[socket.socket] = []

    def enter() -> None:
        descriptor = os.open(f"/proc/{machine.pid}/ns/net", os.O_RDONLY)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(descriptor, CLONE_NEWNET) == 0:
            made.append(socket.create_server(("127.0.0.1", port)))
        os.close(descriptor)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert made, "the machine's network cannot be entered"
    return made[0]
