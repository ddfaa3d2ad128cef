"""The files of the pages, read once: each has its content's hash in its name, so a browser keeps it for good.

A file names another as `"./NAME"`, a document as `"assets/NAME"`. Both become the name with the hash, and so the hash
of a file covers the files that it names.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from service.web.http.prebuilt_response import PrebuiltResponse, render_headers

STATIC = Path(__file__).parent / "static"
MEDIA_TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mp3": "audio/mpeg",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wav": "audio/wav",
}
"""By suffix. A file of another suffix is an error."""
_TEXT = frozenset({".css", ".js", ".svg", ".txt"})
_NAMED = re.compile(r'(?<=")\./([a-z0-9-]+\.[a-z0-9]+)(?=")')
"""A file that a script names, in double quotes: static and dynamic imports, and URLs."""
_NAMED_BY_DOCUMENT = re.compile(r'(?<=")assets/([a-z0-9-]+\.[a-z0-9]+)(?=")')
_MODULE_SCRIPT = re.compile(r'<script type="module" src="assets/([a-z0-9-]+\.js)"></script>')
_STATIC_IMPORT = re.compile(r'^(?:import(?!\()|export|\})[^"\n]*"\./([a-z0-9-]+\.js)"', re.MULTILINE)


class UnknownAsset(ValueError):
    """A document or a script names a file that does not exist, or files name each other in a circle."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent."""

    media_type: str
    plain: bytes
    compressed: bytes | None
    """By gzip. None if that is not smaller."""

    def respond(self, *, accepts_gzip: bool) -> PrebuiltResponse:
        """Return the response for a client that accepts gzip or does not."""
        body = self.compressed if accepts_gzip and self.compressed is not None else self.plain
        headers = {
            "Content-Type": self.media_type,
            "Content-Length": str(len(body)),
            "Cache-Control": "public, max-age=31536000, immutable",
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
        }
        if body is self.compressed:
            headers["Content-Encoding"] = "gzip"
        return PrebuiltResponse(200, render_headers(headers), body, cross_origin=False)


class Assets:
    """All files of a folder. Raises UnknownAsset."""

    def __init__(self, folder: Path = STATIC) -> None:
        self._folder = folder
        self._names: dict[str, str] = {}
        self._assets: dict[str, Asset] = {}
        self._imports: dict[str, tuple[str, ...]] = {}
        for path in sorted(folder.iterdir()):
            if path.is_file():
                self._add(path.name, ())

    @property
    def names(self) -> Mapping[str, str]:
        """The served name of each file by its own."""
        return MappingProxyType(self._names)

    def get(self, served_name: str) -> Asset | None:
        """The file of this served name; None if there is none, as for a hash of another release."""
        return self._assets.get(served_name)

    def document(self, text: str) -> str:
        """Return a document with the served names of files, whose modules are fetched at once, not one by one."""
        preloaded = {name: None for script in _MODULE_SCRIPT.findall(text) for name in self._all_imports(script)}
        links = "".join(f'<link rel="modulepreload" href="assets/{name}">\n' for name in preloaded)
        text = text.replace("</head>", f"{links}</head>")
        return _NAMED_BY_DOCUMENT.sub(lambda found: f"assets/{self._served(found[1])}", text)

    def _served(self, name: str) -> str:
        if name not in self._names:
            raise UnknownAsset(name)
        return self._names[name]

    def _all_imports(self, script: str) -> dict[str, None]:
        """The modules that a script imports, directly or not, but for those that it loads on demand."""
        found: dict[str, None] = {}
        for name in self._imports.get(script, ()):
            found |= {name: None} | self._all_imports(name)
        return found

    def _add(self, name: str, importers: tuple[str, ...]) -> str:
        """Take a file after those that it names. Returns its served name."""
        if name in self._names:
            return self._names[name]
        path = self._folder / name
        if name in importers or not path.is_file():
            raise UnknownAsset(" -> ".join((*importers, name)))
        media_type, content = MEDIA_TYPES[path.suffix], path.read_bytes()
        if path.suffix == ".js":
            text = content.decode()
            self._imports[name] = tuple(_STATIC_IMPORT.findall(text))
            content = _NAMED.sub(lambda found: f"./{self._add(found[1], (*importers, name))}", text).encode()
        small = gzip.compress(content, 9, mtime=0) if path.suffix in _TEXT else content
        digest = hashlib.blake2b(content, digest_size=8).hexdigest()
        served = self._names[name] = f"{path.stem}.{digest}{path.suffix}"
        self._assets[served] = Asset(media_type, content, small if len(small) < len(content) else None)
        return served
