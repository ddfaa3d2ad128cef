"""The names that extensions and endpoints may have. They become parts of AMI actions, so nothing else may pass.

PostgreSQL checks the same patterns (`extensions.extension`, `phones.endpoint`).
"""

from __future__ import annotations

import re

EXTENSION_NUMBER = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)
ENDPOINT_NAME = re.compile(r"[A-Za-z0-9_.+-]{1,80}", re.ASCII)
