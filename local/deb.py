"""`make deb`: a Debian package for the release of this machine, in dist/.

It holds a virtual environment with the locked versions, which runs with the Python of that release only: the package's
dependencies say so. dpkg-deb builds it. The same commit gives the same bytes.
"""

import argparse
import hashlib
import platform
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

from local import bootstrap
from local.bootstrap import PROJECT
from local.release import ReleaseError, git, read_version, run

PYTHONS = {"12": (3, 11), "13": (3, 13)}
"""The Python of each Debian release."""
LIBRARY = "usr/lib/asterisk-connector"
DOCUMENTS = "usr/share/doc/asterisk-connector"
FILES = {
    "deploy/debian/asterisk-connector": "usr/bin/asterisk-connector",
    "deploy/debian/connector.env": "etc/asterisk-connector/connector.env",
    "deploy/debian/sysusers.conf": "usr/lib/sysusers.d/asterisk-connector.conf",
    "deploy/systemd/asterisk-connector.service": "usr/lib/systemd/system/asterisk-connector.service",
    "deploy/systemd/asterisk-connector-migrate.service": "usr/lib/systemd/system/asterisk-connector-migrate.service",
    "deploy/systemd/asterisk-connector-setup.service": "usr/lib/systemd/system/asterisk-connector-setup.service",
    "deploy/systemd/asterisk-connector-backup.service": "usr/lib/systemd/system/asterisk-connector-backup.service",
    "deploy/systemd/asterisk-connector-backup.timer": "usr/lib/systemd/system/asterisk-connector-backup.timer",
    "LICENSE": f"{DOCUMENTS}/copyright",
    "CHANGELOG.md": f"{DOCUMENTS}/CHANGELOG.md",
    "README.md": f"{DOCUMENTS}/README.md",
    # Where the pages' links between them lead.
    "docs": f"{DOCUMENTS}/docs",
    "asterisk": f"{DOCUMENTS}/asterisk",
    "deploy/fail2ban": f"{DOCUMENTS}/deploy/fail2ban",
    "deploy/grafana": f"{DOCUMENTS}/deploy/grafana",
    "deploy/prometheus": f"{DOCUMENTS}/deploy/prometheus",
}
SCRIPTS = ("postinst", "prerm", "postrm")
MODES = {"usr/bin/asterisk-connector": 0o755, "etc/asterisk-connector/connector.env": 0o640}
CONTROL = """\
Package: asterisk-connector
Version: {version}
Architecture: {architecture}
Maintainer: the Asterisk connector authors
Installed-Size: {kibibytes}
Depends: python3 (>= {python}~), python3 (<< {next_python}~), libc6 (>= {libc}), libgcc-s1, libstdc++6, systemd (>= 252)
Recommends: ca-certificates, postgresql (>= 15~)
Section: comm
Priority: optional
Description: registration info and presence in front of Asterisk and PostgreSQL
 Softphones ask who they are on the telephone system, and whether their line is
 up. The answer merges what PostgreSQL stores with what Asterisk reports now.
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make deb", description=__doc__)
    parser.add_argument("--revision", default="1", help="Debian revision, for a second package of the same version")
    parser.add_argument("--folder", type=Path, default=PROJECT / "dist", help="folder of the package; default: dist/")
    arguments = parser.parse_args()
    try:
        print(make_package(arguments.folder, arguments.revision))
    except (ReleaseError, bootstrap.BootstrapError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def make_package(folder: Path, revision: str = "1") -> Path:
    """Build the package, and return its file. Raises ReleaseError, BootstrapError, OSError."""
    release = debian_release()
    version = f"{read_version((PROJECT / 'service/__init__.py').read_text())}-{revision}~deb{release}"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="deb-") as work:
        tree = Path(work) / "tree"
        make_environment(tree / LIBRARY, PYTHONS[release])
        copy_files(tree)
        set_modes(tree)
        write_control(tree, version, PYTHONS[release])
        dated = {"SOURCE_DATE_EPOCH": git(PROJECT, "log", "-1", "--format=%ct")}
        package = folder / f"asterisk-connector_{version}_{architecture()}.deb"
        run(["dpkg-deb", "-Zzstd", "--root-owner-group", "--build", str(tree), str(package)], PROJECT, dated)
    return package


def debian_release() -> str:
    """The machine's release, such as `12`, if this is its Python: pip chooses wheels for the Python that it runs on."""
    try:
        system = platform.freedesktop_os_release()
    except OSError:
        system = {}
    release = system.get("VERSION_ID", "")
    if system.get("ID") != "debian" or release not in PYTHONS:
        raise ReleaseError(f"a package is built on Debian {' or '.join(PYTHONS)}, and this is another system")
    wanted, have = (".".join(map(str, version)) for version in (PYTHONS[release], sys.version_info[:2]))
    if wanted != have:
        raise ReleaseError(
            f"Debian {release} has Python {wanted}, and this is {have}: name it with PYTHON=python{wanted}"
        )
    return release


def make_environment(folder: Path, python: tuple[int, int]) -> None:
    """A virtual environment of Debian's Python, which need not be on this machine: links, a file and the packages."""
    name = "python{}.{}".format(*python)
    packages = folder / "lib" / name / "site-packages"
    locked = ["--require-hashes", "--only-binary", ":all:", "--no-compile", "--requirement"]
    bootstrap.pip("install", "--quiet", "--target", str(packages), *locked, str(bootstrap.RUNTIME_LOCK))
    shutil.rmtree(packages / "bin", ignore_errors=True)  # programs of libraries, for the Python of this machine
    with tempfile.TemporaryDirectory(prefix="wheel-") as work:
        run([sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", work], PROJECT, {})
        with zipfile.ZipFile(next(Path(work).glob("*.whl"))) as wheel:
            wheel.extractall(packages)
    (folder / "bin").mkdir()
    (folder / "bin/python").symlink_to(f"/usr/bin/{name}")
    version = ".".join(map(str, python))
    (folder / "pyvenv.cfg").write_text(f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {version}\n")


def copy_files(tree: Path) -> None:
    """What the package has beside the environment."""
    for source, target in FILES.items():
        (tree / target).parent.mkdir(parents=True, exist_ok=True)
        if (PROJECT / source).is_dir():
            shutil.copytree(PROJECT / source, tree / target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(PROJECT / source, tree / target)


def set_modes(tree: Path) -> None:
    """Readable for everybody with any umask of the builder, but for settings."""
    tree.chmod(0o755)
    for path in tree.rglob("*"):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(MODES.get(str(path.relative_to(tree)), 0o755 if executable else 0o644))


def write_control(tree: Path, version: str, python: tuple[int, int]) -> None:
    """What dpkg reads: dependencies, scripts, conffiles and checksums."""
    files = sorted(path for path in tree.rglob("*") if path.is_file() and not path.is_symlink())
    (control := tree / "DEBIAN").mkdir(mode=0o755)
    values = {
        "version": version,
        "architecture": architecture(),
        "kibibytes": sum(-(-path.stat().st_size // 1024) for path in files),
        "python": ".".join(map(str, python)),
        "next_python": f"{python[0]}.{python[1] + 1}",
        "libc": platform.libc_ver()[1],
    }
    (control / "control").write_text(CONTROL.format(**values))
    (control / "conffiles").write_text("/etc/asterisk-connector/connector.env\n")
    sums = [f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(tree)}\n" for path in files]  # noqa: S324
    (control / "md5sums").write_text("".join(sums))
    for script in SCRIPTS:
        shutil.copyfile(PROJECT / "deploy/debian" / script, control / script)
        (control / script).chmod(0o755)
    for name in ("control", "conffiles", "md5sums"):
        (control / name).chmod(0o644)


def architecture() -> str:
    """Debian's name of this machine's architecture, such as `amd64`."""
    return run(["dpkg", "--print-architecture"], PROJECT, {}).strip()


if __name__ == "__main__":
    sys.exit(main())
