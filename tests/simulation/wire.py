"""AMI messages as Asterisk writes them, for the model."""

from __future__ import annotations

from collections.abc import Iterable

GREETING = b"Asterisk Call Manager/11.0.0\r\n"
Headers = Iterable[tuple[str, str]]


def message(headers: Headers, action_id: str | None = None) -> bytes:
    """A message; the action's id comes second, behind `Event` or `Response`, and behind `Privilege`."""
    lines = [f"{name}: {value}" for name, value in headers]
    if action_id is not None:
        lines.insert(1, f"ActionID: {action_id}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def event(name: str, privilege: str | None, headers: Headers, action_id: str | None = None) -> bytes:
    """An event; with an action id, an item of a list."""
    first = [("Event", name)]
    if privilege is not None:
        first.append(("Privilege", privilege))
    if action_id is not None:
        first.append(("ActionID", action_id))
    return message([*first, *headers])


def success(action_id: str | None, *headers: tuple[str, str]) -> bytes:
    return message([("Response", "Success"), *headers], action_id)


def error(action_id: str | None, text: str) -> bytes:
    return message([("Response", "Error"), ("Message", text)], action_id)


def parse(frame: bytes) -> dict[str, str]:
    """The headers of an action, names in lower case."""
    lines = frame.decode().split("\r\n")
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
