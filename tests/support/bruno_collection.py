"""A collection for Bruno, a desktop client for HTTP, from the API's description: `make collection`.

Each operation is a file of Bruno's language, in a folder per family, with the description's example as arguments. The
environment `demo` holds the public accounts of `make run`; `production` holds no secret, Bruno asks for them.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from local import demo_data
from service.web import routes
from service.web.openapi.document import document

Json = dict[str, Any]

NAME = "Asterisk connector"
LOGIN = "postLogin"
CREDENTIALS = {"user": "{{user}}", "password": "{{password}}"}
FROM_LOGIN = {"token": "res.body.data.authToken", "userId": "res.body.data.userId"}
ENVIRONMENTS: Mapping[str, Mapping[str, str]] = {
    "demo": {"url": "http://127.0.0.1:8080", "user": demo_data.ADMIN, "password": demo_data.ADMIN_PASSWORD},
    "production": {"url": "https://phone.example.com", "user": "admin"},
}
SECRETS = ("password", "token", "userId")
"""Variables of `production` that Bruno keeps out of its files."""
_UNSAFE = re.compile(r'[\\/:*?"<>|\x00-\x1f]')


def files() -> dict[str, str]:
    """The files of the collection by path."""
    described = document(routes.families(with_metrics=True))
    manifest = {"version": "1", "name": NAME, "type": "collection", "ignore": ["node_modules", ".git"]}
    found = {"bruno.json": json.dumps(manifest, indent=2) + "\n"}
    found |= {f"environments/{name}.bru": _environment(name, values) for name, values in ENVIRONMENTS.items()}
    numbers: dict[str, int] = {}
    for path, method, operation in _operations(described):
        family = operation["tags"][0]
        numbers[family] = numbers.get(family, 0) + 1
        title = f"{method.upper()} {path}"
        file = _UNSAFE.sub("_", f"{method} {path.strip('/') or 'home'}")
        found[f"{family}/{file}.bru"] = _request(title, numbers[family], path, method, operation)
    return found


def write(folder: Path) -> int:
    """Write the collection. Returns the number of requests."""
    content = files()
    for name, text in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return len(content) - 1 - len(ENVIRONMENTS)


def _operations(described: Json) -> Iterator[tuple[str, str, Json]]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _request(title: str, number: int, path: str, method: str, operation: Json) -> str:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    parameters = operation.get("parameters", [])
    url = "{{url}}" + re.sub(r"\{(\w+)\}", r":\1", path)
    query = [each for each in parameters if each["in"] == "query"]
    enabled = [each for each in query if "example" in each]
    if enabled:
        url += "?" + "&".join(f"{each['name']}={_value(each)}" for each in enabled)
    parts = [
        _block("meta", {"name": title, "type": "http", "seq": number}),
        _block(method, {"url": url, "body": "json" if body else "none", "auth": "none"}),
        _block("params:query", {("" if each in enabled else "~") + each["name"]: _value(each) for each in query}),
        _block("params:path", {each["name"]: _value(each) for each in parameters if each["in"] == "path"}),
        _block("headers", _headers(operation, parameters)),
    ]
    if body:
        example = CREDENTIALS if operation["operationId"] == LOGIN else body["example"]
        parts.append(_text("body:json", json.dumps(example, indent=2, ensure_ascii=False)))
    if operation["operationId"] == LOGIN:
        parts.append(_block("vars:post-response", FROM_LOGIN))
    parts.append(_text("docs", "\n\n".join(filter(None, (operation["summary"], operation.get("description"))))))
    return "\n".join(filter(None, parts))


def _headers(operation: Json, parameters: list[Json]) -> dict[str, str]:
    names = {name for scheme in operation.get("security", [])[:1] for name in scheme}
    headers = {header: value for scheme, header, value in _CREDENTIALS if scheme in names}
    return headers | {f"~{each['name']}": "" for each in parameters if each["in"] == "header"}


_CREDENTIALS = (("token", "X-Auth-Token", "{{token}}"), ("uid", "X-User-Id", "{{userId}}"))


def _value(parameter: Json) -> str:
    value = parameter.get("example", "")
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _environment(name: str, values: Mapping[str, str]) -> str:
    secrets = [] if name == "demo" else [_list("vars:secret", SECRETS)]
    return "\n".join([_block("vars", values), *secrets])


def _block(name: str, values: Mapping[str, object]) -> str:
    """A dictionary of Bruno's language; nothing for an empty one."""
    lines = "".join(f"  {key}: {value}\n" for key, value in values.items())
    return f"{name} {{\n{lines}}}\n" if values else ""


def _list(name: str, values: tuple[str, ...]) -> str:
    return f"{name} [\n" + ",\n".join(f"  {value}" for value in values) + "\n]\n"


def _text(name: str, text: str) -> str:
    lines = "".join(f"  {line}".rstrip() + "\n" for line in text.splitlines())
    return f"{name} {{\n{lines}}}\n"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    print(f"{write(target)} requests in {target}: open the folder with Bruno")
