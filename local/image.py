"""`make image`: the service's image, tagged with its version and labelled with the commit that it is made from."""

import os
import subprocess
import sys

from local.bootstrap import PROJECT
from local.release import VERSION_FILE, ReleaseError, git, read_version

NAME = "asterisk-connector"


def build_arguments() -> dict[str, str]:
    """What the Dockerfile cannot know. A tree with changes that are not committed has `-dirty` behind its revision."""
    revision = git(PROJECT, "rev-parse", "HEAD")
    dirty = "-dirty" if git(PROJECT, "status", "--porcelain") else ""
    return {
        "VERSION": read_version((PROJECT / VERSION_FILE).read_text()),
        "REVISION": revision + dirty,
        "CREATED": git(PROJECT, "log", "-1", "--format=%cI"),
        "SOURCE": os.environ.get("SOURCE_URL", ""),
    }


def main() -> int:
    try:
        arguments = build_arguments()
    except (ReleaseError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    tag = f"{os.environ.get('SERVICE_IMAGE') or NAME}:{arguments['VERSION']}"
    flags = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    return subprocess.run(["docker", "build", "--tag", tag, *flags, str(PROJECT)], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
