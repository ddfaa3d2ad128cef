"""The console of `make run` and `make phone`: each line of output behind the name of the program that wrote it."""

import contextlib
import os
import threading

NAME_WIDTH = 8

_printing = threading.Lock()


def print_line(line: str) -> None:
    """Print one whole line. A console that nobody reads any more is no error."""
    with _printing, contextlib.suppress(OSError, ValueError):
        print(line, flush=True)


def log(name: str, text: str) -> None:
    """Print one line behind a program's name."""
    print_line(f"{name:<{NAME_WIDTH}} | {text}")


class LogPipe:
    """Prints what is written to `fd`, line by line, behind a program's name, until `close`."""

    def __init__(self, name: str) -> None:
        reading, self.fd = os.pipe()
        self._reader = threading.Thread(target=_log_lines, args=[name, reading], name=f"{name} log", daemon=True)
        self._reader.start()

    def close(self, timeout_s: float = 2.0) -> None:
        """Print the rest. Call it once the writers have ended."""
        os.close(self.fd)
        self._reader.join(timeout_s)


def _log_lines(name: str, reading: int) -> None:
    with open(reading, encoding="utf-8", errors="replace") as stream:
        for line in stream:
            if text := line.rstrip():
                log(name, text)
