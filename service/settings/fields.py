"""Types of settings, and secrets that come from files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, IPvAnyNetwork

from service.settings import hosts

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
Network = IPvAnyNetwork
RoleName = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]
Host = Annotated[str, AfterValidator(hosts.host)]
NearHost = Annotated[str, AfterValidator(hosts.near_host)]
Origin = Annotated[str, AfterValidator(hosts.origin)]
PublicUrl = Annotated[str, AfterValidator(hosts.public_url)]
UrlPath = Annotated[str, AfterValidator(hosts.url_path)]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,80}$")]


SECRET_FILES = ("password_file", "secret_file", "secrets_key_file", "secrets_previous_key_file")
"""Endings of settings that name the file of a secret."""


def read_secret_files(values: Any) -> Any:
    """Replace each secret's `x_file` by `x`, the file's content without trailing newlines."""
    if not isinstance(values, dict):
        return values
    loaded = dict(values)
    for key in [key for key in values if key.endswith(SECRET_FILES)]:
        path, name = loaded.pop(key), key.removesuffix("_file")
        if not path:
            continue
        if loaded.get(name):
            raise ValueError(f"both {name} and {key} are given")
        try:
            loaded[name] = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{key}: {path} cannot be read: {error}") from None
    return loaded
