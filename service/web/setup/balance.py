"""The live state of a phone's line, in place of a balance: a stock phone shows it."""

from __future__ import annotations

from aiohttp import web

from service.domain.provisioning.balance import balance_xml
from service.errors import CallServerUnavailable
from service.web.app_keys import LINKS
from service.web.setup.access import open_device


async def by_device(request: web.Request) -> web.Response:
    """GET /p/d/{deviceToken}/balance.xml"""
    opened = open_device(request)
    link = request.app[LINKS].get(opened.extension.call_server)
    if link is None:
        raise CallServerUnavailable(f"call server {opened.extension.call_server} is not configured")
    body = balance_xml(link.states.read(opened.phone.device))
    return web.Response(body=body, content_type="application/xml", charset="utf-8")


ROUTES = (web.get("/p/d/{deviceToken}/balance.xml", by_device),)
"""Any phone with a device URL may ask: the response holds no secret."""
