"""`python -m service`."""

import sys

from service.runtime import signals

if __name__ == "__main__":
    signals.ignore_for(sys.argv[1:])  # the imports below take a second, in which a signal may come
    from service.cli import main

    sys.exit(main())
