"""The actions that this service sends to Asterisk, over one open AMI connection."""

from __future__ import annotations

import base64
from time import time

from panoramisk.message import Message

from service.ami.accounts import Account
from service.ami.actions import (
    AmiAction,
    DeviceStateList,
    EventListAction,
    ExtensionStateList,
    ListAction,
    header_text,
)
from service.ami.contact_tree import ContactList, ContactsById
from service.ami.custom_presence_parsing import parse_presence
from service.ami.protocol import AmiProtocol
from service.ami.queue_parsing import LIST_EVENTS, parse_list
from service.domain.custom_presence import PROVIDER, Presence
from service.domain.extension_hints import HintList
from service.domain.models import DeviceState
from service.domain.queue_entries import QueueSnapshot
from service.errors import CallServerUnavailable

LOGIN_DEADLINE = 5.0
ACTION_DEADLINE = 5.0
LIST_DEADLINE = 30.0
LIST_SILENCE = 10.0
"""Seconds without any byte from Asterisk after which a list is given up: a link waits for it without a Ping."""
UNKNOWN_ACTION = "Invalid/unknown command"
"""The beginning of Asterisk's response to an action whose module is not loaded."""
SHUTTING_DOWN = "Asterisk is shutting down"
"""Asterisk's response to every action while it shuts down."""


class AmiLoginRefused(CallServerUnavailable):
    """Asterisk refuses this account from this address. Only a change of settings helps, not a prompt retry."""

    retry_after = 60


class ActionNotPermitted(CallServerUnavailable):
    """The account lacks a class that its purpose requires: `manager.conf` must change."""

    retry_after = 60


class ActionUnknown(CallServerUnavailable):
    """Asterisk has not loaded the module of this action."""

    retry_after = 60


class AmiClient:
    """Sends actions over a connection, each with a deadline.

    Every method raises CallServerUnavailable if the connection ends or the deadline passes, and ActionNotPermitted if
    Asterisk denies permission.
    """

    def __init__(self, protocol: AmiProtocol) -> None:
        self._protocol = protocol

    @property
    def why_ended(self) -> str | None:
        """Why the connection ended; None while it is open."""
        return self._protocol.why_ended

    def end(self, why: str) -> None:
        """Close the connection now."""
        self._protocol.end(why)

    async def login(self, account: Account, *, events: bool = True) -> None:
        """Log in; without `events` Asterisk sends none. Raises AmiLoginRefused, CallServerUnavailable."""
        headers = {"Action": "Login", "Username": account.username, "Secret": account.secret}
        if not events:
            headers["Events"] = "off"
        response = await self._protocol.send(AmiAction(headers), LOGIN_DEADLINE)
        if response.message == SHUTTING_DOWN:  # not a refusal: no operator is needed
            raise CallServerUnavailable(SHUTTING_DOWN)
        if response.response != "Success":
            raise AmiLoginRefused(f"AMI refuses the account {account.username!r}: {response.message}")

    async def ping(self, deadline: float) -> Message:
        """Send Ping. Events that Asterisk queued for this connection before it arrive before the Pong."""
        return await self._protocol.send(AmiAction({"Action": "Ping"}), deadline)

    async def core_status(self) -> Message:
        """Asterisk's start time, among other facts."""
        return await self._send_permitted(AmiAction({"Action": "CoreStatus"}))

    async def device_states(self) -> dict[str, DeviceState]:
        """The states of all devices that Asterisk tracks."""
        action = DeviceStateList()
        await self._send_permitted(action, LIST_DEADLINE, silence=LIST_SILENCE)
        return action.states

    async def presences(self) -> dict[str, Presence]:
        """The presence that users set, by extension; empty without `res_manager_presencestate`."""
        action = EventListAction("PresenceStateList", ("PresenceStateChange",))
        await self._protocol.send(action, LIST_DEADLINE, silence=LIST_SILENCE)
        parsed = (parse_presence(message) for message in action.items_collected)
        return dict(entry for entry in parsed if entry is not None)

    async def list_hints(self, listed: HintList) -> None:
        """Fill `listed` with all hints; it stays empty without hints, or if the account may not list them."""
        await self._protocol.send(ExtensionStateList(listed), LIST_DEADLINE, silence=LIST_SILENCE)

    async def queues(self) -> QueueSnapshot:
        """All queues. Raises CallServerUnavailable if `app_queue` is not loaded."""
        action = EventListAction("QueueStatus", LIST_EVENTS)
        await self._send_permitted(action, LIST_DEADLINE, silence=LIST_SILENCE)
        return parse_list(action.items_collected, time())

    async def variable(self, expression: str) -> str:
        """The value of a global variable or dialplan function, from `Getvar`."""
        response = await self._send_permitted(AmiAction({"Action": "Getvar", "Variable": expression}))
        return str(response.value)

    async def actions(self) -> dict[str, str]:
        """The actions that this account may send, with their synopses from `ListCommands`."""
        response = await self._send_permitted(AmiAction({"Action": "ListCommands"}))
        return {name: header_text(response, name) for name in response}

    async def config_section(self, file: str, section: str) -> list[tuple[str, str]]:
        """The lines of a section of one of Asterisk's files, name and value. They may hold secrets."""
        action = AmiAction({"Action": "GetConfig", "Filename": file, "Category": section})
        response = await self._send_permitted(action)
        lines = [header_text(response, name) for name in response if name.startswith("Line-")]
        return [(name.strip(), value.strip()) for name, _, value in (line.partition("=") for line in lines)]

    async def contacts(self) -> dict[str, ContactsById]:
        """All contacts in the registrar's database, by AOR; empty if Asterisk stores them elsewhere."""
        action = ContactList()
        await self._send_permitted(action, LIST_DEADLINE, silence=LIST_SILENCE)
        return action.by_aor

    async def contact_ids(self, aor: str) -> list[str] | None:
        """The ids of an AOR's contacts; None if the AOR is unknown or `func_pjsip_aor` is not loaded."""
        if not await self.variable(f"PJSIP_AOR({aor},max_contacts)"):
            return None
        return [id_ for id_ in (await self.variable(f"PJSIP_AOR({aor},contact)")).split(",") if id_]

    async def set_presence(self, extension: str, presence: Presence) -> None:
        """Set an extension's presence. The message is sent in base64: it may contain commas."""
        message = base64.b64encode(presence.message.encode()).decode()
        value = f"{presence.state.value},,{message},e" if message else presence.state.value
        variable = f"PRESENCE_STATE({PROVIDER}{extension})"
        await self._send_permitted(AmiAction({"Action": "Setvar", "Variable": variable, "Value": value}))

    async def qualify(self, endpoint: str) -> bool:
        """Qualify the endpoint's contacts. From then on Asterisk tracks it, if it has a contact.

        False if Asterisk does not know the endpoint.
        """
        action = AmiAction({"Action": "PJSIPQualify", "Endpoint": endpoint})
        response = await self._protocol.send(action, ACTION_DEADLINE)
        if response.response == "Error" and response.message == "Permission denied":
            raise ActionNotPermitted("AMI refuses PJSIPQualify: Permission denied")
        return bool(response.response == "Success")

    async def send_list(self, action: ListAction, deadline: float) -> Message:
        """Send a list action that its caller reads; the response may be another error than a missing permission."""
        response = await self._protocol.send(action, deadline)
        if response.response == "Error" and response.message == "Permission denied":
            raise ActionNotPermitted(f"AMI refuses {action['Action']}: Permission denied")
        return response

    async def command(self, line: str) -> str:
        """The output of an Asterisk CLI command. Raises CallServerUnavailable if it failed."""
        output = (await self._send_permitted(AmiAction({"Action": "Command", "Command": line}))).output
        return "\n".join(output) if isinstance(output, list) else str(output)

    async def _send_permitted(
        self, action: AmiAction, deadline: float = ACTION_DEADLINE, *, silence: float | None = None
    ) -> Message:
        response = await self._protocol.send(action, deadline, silence=silence)
        if response.response == "Error":
            kind = CallServerUnavailable
            if response.message == "Permission denied":
                kind = ActionNotPermitted
            elif str(response.message).startswith(UNKNOWN_ACTION):
                kind = ActionUnknown
            raise kind(f"AMI refuses {action['Action']}: {response.message}")
        return response
