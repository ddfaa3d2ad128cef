"""`make release`, in a repository of its own that holds this working tree."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from email.parser import Parser
from pathlib import Path

import pytest

from local import bootstrap
from local.bootstrap import PROJECT
from service import __version__

TAG = f"v{__version__}"
UNRELEASED = f"## {__version__} (unreleased)\n"
STEM = f"asterisk_connector-{__version__}"
TIMEOUT_S = 60


@dataclass
class Repository:
    """A repository with one commit, and `make release` in it."""

    folder: Path

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.folder, env=environment(), capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def release(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "local.release", *arguments],
            cwd=self.folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    def refusal(self) -> str:
        """What it says, when it refuses and leaves the repository as it was."""
        before = self.git("rev-parse", "HEAD"), self.git("tag")
        done = self.release()
        assert done.returncode == 1, done.stdout
        assert (self.git("rev-parse", "HEAD"), self.git("tag")) == before
        assert "Traceback" not in done.stderr
        return done.stderr.strip()

    def commit_changelog(self, text: str) -> None:
        (self.folder / "CHANGELOG.md").write_text(text)
        self.git("commit", "--quiet", "--all", "--message", "Change the changelog")


def environment() -> dict[str, str]:
    """Git's configuration of this machine plays no part."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return inherited | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("release") / "project"
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (PROJECT / name).exists():  # else removed, and not committed yet
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, folder / name)
    repository = Repository(folder)
    repository.git("init", "--quiet")
    repository.git("config", "user.name", "A releaser")
    repository.git("config", "user.email", "releaser@example.com")
    changelog = folder / "CHANGELOG.md"
    if UNRELEASED not in changelog.read_text():  # between a release and the first change after it
        changelog.write_text(f"# Changelog\n\n{UNRELEASED}\n- A change.\n\n## 0.0.1 (2026-01-01)\n")
    repository.git("add", "--all")
    repository.git("commit", "--quiet", "--message", "The working tree")
    return folder


@pytest.fixture
def repository(template: Path, tmp_path: Path) -> Repository:
    shutil.copytree(template, tmp_path / "project")
    return Repository(tmp_path / "project")


def test_a_release_dates_the_changelog_tags_and_builds(repository: Repository) -> None:
    before = repository.git("rev-parse", "HEAD")
    done = repository.release()
    assert done.returncode == 0, done.stderr
    today = datetime.now(UTC).date()
    changelog = (repository.folder / "CHANGELOG.md").read_text()
    assert f"## {__version__} ({today})\n" in changelog
    assert UNRELEASED not in changelog
    assert repository.git("rev-parse", "HEAD~1") == before
    assert repository.git("rev-parse", f"{TAG}^{{commit}}") == repository.git("rev-parse", "HEAD")
    assert repository.git("show", "--name-only", "--format=%an <%ae>: %s", "HEAD").split("\n\n") == [
        f"A releaser <releaser@example.com>: Release {__version__}",
        "CHANGELOG.md",
    ]
    assert repository.git("status", "--porcelain") == ""
    notes = (repository.folder / "dist/RELEASE_NOTES.md").read_text()
    assert notes.strip().removeprefix(f"# {__version__}\n\n") in changelog
    assert repository.git("tag", "--list", "--format=%(contents)", TAG).startswith(__version__)
    assert repository.refusal().startswith(f"error: CHANGELOG.md begins with `## {__version__} ({today})`")


@pytest.fixture(scope="module")
def rehearsed(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    folder = tmp_path_factory.mktemp("rehearsed") / "project"
    shutil.copytree(template, folder)
    repository = Repository(folder)
    done = repository.release("--dry-run")
    assert done.returncode == 0, done.stderr
    assert f"rehearsed {TAG}" in done.stdout
    return repository


def test_a_rehearsal_leaves_the_repository_as_it_is(rehearsed: Repository) -> None:
    assert (rehearsed.git("rev-list", "--count", "HEAD"), rehearsed.git("tag")) == ("1", "")
    assert rehearsed.git("status", "--porcelain") == ""
    assert UNRELEASED in (rehearsed.folder / "CHANGELOG.md").read_text()


def test_dist_is_whole_and_its_checksums_fit(rehearsed: Repository) -> None:
    dist = rehearsed.folder / "dist"
    ends = ("-py3-none-any.whl", ".tar.gz", ".cdx.json")
    built = {f"{STEM}{end}" for end in ends} | {"RELEASE_NOTES.md", "SHA256SUMS"}
    assert {file.name for file in dist.iterdir()} == built
    sums = dict(line.split("  ")[::-1] for line in (dist / "SHA256SUMS").read_text().splitlines())
    assert sums == {name: hashlib.sha256((dist / name).read_bytes()).hexdigest() for name in built - {"SHA256SUMS"}}


def test_the_wheel_has_metadata_licence_console_script_and_migrations(rehearsed: Repository) -> None:
    info = f"{STEM}.dist-info"
    with zipfile.ZipFile(rehearsed.folder / f"dist/{STEM}-py3-none-any.whl") as archive:
        metadata = Parser().parsestr(archive.read(f"{info}/METADATA").decode())
        assert (metadata["Name"], metadata["Version"]) == ("asterisk-connector", __version__)
        assert (metadata["License-Expression"], metadata["License-File"]) == ("MIT", "LICENSE")
        assert b"asterisk-connector = service.cli:main" in archive.read(f"{info}/entry_points.txt")
        names = archive.namelist()
    assert f"{info}/licenses/LICENSE" in names
    migrations = {str(path.relative_to(PROJECT)) for path in (PROJECT / "service/db/migrations").rglob("*.sql")}
    assert migrations
    assert migrations <= set(names)


def test_the_installed_wheel_is_a_command(rehearsed: Repository, tmp_path: Path) -> None:
    """As pipx does it. The libraries are those of this environment, so that nothing is downloaded."""
    wheel = next((rehearsed.folder / "dist").glob("*.whl"))
    bootstrap.pip("install", "--quiet", "--no-deps", "--target", str(tmp_path / "installed"), str(wheel))
    variables = environment() | {"PYTHONPATH": str(tmp_path / "installed"), "PYTHONSAFEPATH": "1"}
    for argument, told in (
        ("--version", f"asterisk-connector {__version__}\n"),
        ("--help", "usage: asterisk-connector "),
    ):
        program = tmp_path / "installed/bin/asterisk-connector"
        done = subprocess.run(
            [program, argument],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=True,
        )
        assert done.stdout.startswith(told)


def test_the_source_distribution_has_the_dated_changelog(rehearsed: Repository) -> None:
    with tarfile.open(rehearsed.folder / f"dist/{STEM}.tar.gz") as archive:
        changelog = archive.extractfile(f"{STEM}/CHANGELOG.md")
        assert changelog is not None
        assert re.search(
            rf"^## {re.escape(__version__)} \(\d{{4}}-\d\d-\d\d\)$", changelog.read().decode(), re.MULTILINE
        )


def test_the_sbom_lists_just_what_the_lock_names(rehearsed: Repository) -> None:
    document = json.loads((rehearsed.folder / f"dist/{STEM}.cdx.json").read_text())
    assert (document["bomFormat"], document["metadata"]["component"]["version"]) == ("CycloneDX", __version__)
    listed = {f"{part['name']}=={part['version']}" for part in document["components"]}
    lock = (rehearsed.folder / "requirements.lock").read_text()
    assert listed == set(re.findall(r"^[\w.-]+==[\w.]+", lock, re.MULTILINE))


def test_a_tree_with_changes_is_not_released(repository: Repository) -> None:
    (repository.folder / "new.txt").touch()
    assert repository.refusal() == "error: the working tree is not clean:\n?? new.txt"


def test_a_version_that_is_tagged_is_not_released_again(repository: Repository) -> None:
    repository.git("tag", TAG)
    assert repository.refusal() == f"error: the tag {TAG} exists: raise __version__ in service/__init__.py"


@pytest.mark.parametrize(
    ("changelog", "told"),
    [
        ("# Changelog\n\n## 9.9.9 (unreleased)\n\n- A change.\n", "CHANGELOG.md begins with `## 9.9.9 (unreleased)`"),
        (f"# Changelog\n\n## {__version__} (2026-01-01)\n\n- A change.\n", "CHANGELOG.md begins with `## "),
        ("# Changelog\n", "CHANGELOG.md begins with `nothing`"),
        (f"# Changelog\n\n{UNRELEASED}\n## 0.0.1 (2026-01-01)\n", f"CHANGELOG.md says nothing about {__version__}"),
    ],
    ids=["another version", "a dated one", "no section", "an empty section"],
)
def test_a_version_without_its_changelog_is_not_released(repository: Repository, changelog: str, told: str) -> None:
    repository.commit_changelog(changelog)
    assert repository.refusal().startswith(f"error: {told}")
