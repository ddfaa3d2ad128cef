"""Who may log in to the bus, what each may say there, and how a mistake is told: with a real NATS server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from local.nats import Nats
from service.bus import nats_subjects
from service.bus.broker import Broker, BrokerRefused
from service.bus.nats_connection import NatsConnection
from service.errors import ConfigurationError
from tests.support.certificates import Issued, issue
from tests.support.eventually import eventually
from tests.support.nats import ends

PASSWORDS = ("of-the-collector", "of-the-follower")
COLLECTOR = Broker((), "collector", PASSWORDS[0])
FOLLOWER = Broker((), "follower", PASSWORDS[1])


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nats]:
    """A server with the users and permissions of `deploy/nats/`."""
    with Nats(tmp_path_factory.mktemp("nats"), passwords=PASSWORDS) as server:
        yield server


async def test_each_user_may_do_its_part(guarded: Nats) -> None:
    with capture_logs() as lines:
        async with ends(at(guarded, COLLECTOR), at(guarded, FOLLOWER)) as bus:
            await bus.connected()
            bus.follower.send("main", b"all")
            bus.follower.send("main", b"one", to="c1")
            await eventually(lambda: len(bus.asked) == 2)
            bus.collector.publish("main", b"a change")
            bus.collector.send(bus.asked[0][1], "main", b"an answer")
            await eventually(lambda: len(bus.told) == 2)
    assert not [line for line in lines if line["log_level"] in ("warning", "error")]


@pytest.mark.parametrize("kind", ["change", "reply"])
async def test_a_follower_cannot_publish_a_state(guarded: Nats, kind: str) -> None:
    async with ends(at(guarded, COLLECTOR), at(guarded, FOLLOWER)) as bus, connection(at(guarded, FOLLOWER)) as liar:
        await bus.connected()
        address = bus.follower.address
        subject = {
            "change": nats_subjects.change("main", "c1"),
            "reply": nats_subjects.reply(address, "main", "c1"),
        }[kind]
        with capture_logs() as lines:
            liar.send(subject, b"a lie")
            liar.send(subject, b"a lie again")
            await eventually(lambda: lines)
            bus.collector.publish("main", b"the truth")
            await eventually(lambda: bus.told)
        assert bus.bodies() == [b"the truth"]
        [line] = lines
        assert (line["event"], line["log_level"]) == ("bus_permission_missing", "error")
        assert subject.lower() in line["error"].lower()
        assert liar.connected


async def test_a_collector_neither_asks_nor_hears_another(guarded: Nats) -> None:
    broker = at(guarded, COLLECTOR)
    heard = [nats_subjects.change("main", "c1"), "asterisk-connector.v1.>"]
    with capture_logs() as lines:
        async with ends(broker, at(guarded, FOLLOWER)) as bus, connection(broker, heard) as nosy:
            await bus.connected()
            nosy.send(nats_subjects.ask("main", None, "nobody"), b"a question")
            await eventually(lambda: len([line for line in lines if line["event"] == "bus_permission_missing"]) == 3)
            bus.collector.publish("main", b"a change")
            await eventually(lambda: bus.told)
            assert not bus.asked
    assert not heard[2:]


@pytest.mark.parametrize(
    "login",
    [
        replace(COLLECTOR, secret="wrong"),
        replace(COLLECTOR, user="nobody"),
        Broker((), None, "a token"),
        Broker(()),
    ],
    ids=["password", "user", "token", "none"],
)
async def test_a_refused_login_is_told_once_and_tried_rarely(guarded: Nats, login: Broker) -> None:
    with capture_logs() as lines:
        async with connection(at(guarded, login), wait=False) as refused:
            await eventually(lambda: refused.failure)
            await asyncio.sleep(1.0)
    assert isinstance(refused.failure, BrokerRefused)
    [line] = lines
    assert (line["event"], line["log_level"]) == ("bus_down", "error")
    assert "authorization violation" in line["error"].lower()
    assert not any(secret in str(line) for secret in ("wrong", "a token", *PASSWORDS))


async def test_a_token_logs_in(tmp_path: Path) -> None:
    with Nats(tmp_path, config='authorization { token: "the-token" }') as server:
        async with connection(Broker((server.server,), None, "the-token")) as one:
            assert one.connected


async def test_tls_with_a_client_certificate(tmp_path: Path) -> None:
    ca = issue(tmp_path, "ca", authority=True)
    with secured(tmp_path, ca, verify=True) as server:
        client = issue(tmp_path, "client", issuer=ca)
        broker = Broker((server.server,), tls=True, ca_file=ca.certificate, certificate_file=client.certificate,
                        key_file=client.key)  # fmt: skip
        async with ends(broker) as bus:
            await bus.connected()
            bus.collector.publish("main", b"in secret")
            await eventually(lambda: bus.told)
        without = replace(broker, certificate_file=None, key_file=None)
        async with connection(without, wait=False) as refused:
            await eventually(lambda: refused.failure)
            assert not refused.connected


async def test_a_server_that_cannot_prove_its_name_gets_no_password(tmp_path: Path) -> None:
    ca, other = (issue(tmp_path, name, authority=True) for name in ("ca", "other"))
    with secured(tmp_path, ca) as server:
        broker = Broker((server.server,), "collector", "secret", tls=True, ca_file=other.certificate)
        async with connection(broker, wait=False) as refused:
            await eventually(lambda: refused.failure)
        assert isinstance(refused.failure, BrokerRefused)
        assert "certificate" in str(refused.failure).lower()


async def test_a_server_without_tls_gets_no_password(nats: Nats) -> None:
    async with connection(Broker((nats.server,), "collector", "secret", tls=True), wait=False) as refused:
        await eventually(lambda: refused.failure)
    assert isinstance(refused.failure, BrokerRefused)
    assert "offers none" in str(refused.failure)


async def test_files_that_cannot_be_read_end_the_process_at_its_start(tmp_path: Path) -> None:
    broker = Broker(("127.0.0.1:1",), tls=True, ca_file=tmp_path / "none.pem")
    with pytest.raises(ConfigurationError, match="files of the bus"):
        await NatsConnection(broker, "x", [], print).run()


def at(server: Nats, login: Broker) -> Broker:
    return replace(login, servers=(server.server,))


def secured(folder: Path, ca: Issued, *, verify: bool = False) -> Nats:
    """A server with a certificate for 127.0.0.1, which with `verify` asks for one of its clients."""
    own = issue(folder, "server", issuer=ca)
    files = f'cert_file: "{own.certificate}", key_file: "{own.key}", ca_file: "{ca.certificate}"'
    return Nats(folder / "nats", config=f"tls {{ {files}, verify: {str(verify).lower()} }}")


class connection:  # noqa: N801 - reads as a function
    """A connection that runs until the block ends."""

    def __init__(self, broker: Broker, heard: list[str] | None = None, *, wait: bool = True) -> None:
        self._heard, self._wait = [] if heard is None else heard, wait
        self._connection = NatsConnection(broker, "test", list(self._heard), self._hear)

    def _hear(self, subject: str, body: bytes) -> None:
        self._heard.append(subject)

    async def __aenter__(self) -> NatsConnection:
        self._task = asyncio.create_task(self._connection.run())
        if self._wait:
            await eventually(lambda: self._connection.connected)
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait((self._task,))
