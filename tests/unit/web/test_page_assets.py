"""Files of the pages: names with hashes, files that name each other, and the policy of a page."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from service.web.pages.assets import Assets, UnknownAsset
from service.web.pages.documents import DOCUMENTS, content_security_policy


def folder(path: Path, **files: str) -> Path:
    for name, text in files.items():
        (path / name.replace("_", ".")).write_text(text)
    return path


def text_of(assets: Assets, name: str) -> str:
    asset = assets.get(assets.names[name])
    assert asset is not None
    return asset.plain.decode()


def test_a_module_names_another_by_the_name_with_its_hash(tmp_path: Path) -> None:
    assets = Assets(
        folder(tmp_path, a_js='import { b } from "./b.js";\nconst c = () => import("./c.js");', b_js="", c_js="1")
    )
    assert text_of(assets, "a.js") == (
        f'import {{ b }} from "./{assets.names["b.js"]}";\nconst c = () => import("./{assets.names["c.js"]}");'
    )


def test_the_hash_of_a_module_changes_with_those_that_it_names(tmp_path: Path) -> None:
    first = Assets(folder(tmp_path, a_js='import "./b.js";', b_js="1", c_js="1")).names
    second = Assets(folder(tmp_path, b_js="2")).names
    assert {name for name in first if first[name] != second[name]} == {"a.js", "b.js"}


def test_a_document_fetches_at_once_what_is_imported_and_not_what_is_loaded_on_demand(tmp_path: Path) -> None:
    assets = Assets(
        folder(
            tmp_path,
            a_js='import {\n  b,\n} from "./b.js";\nimport("./d.js");',
            b_js='import "./c.js";',
            c_js="",
            d_js="4",
        )
    )
    told = assets.document('<head><script type="module" src="assets/a.js"></script></head>')
    links = [f'<link rel="modulepreload" href="assets/{assets.names[name]}">\n' for name in ("b.js", "c.js")]
    script = f'<script type="module" src="assets/{assets.names["a.js"]}"></script>'
    assert told == f"<head>{script}{''.join(links)}</head>"


@pytest.mark.parametrize(
    "files", [{"a_js": 'import "./none.js";'}, {"a_js": 'import "./b.js";', "b_js": 'import "./a.js";'}]
)
def test_a_file_that_does_not_exist_or_a_circle_is_refused(tmp_path: Path, files: dict[str, str]) -> None:
    with pytest.raises(UnknownAsset):
        Assets(folder(tmp_path, **files))


def test_a_document_that_names_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownAsset):
        Assets(folder(tmp_path)).document('<link href="assets/none.css">')


def test_text_is_compressed_only_where_that_is_smaller(tmp_path: Path) -> None:
    assets = Assets(folder(tmp_path, long_js="let a;" * 100, short_js="1"))
    long, short = (assets.get(assets.names[name]) for name in ("long.js", "short.js"))
    assert long is not None
    assert long.compressed is not None
    assert gzip.decompress(long.compressed) == long.plain
    assert short is not None
    assert short.compressed is None


def test_the_policy_names_the_origins_of_call_servers_once() -> None:
    urls = ["wss://pbx.example.com/ws", "wss://pbx.example.com/other", "ws://127.0.0.1:8088/ws"]
    policy = content_security_policy(urls, media=True)
    assert "; connect-src 'self' ws://127.0.0.1:8088 wss://pbx.example.com; media-src 'self' blob:; " in policy
    assert "; connect-src 'self'; base-uri" in content_security_policy((), media=False)


BOARD_LIMIT = 30_000
"""Bytes, as they are sent."""


def test_the_board_is_small() -> None:
    assets = Assets()
    text = assets.document((DOCUMENTS / "board.html").read_text())
    names = set(re.findall(r'"assets/([^"]+)"', text))
    files = [asset for asset in map(assets.get, names) if asset is not None]
    assert len(files) == len(names) > 10
    size = len(gzip.compress(text.encode())) + sum(len(each.compressed or each.plain) for each in files)
    assert 10_000 < size <= BOARD_LIMIT
