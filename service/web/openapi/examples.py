"""An example exchange of each operation, recorded from a real service.

`tests/integration/openapi/test_examples.py` repeats and compares them; `make examples` records the file again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("examples.json")
EXAMPLES: dict[str, dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
"""By operation id: `arguments` (in path and query), `body`, `answer`."""
