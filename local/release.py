"""`make release`: a dated changelog, a commit and a tag, and the files of the release in dist/.

Everything is made in a clone of the committed tree. The repository gets the commit and the tag only when all of it
succeeded: a release is whole, or there is none. With `--dry-run` the repository stays as it is. Nothing is pushed.
"""

import argparse
import datetime
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from local.bootstrap import PROJECT

DIST = "dist"
CHANGELOG = "CHANGELOG.md"
VERSION_FILE = "service/__init__.py"
LOCK = "requirements.lock"


class ReleaseError(Exception):
    """The release is not possible. The message says why, in one line where there are no lines of a program to show."""


@dataclass(frozen=True)
class Release:
    """A version and what its changelog says."""

    version: str
    notes: str

    @property
    def tag(self) -> str:
        return f"v{self.version}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make release", description=__doc__)
    parser.add_argument("--dry-run", action="store_true", help="make dist/ and leave the repository as it is")
    dry_run = parser.parse_args().dry_run
    try:
        release = make_release(PROJECT, datetime.datetime.now(datetime.UTC).date(), dry_run=dry_run)
    except (ReleaseError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for file in sorted((PROJECT / DIST).iterdir()):
        print(f"{DIST}/{file.name}")
    if dry_run:
        print(f"rehearsed {release.tag}: no commit, no tag")
    else:
        print(f"tagged {release.tag}; `git push --follow-tags` publishes it, `make image` builds its image")
    return 0


def make_release(project: Path, today: datetime.date, *, dry_run: bool) -> Release:
    """Check, build, and unless it is a rehearsal commit and tag. Raises ReleaseError."""
    refuse_unclean_tree(project)
    version = read_version((project / VERSION_FILE).read_text())
    changelog, notes = date_section((project / CHANGELOG).read_text(), version, today)
    release = Release(version, notes)
    if git(project, "tag", "--list", release.tag):
        raise ReleaseError(f"the tag {release.tag} exists: raise __version__ in {VERSION_FILE}")
    with tempfile.TemporaryDirectory(prefix="release-") as folder:
        clone = Path(folder) / "tree"
        git(project, "clone", "--quiet", str(project), str(clone))
        (clone / CHANGELOG).write_text(changelog)
        commit_and_tag(project, clone, release)
        built = Path(folder) / "dist"
        build(clone, built, release)
        if not dry_run:
            git(project, "pull", "--quiet", "--ff-only", str(clone), "HEAD")
            git(project, "fetch", "--quiet", str(clone), f"refs/tags/{release.tag}:refs/tags/{release.tag}")
        shutil.rmtree(project / DIST, ignore_errors=True)
        shutil.copytree(built, project / DIST)
    return release


def refuse_unclean_tree(project: Path) -> None:
    """Only what is committed is released."""
    if changed := git(project, "status", "--porcelain"):
        raise ReleaseError(f"the working tree is not clean:\n{changed}")


def read_version(source: str) -> str:
    """`__version__` of the service: the one place that states it."""
    found = re.search(r'^__version__ = "(\d+\.\d+\.\d+)"$', source, re.MULTILINE)
    if found is None:
        raise ReleaseError(f"{VERSION_FILE} states no __version__ such as 1.2.3")
    return found[1]


def date_section(changelog: str, version: str, today: datetime.date) -> tuple[str, str]:
    """The changelog with today's date in the heading of `version`, and the text below that heading."""
    first, *_ = re.findall(r"^## .*", changelog, re.MULTILINE) or ["nothing"]
    wanted = f"## {version} (unreleased)"
    if first != wanted:
        raise ReleaseError(f"{CHANGELOG} begins with `{first}`, not with `{wanted}`")
    notes = re.split(r"^## .*", changelog, flags=re.MULTILINE)[1].strip()
    if not notes:
        raise ReleaseError(f"{CHANGELOG} says nothing about {version}")
    return changelog.replace(wanted, f"## {version} ({today.isoformat()})", 1), notes


def commit_and_tag(project: Path, clone: Path, release: Release) -> None:
    """As the committer that git finds in the project: the clone lacks its configuration."""
    name, _, rest = git(project, "var", "GIT_COMMITTER_IDENT").partition(" <")
    identity = ["-c", f"user.name={name}", "-c", f"user.email={rest.partition('>')[0]}"]
    git(clone, *identity, "commit", "--quiet", "--all", "--message", f"Release {release.version}")
    message = f"{release.version}\n\n{release.notes}"
    git(clone, *identity, "tag", "--annotate", "--cleanup=verbatim", "--message", message, release.tag)


def build(tree: Path, dist: Path, release: Release) -> None:
    """Wheel, source distribution, SBOM, release notes and checksums. The same commit gives the same bytes."""
    environment = {"SOURCE_DATE_EPOCH": git(tree, "log", "-1", "--format=%ct")}
    run([sys.executable, "-m", "hatchling", "build", "--directory", str(dist)], tree, environment)
    sbom = dist / f"asterisk_connector-{release.version}.cdx.json"
    generator = [sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "requirements", LOCK]
    options = ["--pyproject", "pyproject.toml", "--output-reproducible", "--output-file", str(sbom)]
    run([*generator, *options], tree, environment)
    state_version(sbom, release.version)
    (dist / "RELEASE_NOTES.md").write_text(f"# {release.version}\n\n{release.notes}\n")
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in sorted(dist.iterdir())]
    (dist / "SHA256SUMS").write_text("".join(sums))


def state_version(sbom: Path, version: str) -> None:
    """Add the version of the service, which the generator cannot read: pyproject.toml takes it from the source."""
    document = json.loads(sbom.read_text())
    document["metadata"]["component"] |= {"version": version, "purl": f"pkg:pypi/asterisk-connector@{version}"}
    sbom.write_text(json.dumps(document, indent=2) + "\n")


def git(folder: Path, *arguments: str) -> str:
    """What git prints. Raises ReleaseError."""
    return run(["git", *arguments], folder, {}).strip()


def run(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    """What a command prints. Raises ReleaseError with its own words."""
    done = subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ReleaseError(f"{' '.join(command[:4])} failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
