"""`make clean-run`: removes the data folder of `make run`, unless a run is using it."""

import shutil
import sys

from local.data_folder import InUseError, data_dir, locked


def main() -> int:
    folder = data_dir()
    if not folder.exists():
        print(f"{folder} does not exist")
        return 0
    if not (folder / "secrets.json").exists() and any(folder.iterdir()):
        print(f"error: {folder} was not made by `make run`", file=sys.stderr)
        return 1
    try:
        with locked(folder):
            shutil.rmtree(folder)
    except (InUseError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"removed {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
