"""Tests with a real Linphone, whose packages Debian's mirrors carry and Ubuntu's do not."""

from tests.support.linphone import CARRIED

collect_ignore_glob = [] if CARRIED else ["test_*.py"]
