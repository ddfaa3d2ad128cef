"""An example of each operation: what was asked of a real service, and what it answered.

`tests/integration/openapi/test_examples.py` asks again and compares; `make examples` writes the file anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("examples.json")
EXAMPLES: dict[str, dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
"""By operation id: `arguments` (in path and query), `body`, `answer`."""
