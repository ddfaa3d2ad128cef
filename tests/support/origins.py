"""Who changes what tests prepare, for the audit trail."""

from service.domain.audit import Origin

PREPARED = Origin.of_service("test")
