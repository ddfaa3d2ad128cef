"""Registration info inside a sign JWT, as Rocket.Chat wrapped it."""

from __future__ import annotations

import json
import time

import jwt

from service.domain.models import DeviceState, Reading
from service.domain.registration_info import Registration
from service.web.softphone.registration_cache import registration_etag
from service.web.softphone.signing import JWT_LEEWAY, JWT_RENEWAL_INTERVAL, sign
from tests.support.database import TestDatabase
from tests.support.server import ADMIN, Start

SECRET = "a-secret-of-at-least-thirty-two-bytes"


async def test_the_answer_is_wrapped_and_verifies(database: TestDatabase, start: Start) -> None:
    server = await start(database.settings(jwt_secret=SECRET))
    answer = await server.registration()
    body = await answer.json()
    assert list(body) == ["result", "success"]
    claims = jwt.decode(body["result"], SECRET, algorithms=["HS256"], audience="RocketChat")
    assert set(claims) == {"iat", "nbf", "exp", "aud", "context"}
    assert claims["exp"] == claims["iat"] + 3600
    assert claims["nbf"] == claims["iat"] <= time.time() < claims["exp"]
    plain = await (await (await start(database.settings())).registration()).json()
    assert claims["context"] == plain
    again = await server.registration(headers={**ADMIN, "If-None-Match": answer.headers["ETag"]})
    assert again.status == 304


async def test_every_replica_makes_the_same_and_its_tag_changes_before_it_expires() -> None:
    found = Registration(b'{"host":"x"}', Reading(DeviceState.UNKNOWN))
    begins = 1_800_000_000 // JWT_RENEWAL_INTERVAL * JWT_RENEWAL_INTERVAL
    first = sign(found, SECRET, now=begins)
    assert sign(found, SECRET, now=begins + JWT_RENEWAL_INTERVAL - 1) == first
    later = sign(found, SECRET, now=begins + JWT_RENEWAL_INTERVAL)
    assert registration_etag(later, b"key") != registration_etag(first, b"key")
    token = json.loads(first.body)["result"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["nbf"] == claims["iat"] == begins - JWT_LEEWAY
    assert claims["exp"] > begins + JWT_RENEWAL_INTERVAL + JWT_LEEWAY
