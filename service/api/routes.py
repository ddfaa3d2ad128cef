"""Every path that this service answers."""

from __future__ import annotations

from aiohttp import web

from service.api import health, own_presence, people, presence, registration, session, stream, users

API = "/api/v1"


def public(*, with_metrics: bool) -> list[web.RouteDef]:
    """The routes for clients, and for orchestrators; metrics too, unless they have a port of their own."""
    routes = [
        web.get(f"{API}/connector.extension.getRegistrationInfoByUserId", registration.by_user_id),
        web.post(f"{API}/login", session.login),
        web.get(f"{API}/logout", session.logout),
        web.post(f"{API}/logout", session.logout),
        web.get(f"{API}/me", session.me),
        web.get(f"{API}/presence", presence.many),
        web.put(f"{API}/presence", own_presence.put),
        web.get(f"{API}/presence/stream", stream.stream, allow_head=False),
        web.post(f"{API}/presence/streamTicket", stream.ticket),
        web.get(f"{API}/presence/{{extension}}", presence.one),
        web.get(f"{API}/users.getPresence", people.get_presence),
        web.get(f"{API}/users.presence", people.presence),
        web.get("/livez", health.livez),
        web.get("/readyz", health.readyz),
    ]
    for prefix in ("", "/v1"):
        routes += [
            web.get(f"{prefix}/user/{{user_id}}", users.get),
            web.post(f"{prefix}/auth", users.authenticate),
        ]
    return [*routes, web.get("/metrics", health.metrics)] if with_metrics else routes


def operators() -> list[web.RouteDef]:
    """The routes of the port for operators."""
    return [
        web.get("/metrics", health.metrics),
        web.get("/readyz", health.details),
        web.get("/livez", health.livez),
    ]
