"""Which SIP passwords are easily guessed."""

from __future__ import annotations

import uuid

import pytest

from service.credentials import new_sip_secret
from service.domain.weak_secrets import find_weakness

NAMES = ("12342", "12342.desk", "dnhai", "Thi Hai Đặng", None, "", "x", "thi.hai")


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ("", "fewer than 12 characters"),
        ("9fK3mQ7xP0a", "fewer than 12 characters"),
        ("a" * 40, "fewer than 6 different characters"),
        ("abABabABabABabAB", "fewer than 6 different characters"),
        ("1231231231231", "digits only, and fewer than 20"),
        ("583920174625", "digits only, and fewer than 20"),
        ("password12342", "its number or a name and common words"),
        ("Passw0rd!2024", "common words and years"),
        ("P@ssw0rdP@ssw0rd", "common words"),
        ("asterisk-12342", "its number or a name and common words"),
        ("dnhai-dnhai-dnhai", "its number or a name and repetitions"),
        ("DNH4I_secret_1", "its number or a name and common words"),
        ("thi.hai.secret", "its number or a name and common words"),
        ("đặng2019secret!", "its number or a name, common words and years"),
        ("1234567890defghi", "runs such as 1234 or qwer"),
        ("qwertyuiop[]1", "common words and runs such as 1234 or qwer"),
        ("zyxwvutsrqponm", "runs such as 1234 or qwer"),
        ("1qaz2wsx3edc", "runs such as 1234 or qwer"),
        ("9fK3mX9fK3mX9f", "repetitions"),
        ("12342;^12342,'\"", "its number or a name"),
        ("\U0001f600" * 12, "fewer than 6 different characters"),
    ],
)
def test_what_is_easily_guessed_is_refused_with_the_reason(secret: str, reason: str) -> None:
    found = find_weakness(secret, NAMES)
    assert found in (reason, f"little more than {reason}")
    assert not secret or secret.lower() not in str(found)


@pytest.mark.parametrize(
    "secret",
    [
        "9fK3mQ7xP0aZ",
        "correct horse battery staple",
        "my$up3erP@ssw0rd",
        "se;cr^et 'and more",
        "12342-9fK3mQ7xP0aZ",
        "58392017462548301927",
        "пароль-не-угадать",
        "İstanbul'da-bir-şey",
    ],
)
def test_what_has_enough_left_is_taken(secret: str) -> None:
    assert find_weakness(secret, NAMES) is None


def test_a_random_password_is_never_weak() -> None:
    for _ in range(2_000):
        assert find_weakness(new_sip_secret(), NAMES) is None
        assert find_weakness(uuid.uuid4().hex, NAMES) is None


def test_a_name_of_one_or_two_letters_makes_nothing_weak() -> None:
    assert find_weakness("7K7m7Q7xP7a7Zt", ["7", "K7", "m"]) is None


def test_a_long_text_takes_no_long_time() -> None:
    assert find_weakness("ab" * 40 + "c", ["a" * 400] * 50) is not None
