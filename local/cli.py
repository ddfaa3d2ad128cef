"""`make cli ARGS="user list"`: the service's command line with the settings of `make run`."""

import os
import sys

from local.bootstrap import PROJECT
from local.kept import data_dir, read_env


def main() -> int:
    folder = data_dir()
    try:
        settings = read_env(folder)
    except FileNotFoundError:
        print(f"error: there is no run in {folder}; `make run` makes one", file=sys.stderr)
        return 1
    os.chdir(PROJECT)
    os.execve(sys.executable, [sys.executable, "-m", "service", *sys.argv[1:]], {**os.environ, **settings})  # noqa: S606


if __name__ == "__main__":
    sys.exit(main())
