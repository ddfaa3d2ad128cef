"""Settings: environment variables with the prefix `CONNECTOR_`, validated once at start.

Nothing is read on import. Every secret `X` may come as `X_FILE`, the path of a file that holds it (Docker and
Kubernetes hand secrets over like that); giving both is an error.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from service.domain.models import Credentials, WebSocketAddress
from service.domain.secret_keys import MasterKey
from service.errors import ConfigurationError
from service.settings import checks, files
from service.settings.call_server import CallServer
from service.settings.fields import NearHost, Network, Origin, Port, PublicUrl, Seconds, read_secret_files
from service.settings.mistakes import describe

PREFIX = files.PREFIX
JWT_SECRET_BYTES = 32


class Settings(BaseSettings):
    """All settings. The environment variables are these names in upper case, with the prefix `CONNECTOR_`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    http_host: NearHost = Field("127.0.0.1", description="Listen address.")
    http_port: Port = Field(8080, description="Listen port.")
    public_url: PublicUrl | None = Field(
        None,
        description="URL under which clients reach this service, such as `https://phone.example.com`; `http` only on "
        "loopback. Set-up links of phones begin with it. Default: no set-up links.",
    )
    published_on: list[str] = Field(
        [],
        description="JSON list of addresses on which a container's ports are published. It guards the demo.",
    )
    allow_demo: bool = Field(False, description="Serve the demo, whose passwords are public, to other machines.")
    metrics_port: Port | None = Field(
        None,
        description="Separate port for `/metrics`, `/status` and the details of `/readyz`, without authentication.",
    )
    tls_certificate_file: Path | None = Field(
        None, description="Certificate and its chain, PEM. With it the port speaks HTTPS instead of HTTP."
    )
    tls_key_file: Path | None = Field(
        None, description="Key of the certificate, PEM, without a passphrase. Default: the certificate's file holds it."
    )
    workers: int = Field(1, ge=1, le=64, description="Number of worker processes.")
    trusted_proxies: list[Network] = Field(
        [], description="JSON list of proxy networks whose `X-Forwarded-For` is trusted."
    )

    database_url: str = Field(
        "postgresql://connector_service@127.0.0.1:5432/connector",
        description="PostgreSQL URL of the service's role. Hosts of a cluster are separated by commas.",
    )
    database_password: SecretStr | None = Field(None, description="Password of the service's role.")
    database_password_file: Path | None = Field(None, description="File that holds the password.")
    owner_database_url: str | None = Field(None, description="PostgreSQL URL of the owner's role, for `migrate` only.")
    owner_database_password: SecretStr | None = Field(None, description="Password of the owner's role.")
    owner_database_password_file: Path | None = Field(None, description="File that holds the password.")
    database_pool: int = Field(10, ge=2, le=100, description="Size of the connection pool, per process.")
    database_deadline: Seconds = Field(3.0, description="Deadline for PostgreSQL within one request, in seconds.")
    database_start_deadline: Seconds = Field(30.0, description="Deadline for PostgreSQL at the start, in seconds.")
    migrate_deadline: Seconds = Field(60.0, description="Deadline for the locks of one migration, in seconds.")

    call_servers: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")], CallServer] = Field(
        {}, description="Call servers by name."
    )
    bus_url: str | None = Field(
        None,
        description="NATS URL, such as `tls://collector@nats-a:4222,nats-b:4222`; `nats` is without encryption. "
        "Default: no bus, this process has AMI connections of its own and shares them with no other machine.",
    )
    bus_role: Literal["collector", "follower"] | None = Field(
        None,
        description="Role on the bus. A `collector` has the AMI connections and publishes what it hears; a `follower` "
        "answers from what collectors publish, and needs no AMI account.",
    )
    bus_password: SecretStr | None = Field(
        None, description="Password of the URL's user; without a user in the URL, a token."
    )
    bus_password_file: Path | None = Field(None, description="File that holds the password.")
    bus_ca_file: Path | None = Field(
        None, description="CA certificate for the bus's TLS, PEM. Default: the system's CAs."
    )
    bus_certificate_file: Path | None = Field(
        None, description="Certificate by which this process logs in at the bus, PEM, if NATS asks for one."
    )
    bus_key_file: Path | None = Field(
        None,
        description="Key of that certificate, PEM, without a passphrase. Default: the certificate's file holds it.",
    )
    secrets_key: SecretStr | None = Field(
        None,
        description="Key that encrypts SIP passwords in PostgreSQL, 64 hexadecimal digits. Default: no encryption.",
    )
    secrets_key_file: Path | None = Field(None, description="File that holds the key.")
    secrets_previous_key: SecretStr | None = Field(
        None, description="Key before it, which still opens SIP passwords until all are encrypted with the new one."
    )
    secrets_previous_key_file: Path | None = Field(None, description="File that holds the previous key.")
    rotation_overlap: float = Field(
        86_400.0,
        ge=0,
        le=31 * 86_400,
        description="Time that a SIP password stays valid after a routine rotation, in seconds.",
    )
    phones_per_person: int = Field(
        8, ge=1, le=100, description="Maximum phones of an extension, its own phone included."
    )
    directory_grace: Seconds = Field(
        60.0, description="Time that polls are answered from memory while PostgreSQL is unreachable, in seconds."
    )
    watchdog_deadline: Seconds = Field(
        10.0, description="Time without a proof of life after which an Asterisk is not live, in seconds."
    )

    token_days: float = Field(90, gt=0, le=3650, description="Lifetime of a login token, in days.")
    tokens_per_person: int = Field(
        50, ge=1, le=10_000, description="Maximum login tokens per user. A further login revokes the oldest."
    )
    login_failures_per_minute: int = Field(
        10, ge=1, description="Maximum failed logins per minute, per account and per address."
    )
    requests_per_minute: int = Field(600, ge=1, description="Maximum requests per minute, per token and process.")
    streams_per_person: int = Field(
        50, ge=1, description="Maximum presence streams per user and process. A further stream closes the oldest."
    )
    long_polls_per_person: int = Field(
        50, ge=1, description="Maximum long polls per user and process. A further long poll ends the oldest."
    )
    held_answers: int = Field(
        10_000, ge=1, description="Maximum open streams per process, and maximum long polls. Further ones are refused."
    )
    cors_origins: list[Origin] = Field([], description="JSON list of origins allowed by CORS.")
    jwt_secret: SecretStr | None = Field(
        None, description="Key that signs registration info as a JWT (HS256), at least 32 bytes. Default: no JWT."
    )
    jwt_secret_file: Path | None = Field(None, description="File that holds the key.")
    poll_interval: int = Field(
        10, ge=1, description="Value of `X-Poll-Interval`, the advised time between polls, in seconds."
    )
    mask_passwd: bool = Field(False, description="Return `passwd` of `/user/{user_id}` as an empty string.")
    rocketchat_success: bool = Field(False, description='Add Rocket.Chat\'s `"success": true` to registration info.')
    rocketchat_states: bool = Field(
        False, description="Use Rocket.Chat's state names: `registered`, `unregistered`, `ringing`, `busy`, `unknown`."
    )
    rocketchat_errors: bool = Field(
        False,
        description="Return Rocket.Chat's responses when Asterisk is unreachable "
        "and when unassigning from a user without an extension.",
    )
    body_limit: int = Field(65536, ge=1024, description="Maximum size of a request body, in bytes.")
    body_deadline: Seconds = Field(5.0, description="Deadline for reading a request body, in seconds.")
    shutdown_deadline: Seconds = Field(10.0, description="Shutdown grace period for in-flight requests, in seconds.")

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Minimum log level.")
    log_format: Literal["json", "console"] = Field("json", description="Log format. `console` is for a terminal.")

    _files = model_validator(mode="before")(read_secret_files)
    _urls = model_validator(mode="after")(checks.check_database_urls)
    _bus = model_validator(mode="after")(checks.check_bus)
    _ami_accounts = model_validator(mode="after")(checks.check_ami_accounts)

    @model_validator(mode="after")
    def _jwt(self) -> Self:
        if self.jwt_secret is not None and len(self.jwt_secret.get_secret_value().encode()) < JWT_SECRET_BYTES:
            raise ValueError(f"jwt_secret has less than {JWT_SECRET_BYTES} bytes: HS256 would be weak")
        return self

    @model_validator(mode="after")
    def _tls(self) -> Self:
        if self.tls_key_file is not None and self.tls_certificate_file is None:
            raise ValueError("tls_key_file is given without tls_certificate_file")
        return self

    @model_validator(mode="after")
    def _secret_keys(self) -> Self:
        for name in ("secrets_key", "secrets_previous_key"):
            key = getattr(self, name)
            try:
                key is None or MasterKey.parse(key.get_secret_value())
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        return self

    @property
    def login_failures_per_process(self) -> int:
        """The limit of failed logins divided by the number of workers, rounded up, as workers do not share counts."""
        return -(-self.login_failures_per_minute // self.workers)

    @property
    def credential_owners(self) -> dict[str, Credentials]:
        """The owner of the endpoints, by call server."""
        return {name: server.credentials for name, server in self.call_servers.items()}

    @cached_property
    def secret_keys(self) -> tuple[MasterKey, ...]:
        """The keys of SIP passwords in PostgreSQL: the current one first, then the previous one."""
        keys = (self.secrets_key, self.secrets_previous_key)
        return tuple(MasterKey.parse(key.get_secret_value()) for key in keys if key is not None)

    def call_server(self, name: str) -> WebSocketAddress | None:
        """Return the address of a call server; None if the settings do not name it."""
        return self._addresses.get(name)

    @cached_property
    def _addresses(self) -> dict[str, WebSocketAddress]:
        return {name: server.address(name) for name, server in self.call_servers.items()}


def load() -> Settings:
    """Load the settings from the environment. Raises ConfigurationError with a line per mistake and without secrets.

    systemd's credentials become variables of this process, which its workers inherit.
    """
    for name, path in files.credentials(os.environ).items():
        os.environ.setdefault(name, path)
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    mistakes = [
        f"  {name}: there is no such setting"
        for name in sorted(os.environ)
        if name.startswith(PREFIX) and name.split("__")[0] not in known
    ]
    try:
        settings = Settings()
    except (ValidationError, SettingsError) as error:
        mistakes += describe(error)
    if mistakes:
        raise ConfigurationError("the settings cannot be used:\n" + "\n".join(mistakes))
    return settings
