"""The caller of a poll that comes again: its token is looked up and counted each time, like a new caller's."""

from __future__ import annotations

import msgspec

from service.db.activity import Activity
from service.domain.directory import Directory
from service.domain.models import Person, TokenScope
from service.web.app_keys import ACTIVITY, DIRECTORY
from service.web.auth.authentication import presented_credentials
from service.web.http.polled_request import PolledRequest
from service.web.http.rate_limit import RATE_LIMIT, RateLimit


class RepeatedCaller(msgspec.Struct, frozen=True, gc=False):
    """A caller by the hash of the token, and the uid that was sent with it."""

    directory: Directory
    limit: RateLimit
    activity: Activity
    token_hash: bytes
    uid: str

    def __repr__(self) -> str:
        return f"RepeatedCaller({self.uid})"

    @classmethod
    def of(cls, request: PolledRequest) -> RepeatedCaller:
        """The caller of a request that was authenticated."""
        app = request.app
        return cls(app[DIRECTORY], app[RATE_LIMIT], app[ACTIVITY], *presented_credentials(request))

    def identify(self, *, board: bool = False) -> Person | None:
        """The holder of the token now; None without one, and while the directory is stale: responses say so then.

        None also for a token with the scope `board`, unless the call lets it in: the handler refuses it.
        """
        person = self.directory.token_holder(self.token_hash, current=True)
        if person is None or person.uid != self.uid:
            return None
        return person if board or person.scope is TokenScope.ALL else None

    def count(self, person: Person) -> bool:
        """Count a request of the caller. Returns False, and counts nothing, if the limit is reached."""
        if not self.limit.admit(self.token_hash):
            return False
        if person.scope is TokenScope.ALL:
            self.activity.record_use(person.user_id)
        return True
