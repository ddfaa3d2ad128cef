"""`make cli ARGS="user list"`: the service's command line with the settings of `make run`."""

import os
import sys
from typing import NoReturn

from local.bootstrap import PROJECT
from local.data_folder import data_dir, read_env

HELP = {"-h", "--help", "--version"}
"""Options that work without a run."""


def main() -> NoReturn:
    folder = data_dir()
    try:
        settings = read_env(folder)
    except FileNotFoundError:
        if not HELP & set(sys.argv[1:]):
            sys.exit(f"error: there is no run in {folder}; `make run` makes one")
        settings = {}
    os.chdir(PROJECT)
    command = [sys.executable, "-m", "service", *sys.argv[1:]]
    os.execve(command[0], command, {**os.environ, **settings})  # noqa: S606


if __name__ == "__main__":
    main()
