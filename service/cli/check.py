"""`check`: asks PostgreSQL and each Asterisk whether everything is there and permitted."""

from service.settings import Settings


async def run(settings: Settings) -> int:
    raise NotImplementedError
