"""Endpoints that operators write, on a real Asterisk: which are phones, and why the others are none."""

from __future__ import annotations

import pytest

from local import asterisk_programs
from service.ami.endpoint_list import read_pbx
from service.domain.imports.endpoints import read_source
from tests.integration.imports.test_endpoint_list import accounts
from tests.support.existing.handwritten import vanilla
from tests.support.existing.pbx import existing

DIGEST = "0123456789abcdef0123456789abcdef"
AUTHS = {
    "plain": "auth_type = userpass\nusername = plain\npassword = a-secret-of-plain",
    "plain-digest": "auth_type = digest\nusername = d\npassword = a-secret-of-digest",
    "only-digest": f"auth_type = digest\nusername = d\nrealm = asterisk\npassword_digest = MD5:{DIGEST}",
    "both": f"auth_type = digest\nusername = d\npassword = a-secret\nrealm = asterisk\npassword_digest = MD5:{DIGEST}",
    "md5": f"auth_type = md5\nusername = d\nmd5_cred = {DIGEST}",
    "long": f"auth_type = userpass\nusername = l\npassword = {'s' * 81}",
    "quoted": 'auth_type = userpass\nusername = a b: c\npassword = "a, b\\; c" ^ <d>: e\\\\f',
    "bell": "auth_type = userpass\nusername = b\npassword = a\x07secret",
    "outbound": "auth_type = userpass\nusername = account\npassword = of-the-provider",
}
ENDPOINTS = {
    "2001": "auth = plain\noutbound_auth = outbound\naors = 2001",
    "2002": "auth = plain-digest\naors = other,2002",
    "2003": "auth = only-digest\naors = 2003",
    "2004": "auth = both\naors = 2004",
    "2005": "auth = md5\naors = 2005",
    "2006": "auth = long\naors = 2006",
    "2007": "auth = plain,quoted\naors = 2007",
    "2008": "auth = nowhere\naors = 2008",
    "2009": "auth = plain",
    "2010": "auth = plain\naors = other",
    "2011": "auth = quoted\naors = 2011",
    "2012": "auth = bell\naors = 2012",
    "2013": "outbound_auth = outbound\naors = 2013",
    "two words": "auth = plain\naors = 2001",
    "+49.30-1_2": "auth = plain\naors = +49.30-1_2",
}
MD5_ONLY = "Asterisk knows only a digest (MD5) of its secret"
NAME = "its name is not allowed: 1 to 80 of A-Z a-z 0-9 _ . + -"
NO_AOR = "it has no AOR of its own name, at which a phone could register"


async def test_phones_and_reasons_are_told_apart(tmp_path_factory: pytest.TempPathFactory) -> None:
    shape = vanilla()
    names = {aor for text in ENDPOINTS.values() for aor in text.partition("aors = ")[2].split(",") if aor}
    shape.files["pjsip.conf"] += "".join(
        [f"[{name}]\ntype = auth\n{text}\n\n" for name, text in AUTHS.items()]
        + [f"[{name}]\ntype = endpoint\n{text}\n\n" for name, text in ENDPOINTS.items()]
        + [f"[{name}]\ntype = aor\nmax_contacts = 1\n\n" for name in sorted(names)]
    )
    with existing(tmp_path_factory, shape, programs=asterisk_programs.find()) as pbx:
        source = read_source(*await read_pbx(*accounts(pbx)))
    phones = {one.endpoint: (one.auth_username, one.secret) for one in source.phones if one.endpoint in ENDPOINTS}
    assert phones == {
        "2001": ("plain", "a-secret-of-plain"),
        "2002": ("d", "a-secret-of-digest"),
        "2011": ("a b: c", '"a, b; c" ^ <d>: e\\\\f'),
    }
    reasons = {one.subject: one.reason for one in source.skipped if one.subject in ENDPOINTS}
    assert reasons == {
        "2003": MD5_ONLY,
        "2004": "its auth has a password and a digest, and Asterisk checks the digest",
        "2005": MD5_ONLY,
        "2006": "its secret has more than 80 characters",
        "2007": "several inbound auths",
        "2008": "its auth nowhere does not exist",
        "2009": NO_AOR,
        "2010": NO_AOR,
        "2012": "its secret has characters that cannot be printed",
        "2013": "no inbound auth: a trunk",
        "two words": NAME,
        "+49.30-1_2": "no hint gives it a number, and its name cannot be one",
    }
