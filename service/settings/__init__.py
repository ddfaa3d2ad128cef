"""Settings: environment variables that begin with `CONNECTOR_`, checked once, at start.

Nothing is read on import. Every secret `X` may come as `X_FILE`, the path of a file that holds it (Docker and
Kubernetes hand secrets over like that); giving both is an error.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from service.domain.models import WebSocketAddress
from service.errors import ConfigurationError
from service.settings import database_url, hosts

PREFIX = "CONNECTOR_"
JWT_SECRET_BYTES = 32

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
Network = IPvAnyNetwork
RoleName = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]
Host = Annotated[str, AfterValidator(hosts.host)]
NearHost = Annotated[str, AfterValidator(hosts.near_host)]
Origin = Annotated[str, AfterValidator(hosts.origin)]
UrlPath = Annotated[str, AfterValidator(hosts.url_path)]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,80}$")]


def _read_secret_files(values: Any) -> Any:
    """Replace each secret's `x_file` by `x`, the file's content without the newline at its end."""
    if not isinstance(values, dict):
        return values
    found = dict(values)
    for key in [key for key in values if key.endswith(("password_file", "secret_file"))]:
        path, name = found.pop(key), key.removesuffix("_file")
        if not path:
            continue
        if found.get(name):
            raise ValueError(f"both {name} and {key} are given")
        try:
            found[name] = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{key}: {path} cannot be read: {error}") from None
    return found


class CallServer(BaseModel):
    """One Asterisk: what softphones are told, how its AMI is reached, and its role in PostgreSQL."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    host: Host = Field(description="name or address that softphones are given")
    websocket_port: Port = Field(443, description="port of its WebSocket, as softphones reach it")
    websocket_scheme: Literal["ws", "wss"] = Field("wss", description="`ws` only where nobody listens")
    websocket_path: UrlPath = Field("/ws", description="path of its WebSocket")

    ami_host: NearHost = Field(description="where this service reaches AMI")
    ami_port: Port = Field(5038, description="AMI's port")
    ami_tls: bool = Field(False, description="speak TLS to AMI")
    ami_ca_file: Path | None = Field(None, description="a CA of your own, PEM; the system's if not given")
    monitor_username: Word = Field("monitor", description="AMI account that watches")
    monitor_secret: SecretStr = Field(description="its secret")
    presence_username: Word = Field("presence", description="AMI account that sets people's presence")
    presence_secret: SecretStr | None = Field(None, description="its secret; without it nobody can set their presence")
    sync_username: Word = Field("sync", description="AMI account for endpoints that Asterisk lost track of")
    sync_secret: SecretStr | None = Field(None, description="its secret; optional, as the account equals a shell")

    database_role: RoleName | None = Field(None, description="role with which it reads PostgreSQL")
    database_password: SecretStr | None = Field(None, description="that role's password; `migrate` sets it")

    _files = model_validator(mode="before")(_read_secret_files)

    def address(self, name: str) -> WebSocketAddress:
        """What a softphone is told; the URL leaves out the scheme's own port, as the seed does."""
        usual = self.websocket_port == (443 if self.websocket_scheme == "wss" else 80)
        authority = hosts.authority(self.host, None if usual else self.websocket_port)
        url = f"{self.websocket_scheme}://{authority}{self.websocket_path}"
        return WebSocketAddress(name, self.host, self.websocket_port, url)


class Settings(BaseSettings):
    """All settings. The names in the environment are these, in capitals, behind `CONNECTOR_`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    http_host: NearHost = Field("127.0.0.1", description="address to listen on")
    http_port: Port = Field(8080, description="port to listen on")
    published_on: list[str] = Field(
        [],
        description="addresses at which a container's ports are published, a JSON list: who could reach the demo",
    )
    allow_demo: bool = Field(
        False, description="serve the demo's people, whose passwords are public, to other machines"
    )
    metrics_port: Port | None = Field(None, description="a port of its own for `/metrics` and the details of `/readyz`")
    workers: int = Field(1, ge=1, le=64, description="processes that answer on the port")
    trusted_proxies: list[Network] = Field([], description="networks whose `X-Forwarded-For` is believed, a JSON list")

    database_url: str = Field(
        "postgresql://connector_service@127.0.0.1:5432/connector",
        description="PostgreSQL, as the service; a cluster's hosts with commas between",
    )
    database_password: SecretStr | None = Field(None, description="its password")
    database_password_file: Path | None = Field(None, description="or the file that holds it")
    owner_database_url: str | None = Field(
        None, description="PostgreSQL, as the owner, its hosts likewise: `migrate` only"
    )
    owner_database_password: SecretStr | None = Field(None, description="its password")
    owner_database_password_file: Path | None = Field(None, description="or the file that holds it")
    database_pool: int = Field(10, ge=2, le=100, description="connections of one process")
    database_deadline: Seconds = Field(3.0, description="seconds that one request waits for PostgreSQL")
    database_start_deadline: Seconds = Field(30.0, description="seconds that a start waits for PostgreSQL")
    migrate_deadline: Seconds = Field(60.0, description="seconds that `migrate` tries to get one migration's locks")

    call_servers: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")], CallServer] = Field(
        {}, description="the Asterisks, by name"
    )
    directory_grace: Seconds = Field(60.0, description="seconds that memory answers while PostgreSQL is away")
    watchdog_deadline: Seconds = Field(10.0, description="seconds after which a silent Asterisk is not live")

    token_days: float = Field(90, gt=0, le=3650, description="days that a token from a login lives")
    tokens_per_person: int = Field(
        50, ge=1, le=10_000, description="tokens of one person from logins; one more ends the oldest"
    )
    login_failures_per_minute: int = Field(10, ge=1, description="failed logins allowed, per account and per address")
    requests_per_minute: int = Field(600, ge=1, description="requests that one token may make, per process")
    streams_per_person: int = Field(
        50, ge=1, description="presence streams of one person, per process; one more ends the oldest"
    )
    long_polls_per_person: int = Field(
        50, ge=1, description="long-polls of one person, per process; one more ends the oldest"
    )
    held_answers: int = Field(
        10_000, ge=1, description="streams that one process holds open, and long-polls; beyond it they are refused"
    )
    cors_origins: list[Origin] = Field([], description="origins whose pages may read answers, a JSON list")
    jwt_secret: SecretStr | None = Field(None, description="wraps registration info in a signed JWT")
    jwt_secret_file: Path | None = Field(None, description="or the file that holds it")
    poll_interval: int = Field(10, ge=1, description="seconds that `X-Poll-Interval` advises")
    mask_passwd: bool = Field(False, description="answer `passwd` of `/user/{user_id}` as an empty string")
    rocketchat_success: bool = Field(False, description='add Rocket.Chat\'s `"success": true` to registration info')
    rocketchat_states: bool = Field(
        False, description="spell states as Rocket.Chat did: `registered`, `unregistered`, `ringing`, `busy`, `unknown`"
    )
    rocketchat_errors: bool = Field(
        False, description="answer what needs a dead Asterisk, and taking an extension from nobody, as Rocket.Chat did"
    )
    body_limit: int = Field(65536, ge=1024, description="bytes of a request's body")
    body_deadline: Seconds = Field(5.0, description="seconds that a request's body may take")
    shutdown_deadline: Seconds = Field(10.0, description="seconds that open requests have at the end")

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is logged")
    log_format: Literal["json", "console"] = Field("json", description="`console` for human eyes")

    _files = model_validator(mode="before")(_read_secret_files)

    @model_validator(mode="after")
    def _jwt(self) -> Self:
        if self.jwt_secret is not None and len(self.jwt_secret.get_secret_value().encode()) < JWT_SECRET_BYTES:
            raise ValueError(f"jwt_secret has less than {JWT_SECRET_BYTES} bytes: HS256 would be weak")
        return self

    @model_validator(mode="after")
    def _urls(self) -> Self:
        for name in ("database_url", "owner_database_url"):
            text = getattr(self, name) or ""
            url = urlsplit(text)
            if text and url.scheme not in ("postgresql", "postgres"):
                raise ValueError(f"{name} must look like postgresql://user@host:port/database")
            if url.password or "password" in parse_qs(url.query):
                raise ValueError(f"{name} holds a password; give it as {name.replace('url', 'password')} or its file")
            try:
                database_url.hosts(text), database_url.target(text)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        return self

    @property
    def login_failures_per_process(self) -> int:
        """The limit of logins, divided among the workers and rounded up: they share the promise, not the count."""
        return -(-self.login_failures_per_minute // self.workers)

    def call_server(self, name: str) -> WebSocketAddress | None:
        """The address of a call server, or None when the settings do not know it."""
        return self._addresses.get(name)

    @cached_property
    def _addresses(self) -> dict[str, WebSocketAddress]:
        return {name: server.address(name) for name, server in self.call_servers.items()}


def load() -> Settings:
    """The settings from the environment. Raises ConfigurationError: a line per mistake, no line with a secret."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    mistakes = [
        f"  {name}: there is no such setting"
        for name in sorted(os.environ)
        if name.startswith(PREFIX) and name.split("__")[0] not in known
    ]
    try:
        settings = Settings()
    except (ValidationError, SettingsError) as error:
        mistakes += _told(error)
    if mistakes:
        raise ConfigurationError("the settings cannot be used:\n" + "\n".join(mistakes))
    return settings


def _told(error: ValidationError | SettingsError) -> list[str]:
    if isinstance(error, SettingsError):
        return [f"  {error}"]
    return [
        f"  {PREFIX}{'__'.join(map(str, item['loc'])).upper()}: {item['msg'].removeprefix('Value error, ')}"
        for item in error.errors(include_input=False, include_url=False, include_context=False)
    ]
