"""The routes under `/p/`. They are no part of the API's description: a link or a phone's configuration names them.

Responses get the headers of `service/web/http/setup_paths.py` from the dispatcher.
"""

from __future__ import annotations

from service.web.setup import balance, linphone, visit

ROUTES = (*linphone.ROUTES, *balance.ROUTES, *visit.ROUTES)
