"""Settings of the service. `settings.py` and `call_server.py` declare each; hosts and database URLs have parsers."""

from service.settings.call_server import CallServer
from service.settings.fields import Network, RoleName
from service.settings.settings import JWT_SECRET_BYTES, PREFIX, Settings, load

__all__ = ["JWT_SECRET_BYTES", "PREFIX", "CallServer", "Network", "RoleName", "Settings", "load"]
