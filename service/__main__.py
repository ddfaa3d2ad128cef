"""Entry point of `python -m service`."""

import sys

from service.runtime import signals

if __name__ == "__main__":
    signals.ignore_signals(sys.argv[1:])  # first, because the imports below take a second
    from service.cli import main

    sys.exit(main())
