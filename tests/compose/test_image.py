"""`make image`: the labels that registries and scanners read."""

from __future__ import annotations

import json
import subprocess
import sys

from local.bootstrap import PROJECT
from local.image import NAME, build_arguments
from service import __version__
from tests.compose.docker import docker

LABELS = "org.opencontainers.image."


def test_the_image_is_labelled_with_its_version_and_commit() -> None:
    given = build_arguments()
    subprocess.run([sys.executable, "-m", "local.image"], cwd=PROJECT, check=True, capture_output=True, timeout=300)
    image = f"{NAME}:{__version__}"
    try:
        labels = json.loads(docker("image", "inspect", image, "--format", "{{json .Config.Labels}}"))
    finally:
        docker("image", "rm", image)
    expected = {
        f"{LABELS}title": "Asterisk connector",
        f"{LABELS}description": "Registration info and users, in front of a live Asterisk and a PostgreSQL",
        f"{LABELS}authors": "the Asterisk connector authors",
        f"{LABELS}licenses": "MIT",
        f"{LABELS}version": __version__,
        f"{LABELS}revision": given["REVISION"],
        f"{LABELS}created": given["CREATED"],
        f"{LABELS}source": given["SOURCE"],
    }
    assert {name: labels.get(name) for name in expected} == expected
