"""Packages without root. apt-get is a script here: a real one would need a mirror, and cannot be made to fail."""

import re
import subprocess
from pathlib import Path

import pytest

from local import debian, mirrors, progress
from local.mirrors import PackageError, Source

APT_GET = r"""#!/bin/sh
echo "$*" >> {folder}/calls
case "$*" in
    *update*--print-uris*) cat {folder}/updates ;;
    *--print-uris*) echo "'http://deb.example/debian/pool/a.deb' a_1_all.deb 1500000 SHA256:00" ;;
    *--download-only*)
        for word; do case $word in Dir::Cache::Archives=*) cp {folder}/a_1_all.deb "${{word#*=}}/" ;; esac; done ;;
esac
"""
UPDATES = """\
'http://deb.example/debian/dists/bookworm/InRelease' x 0
'http://deb.example/debian/dists/bookworm/main/binary-amd64/Packages.xz' x 0
'http://deb.example/debian/dists/bookworm-updates/InRelease' x 0
'http://deb.example/debian-security/dists/bookworm-security/InRelease' x 0
'http://deb.example/debian/dists/bookworm-backports/InRelease' x 0
'https://apt.vendor.example/dists/bookworm/InRelease' x 0
'https://packages.vendor.example/dists/vendor-bookworm/InRelease' x 0
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Debian 12 whose apt-get answers from this folder."""
    folder = tmp_path / "machine"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/apt-get").write_text(APT_GET.format(folder=folder))
    (folder / "bin/apt-get").chmod(0o755)
    (folder / "updates").write_text(UPDATES)
    package = tmp_path / "package"
    (package / "DEBIAN").mkdir(parents=True)
    (package / "DEBIAN/control").write_text(
        "Package: a\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.com>\nDescription: a\n"
    )
    for name in ("usr/bin/a", "usr/share/doc/a/README"):
        (package / name).parent.mkdir(parents=True)
        (package / name).write_text("a")
    subprocess.run(["dpkg-deb", "--build", package, folder / "a_1_all.deb"], check=True, stdout=subprocess.DEVNULL)
    monkeypatch.setenv("PATH", f"{folder}/bin:/usr/bin:/bin")
    monkeypatch.setattr(mirrors, "_os_release", lambda: {"ID": "debian", "VERSION_CODENAME": "bookworm"})
    return folder


def test_a_long_download_says_how_far_it_is(machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = APT_GET.replace("#!/bin/sh", '#!/bin/sh\ncase "$*" in *--download-only*) sleep 0.4 ;; esac')
    (machine / "bin/apt-get").write_text(slow.format(folder=machine))
    monkeypatch.setattr(progress, "EVERY_S", 0.05)
    told: list[str] = []
    debian.extract(["a"], tmp_path / "root", say=told.append)
    assert [line for line in told if re.fullmatch(r"  \d of 2 MB \(\d s\)", line)]


def test_what_is_quick_says_nothing() -> None:
    told: list[str] = []
    with progress.progress(told.append, lambda: "never"):
        pass
    assert told == []


def test_the_machine_s_own_release_is_found_and_other_publishers_are_left_out(machine: Path) -> None:
    assert mirrors.machine_sources() == [
        Source("http://deb.example/debian", "bookworm"),
        Source("http://deb.example/debian", "bookworm-updates"),
        Source("http://deb.example/debian-security", "bookworm-security"),
    ]


def test_another_suite_comes_from_the_machine_s_own_mirror(machine: Path) -> None:
    assert mirrors.suite_sources("sid") == [Source("http://deb.example/debian", "sid")]


def test_another_suite_is_refused_where_the_machine_is_no_debian(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirrors, "_os_release", lambda: {"ID": "ubuntu", "VERSION_CODENAME": "noble"})
    with pytest.raises(PackageError, match="ubuntu"):
        mirrors.suite_sources("sid")


def test_packages_are_extracted_once_and_it_is_said_how_much_comes(machine: Path, tmp_path: Path) -> None:
    root, said = tmp_path / "cache/root", list[str]()
    for _ in range(2):
        assert debian.extract(["a"], root, "sid", say=said.append) == root
    assert (root / "usr/bin/a").read_text() == "a"
    assert not (root / "usr/share/doc").exists()
    assert any("1 packages, 2 MB" in line for line in said)
    assert (machine / "calls").read_text().count("--download-only") == 1


def test_what_the_machine_has_itself_is_left_out(machine: Path, tmp_path: Path) -> None:
    root = tmp_path / "cache/root"
    debian.extract(["a"], root, without=["a"], say=lambda _: None)
    assert [path.name for path in root.iterdir()] == [".packages"]


def test_what_cannot_be_extracted_leaves_nothing_behind(machine: Path, tmp_path: Path) -> None:
    (machine / "a_1_all.deb").write_bytes(b"half a package")
    root = tmp_path / "cache/root"
    with pytest.raises(PackageError, match="dpkg-deb"):
        debian.extract(["a"], root, say=lambda _: None)
    assert [path.name for path in root.parent.iterdir()] == [".root.lock"]


def test_another_wish_replaces_what_was_there(machine: Path, tmp_path: Path) -> None:
    root = tmp_path / "cache/root"
    debian.extract(["a"], root, say=lambda _: None)
    (root / "old").touch()
    debian.extract(["a", "b"], root, say=lambda _: None)
    assert not (root / "old").exists()
    assert (root / "usr/bin/a").exists()
