"""Extracts Debian and Ubuntu packages without root, by a private apt configuration and `dpkg-deb -x`.

The machine's package lists, cache and status are neither read nor changed. The private status is empty, so a package
comes with all its dependencies down to libc6 and runs through its own dynamic loader on any release. Only the standard
library is used: this runs before there is a Python environment.

    python3 -m local.debian ROOT PACKAGE... [--suite sid]
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from local.cache import exclusive_lock
from local.mirrors import PackageError, Source, distribution, machine_sources, run, suite_sources
from local.progress import megabytes, progress

__all__ = ["PackageError", "distribution", "extract"]

UPDATE_TIMEOUT_S = 300
DOWNLOAD_TIMEOUT_S = 1800

DEAD_WEIGHT = ("usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "usr/share/lintian")
MANIFEST = ".packages"


def extract(
    packages: Sequence[str],
    root: Path,
    suite: str | None = None,
    *,
    without: Sequence[str] = (),
    say: Callable[[str], None] = print,
) -> Path:
    """Extract `packages` and their dependencies to `root`, from `suite` or else the machine's own release.

    The packages `without` are left out, because the machine provides them. Nothing happens if `root` already holds
    just these packages. `root` appears whole or not at all; a second process waits for the first. Raises PackageError.
    """
    manifest = f"{suite or 'own'} {' '.join(sorted(packages))}\n"
    if _holds(root, manifest):
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(root.with_name(f".{root.name}.lock")):
        if _holds(root, manifest):
            return root
        for leftover in root.parent.glob(f".{root.name}.work-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=f".{root.name}.work-", dir=root.parent) as work:
            view = _View(Path(work), suite_sources(suite) if suite else machine_sources())
            with progress(say, lambda: view.how_far()):
                tree = view.unpack(view.download(packages, root, say), without)
            (tree / MANIFEST).write_text(manifest)
            if root.exists():
                root.rename(Path(work) / "old")
            tree.rename(root)
    return root


class _View:
    """A private apt configuration below one work folder."""

    def __init__(self, work: Path, sources: Sequence[Source]) -> None:
        self._work = work
        self._sources = sources
        self.how_far: Callable[[], str] = lambda: "starting"
        self._debs = work / "cache" / "archives"
        for folder in (work / "lists" / "partial", self._debs / "partial", work / "dpkg", work / "tree"):
            folder.mkdir(parents=True)
        (work / "dpkg" / "status").touch()
        (work / "tree").chmod(0o755)
        (work / "sources.list").write_text("".join(source.line() for source in sources))

    def download(self, packages: Sequence[str], root: Path, say: Callable[[str], None]) -> list[Path]:
        """Report the size, then download. apt checks every signature and hash."""
        suites = ", ".join(dict.fromkeys(source.suite for source in self._sources))
        host = urlsplit(self._sources[0].uri).netloc or self._sources[0].uri
        say(f"reading the package lists of {suites} from {host} (about 10 MB) ...")
        self.how_far = lambda: "reading the package lists"
        self._apt("update", timeout_s=UPDATE_TIMEOUT_S)
        uris = self._apt("install", "--print-uris", "-y", *packages, timeout_s=120).splitlines()
        sizes = [int(line.split()[2]) for line in uris if line.startswith("'")]
        total = sum(sizes) / 1e6
        say(f"downloading {len(sizes)} packages, {total:.0f} MB: {' '.join(packages)} -> {root}")
        self.how_far = lambda: f"{megabytes(self._debs):.0f} of {total:.0f} MB"
        self._apt("install", "--download-only", "-y", *packages, timeout_s=DOWNLOAD_TIMEOUT_S)
        return sorted(self._debs.glob("*.deb"))

    def unpack(self, debs: Sequence[Path], without: Sequence[str] = ()) -> Path:
        tree = self._work / "tree"
        # base-files has only links such as /lib -> usr/lib, which collide with folders of older packages.
        left_out = {"base-files", *without}
        self.how_far = lambda: f"unpacked {len(debs) - sum(map(Path.exists, debs))} of {len(debs)} packages"
        for deb in debs:
            if deb.name.partition("_")[0] not in left_out:
                run(["dpkg-deb", "-x", str(deb), str(tree)], 120)
            deb.unlink()
        for folder in DEAD_WEIGHT:
            shutil.rmtree(tree / folder, ignore_errors=True)
        return tree

    def _apt(self, *arguments: str, timeout_s: float) -> str:
        options = {
            "Dir::Etc::SourceList": self._work / "sources.list",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::Etc::Preferences": "/dev/null",
            "Dir::Etc::PreferencesParts": "/dev/null",
            "Dir::State": self._work,
            "Dir::State::Lists": self._work / "lists",
            "Dir::State::status": self._work / "dpkg" / "status",  # empty; apt puts its locks for dpkg beside it
            "Dir::Cache": self._work / "cache",
            "Dir::Cache::Archives": self._debs,
            "Acquire::Check-Valid-Until": "false",  # a mirror's copy of sid may have expired
            "Acquire::Languages": "none",
            "APT::Update::Error-Mode": "any",
            "APT::Install-Recommends": "false",
            "APT::Sandbox::User": "root",  # apt's user cannot enter the cache folder
        }
        flags = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return run(["apt-get", "-qq", *flags, *arguments], timeout_s)


def _holds(root: Path, manifest: str) -> bool:
    try:
        return (root / MANIFEST).read_text() == manifest
    except FileNotFoundError:
        return False


def main() -> int:
    parser = argparse.ArgumentParser(description="Extract packages, without installing them.")
    parser.add_argument("root", type=Path)
    parser.add_argument("packages", nargs="+", metavar="package")
    parser.add_argument("--suite", help="not the machine's own release but this, such as sid")
    arguments = parser.parse_args()
    try:
        print(extract(arguments.packages, arguments.root.absolute(), arguments.suite))
    except PackageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
