"""Links that follow the extensions of an existing Asterisk, and its own account to change what they follow."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from service.ami.link import Link
from service.domain.models import Extension
from tests.support.ami import Ami, logged_in
from tests.support.eventually import eventually
from tests.support.existing.pbx import ExistingPbx
from tests.support.links import Watch
from tests.support.stored import stored_phone

IN_TIME = 30.0


def imported(pbx: ExistingPbx, number: str, prefix: str = "") -> Extension:
    """An extension as an import stores it."""
    phones = [phone for phone in pbx.shape.phones if phone.number == number and phone.technology == "PJSIP"]
    return Extension(prefix + number, "main", True, None, number, tuple(stored_phone(each.endpoint) for each in phones))


def watched(watch: Watch, pbx: ExistingPbx, *numbers: str, hint_context: str | None = None, port: int = 0) -> Link:
    """A link that follows these numbers on an imported call server."""
    want = tuple(imported(pbx, number) for number in numbers)
    return watch(pbx, want=want, managed=False, hint_context=hint_context, port=port)


def state(link: Link, pbx: ExistingPbx, number: str) -> str:
    """The state of an extension; a `?` follows one that is not live."""
    reading = link.read(imported(pbx, number))
    return reading.state.value if reading.live else f"{reading.state.value} ?"


async def shows(link: Link, pbx: ExistingPbx, states: dict[str, str], within: float = IN_TIME) -> None:
    """Wait until extensions have these states."""

    def there() -> bool:
        return {number: state(link, pbx, number) for number in states} == states

    await eventually(there, within, f"{states}")


async def has_devices(
    link: Link, pbx: ExistingPbx, devices: dict[str, tuple[str, ...]], within: float = IN_TIME
) -> None:
    """Wait until extensions have these devices."""

    def there() -> bool:
        return {number: link.devices_of(imported(pbx, number)) for number in devices} == devices

    await eventually(there, within, f"{devices}")


@contextlib.asynccontextmanager
async def administering(pbx: ExistingPbx) -> AsyncIterator[Ami]:
    """The PBX's own account, without its events."""
    async with logged_in(pbx.asterisk.config.ami_port, "admin", pbx.shape.accounts.admin) as ami:
        await ami.ask("Events", EventMask="off")
        yield ami


async def hint_status(ami: Ami, number: str, context: str) -> str:
    """What Asterisk's own hint says."""
    return (await ami.ask("ExtensionState", Exten=number, Context=context))["StatusText"]
