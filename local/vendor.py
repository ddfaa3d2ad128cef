"""Bundles the pages' JavaScript libraries: one ES module each, with the licences of all that is in it.

Run by `make vendor`. The results are committed, so that neither an installation nor a browser fetches anything.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from local import bootstrap, node

SOURCE = Path(__file__).parent / "pages-npm"
TARGET = bootstrap.PROJECT / "service/web/pages/static"
BUNDLE = "jssip.js"
LICENCES = "jssip-licences.txt"
ENTRY = 'import JsSIP from "jssip";\nexport const { UA, WebSocketInterface } = JsSIP;\n'
OPTIONS = (
    "--bundle",
    "--format=esm",
    "--minify",
    "--target=es2022",
    "--legal-comments=none",  # LICENCES has them
    "--charset=utf8",
    f"--banner:js=/* JsSIP and what it needs. Licences: {LICENCES} */",
)


def build(folder: Path) -> None:
    """Write the bundle and its licences to `folder`. Raises NodeError."""
    modules = node.modules(SOURCE)
    folder.mkdir(parents=True, exist_ok=True)
    entry = folder / "entry.js"
    entry.write_text(ENTRY)
    try:
        arguments = (entry.name, *OPTIONS, f"--outfile={BUNDLE}")
        node.run(modules / "esbuild/bin/esbuild", *arguments, folder=folder, NODE_PATH=str(modules))
    finally:
        entry.unlink()
    (folder / LICENCES).write_text("\n\n".join(_licences(modules)))


def _licences(modules: Path) -> list[str]:
    """The name, version and licence text of each package that the lock file names for production."""
    packages = json.loads((SOURCE / "package-lock.json").read_text())["packages"]
    texts = []
    for path, package in packages.items():
        name = path.removeprefix("node_modules/")
        if not name or package.get("dev") or name.startswith("@types/"):
            continue
        (licence,) = sorted((modules / name).glob("[Ll][Ii][Cc][Ee][Nn][SsCc][Ee]*"))[:1]
        texts.append(f"{name} {package['version']}\n\n{licence.read_text().strip()}\n")
    return texts


if __name__ == "__main__":
    try:
        build(TARGET)
    except node.NodeError as error:
        sys.exit(f"error: {error}")
    print(f"wrote {(TARGET / BUNDLE).relative_to(bootstrap.PROJECT)}")
