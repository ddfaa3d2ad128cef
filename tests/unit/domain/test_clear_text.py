"""Which connections others could read."""

from __future__ import annotations

import pytest

from service.domain.clear_text import find_readable
from service.domain.models import Verdict


@pytest.mark.parametrize("address", [None, "localhost", "127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
def test_nobody_else_reads_what_stays_on_this_machine(address: str | None) -> None:
    assert find_readable("postgresql", "the connection", address, "encrypt it") is None


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "pbx.example.com", "10.0.0.1", ""])
def test_a_connection_to_elsewhere_is_reported_and_fails_nothing(address: str) -> None:
    finding = find_readable("asterisk main", "AMI", address, "set AMI_TLS=true")
    assert finding is not None
    assert (finding.part, finding.verdict, finding.fails) == ("asterisk main", Verdict.OPTIONAL, False)
    assert "set AMI_TLS=true" in str(finding.remedy)
