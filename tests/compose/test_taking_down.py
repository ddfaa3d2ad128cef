"""Taking everything away, and a database that comes back on another machine. The last tests: they empty the project."""

from __future__ import annotations

import os
from pathlib import Path

from tests.compose.docker import docker, tried
from tests.compose.project import Project
from tests.support.documents import blocks

RESTORE = blocks("docs/operations.md", heading="With Docker")[-2]
USER = 10001
"""The user of the service's containers, who writes the file."""


def volumes(project: Project) -> list[str]:
    return docker("volume", "ls", "--quiet", "--filter", f"label=com.docker.compose.project={project.name}").split()


def test_a_backup_comes_back_on_a_new_machine_and_nothing_stayed_on_the_old_one(demo: Project, tmp_path: Path) -> None:
    demo.profiles = ("demo",)
    demo.compose("up", "--detach")
    demo.replay()
    (folder := tmp_path / "backups").mkdir(mode=0o700)
    os.chown(folder, USER, -1)
    with demo.given(BACKUP_FOLDER=str(folder)):
        demo.compose("run", "--rm", "--build", "backup", timeout_s=600)
        (made,) = folder.iterdir()
        assert made.stat().st_mode & 0o777 == 0o600
        made.rename(folder / "night.backup")

        demo.profiles = ()  # as whoever forgets the profile that `up` had
        assert volumes(demo)
        demo.compose("down", "--volumes")
        assert volumes(demo) == []

        tried("image", "rm", "--force", f"{demo.name}-service", f"{demo.name}-secrets")
        for line in RESTORE.splitlines():
            demo.compose(*line.removeprefix("docker compose ").split(), timeout_s=600)
    demo.replay()
