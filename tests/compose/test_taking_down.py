"""Taking everything away, and a database that comes back on another machine. The last tests: they empty the project."""

from __future__ import annotations

from pathlib import Path

from tests.compose.docker import docker, tried
from tests.compose.project import Project

DUMP = "pg_dump --username=postgres --format=custom connector > /tmp/dump && base64 /tmp/dump"
RESTORE = (
    "base64 -d > /tmp/dump && pg_restore --username=postgres --dbname=connector --role=connector_owner --no-owner"
    " --no-privileges --exit-on-error --single-transaction /tmp/dump"
)


def volumes(project: Project) -> list[str]:
    return docker("volume", "ls", "--quiet", "--filter", f"label=com.docker.compose.project={project.name}").split()


def test_a_dump_comes_back_on_a_new_machine_and_nothing_stayed_on_the_old_one(demo: Project, tmp_path: Path) -> None:
    demo.profiles = ("demo",)
    demo.compose("up", "--detach")
    demo.replay()
    dump = demo.inside("postgres", DUMP)

    demo.profiles = ()  # as whoever forgets the profile that `up` had
    assert volumes(demo)
    demo.compose("down", "--volumes")
    assert volumes(demo) == []

    tried("image", "rm", "--force", f"{demo.name}-service", f"{demo.name}-secrets")
    demo.compose("up", "--detach", "--build", "--wait", "postgres", timeout_s=600)
    demo.compose("exec", "-T", "postgres", "sh", "-c", RESTORE, stdin=dump)
    demo.compose("up", "--detach", "--build", timeout_s=600)
    demo.replay()
