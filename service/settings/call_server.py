"""Settings of one call server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from service.domain.models import Credentials, SipAddress, WebSocketAddress
from service.settings import hosts
from service.settings.fields import Host, NearHost, Port, RoleName, UrlPath, Word, read_secret_files

ExposingModule = Literal["func_config", "func_curl", "func_env", "func_realtime", "func_shell", "func_sorcery"]


class CallServer(BaseModel):
    """One Asterisk: its address for softphones, its AMI, and its role in PostgreSQL."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    host: Host = Field(description="Host name or address given to softphones.")
    websocket_port: Port = Field(443, description="WebSocket port, as softphones reach it.")
    websocket_scheme: Literal["ws", "wss"] = Field(
        "wss", description="WebSocket scheme. Use `ws` only on networks where nobody can eavesdrop."
    )
    websocket_path: UrlPath = Field("/ws", description="WebSocket path.")

    sip_host: Host | None = Field(None, description="Host name or address of SIP, as phones reach it. Default: `HOST`.")
    sip_port: Port = Field(5060, description="SIP port, as phones reach it.")
    sip_transport: Literal["udp", "tcp", "tls"] = Field(
        "udp", description="Transport of SIP. With `tls` Asterisk refuses calls of SIP phones without SRTP."
    )
    sip_realm: Annotated[str, Field(pattern=r'^[^"\\\x00-\x1f\x7f]{1,127}$')] = Field(
        "asterisk", description="Realm of Asterisk's SIP authentication (`default_realm` of its `pjsip.conf`)."
    )

    ami_host: NearHost | None = Field(
        None, description="AMI host, as this service reaches it. Required, unless this process is a follower."
    )
    ami_port: Port = Field(5038, description="AMI port.")
    ami_tls: bool = Field(False, description="TLS to AMI.")
    ami_ca_file: Path | None = Field(None, description="CA certificate for AMI's TLS, PEM. Default: the system's CAs.")
    monitor_username: Word = Field("monitor", description="AMI account that reads states and events.")
    monitor_secret: SecretStr | None = Field(
        None, description="Secret of the account `monitor`. Required, unless this process is a follower."
    )
    presence_username: Word = Field("presence", description="AMI account that sets users' presence.")
    presence_secret: SecretStr | None = Field(
        None, description="Secret of the account `presence`. Without it no user can set their presence."
    )
    sync_username: Word = Field("sync", description="AMI account that reloads endpoints which Asterisk does not track.")
    sync_secret: SecretStr | None = Field(
        None, description="Secret of the account `sync`. Optional: the account equals a shell on the Asterisk host."
    )

    credentials: Credentials = Field(
        Credentials.MANAGED,
        description="Owner of the endpoints and SIP passwords. `managed`: this service, Asterisk reads them from its "
        "views. `imported`: Asterisk, this service holds copies.",
    )
    credentials_username: Word = Field(
        "credentials", description="AMI account that reads the endpoints of an imported call server, with passwords."
    )
    credentials_secret: SecretStr | None = Field(
        None, description="Secret of the account `credentials`. Without it endpoints are imported by command only."
    )
    hint_context: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,80}$")] | None = Field(
        None, description="Dialplan context whose hints name the devices of extensions. Default: all contexts."
    )

    accepted_modules: list[ExposingModule] = Field(
        [],
        description="JSON list of Asterisk modules with which `monitor` can read secrets and which the dialplan needs, "
        "such as `func_env`. `check` reports them as accepted.",
    )

    database_role: RoleName | None = Field(None, description="PostgreSQL role of this Asterisk.")
    database_password: SecretStr | None = Field(None, description="Password of that role. `migrate` sets it.")

    _files = model_validator(mode="before")(read_secret_files)

    @model_validator(mode="after")
    def _credentials(self) -> Self:
        if self.credentials_secret is not None and self.credentials is Credentials.MANAGED:
            raise ValueError("credentials_secret is for an imported call server: set credentials to imported")
        return self

    def address(self, name: str) -> WebSocketAddress:
        """Return the address for softphones. As in the contract, the URL omits the scheme's default port."""
        usual = self.websocket_port == (443 if self.websocket_scheme == "wss" else 80)
        authority = hosts.authority(self.host, None if usual else self.websocket_port)
        url = f"{self.websocket_scheme}://{authority}{self.websocket_path}"
        return WebSocketAddress(name, self.host, self.websocket_port, url)

    @property
    def sip_address(self) -> SipAddress:
        """The address of SIP for phones."""
        return SipAddress(self.sip_host or self.host, self.sip_port, self.sip_transport, self.sip_realm)
