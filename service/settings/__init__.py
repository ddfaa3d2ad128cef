"""Settings of the service. `settings.py` declares each one; hosts and database URLs have parsers of their own."""

from service.settings.settings import JWT_SECRET_BYTES, PREFIX, CallServer, Network, RoleName, Settings, load

__all__ = ["JWT_SECRET_BYTES", "PREFIX", "CallServer", "Network", "RoleName", "Settings", "load"]
