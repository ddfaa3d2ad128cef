"""Codes for boards: what is typed is read as it was meant."""

from __future__ import annotations

import re

import pytest

from service.credentials import BOARD_PREFIX, is_token, new_board_token, new_token
from service.domain.board_codes import ALPHABET, CODE_LENGTH, hash_board_code, new_board_code

TOKEN_BEFORE_SCOPES = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
"""What releases without scopes take for a token."""


def test_a_code_is_two_groups_of_random_characters_that_look_like_no_other() -> None:
    codes = {new_board_code() for _ in range(200)}
    assert len(codes) == 200
    assert all(re.fullmatch(f"[{ALPHABET}]{{5}}-[{ALPHABET}]{{5}}", code) for code in codes)
    assert len(ALPHABET) == 32
    assert len(set(ALPHABET)) == 32
    assert not set("ILOU") & set(ALPHABET)
    assert CODE_LENGTH * 5 == 50


@pytest.mark.parametrize(
    "typed", ["7K3M0-1QX2D", "7k3m0-1qx2d", "7K3M01QX2D", " 7k3 m0 1qx-2d ", "7K3MO-IQX2D", "7k3mo-lqx2d"]
)
def test_a_code_is_read_however_it_is_typed(typed: str) -> None:
    assert hash_board_code(typed) == hash_board_code("7K3M0-1QX2D") is not None


@pytest.mark.parametrize(
    "typed", ["", "-", "7K3M0-1QX2", "7K3M0-1QX2DD", "7K3M0-1QX2U", "7K3M0-1QX2\N{ARABIC-INDIC DIGIT THREE}",
              "7K3M0-1QX2\ud800", "7K3M0\r\n1QX2D", "7K3M0-1QX2D" + " " * 40, "7K3M0;1QX2D"]
)  # fmt: skip
def test_what_cannot_be_a_code_has_no_hash(typed: str) -> None:
    assert hash_board_code(typed) is None


def test_a_release_without_scopes_refuses_a_board_token_by_its_form() -> None:
    token = new_board_token()
    assert token.startswith(BOARD_PREFIX)
    assert is_token(token)
    assert TOKEN_BEFORE_SCOPES.fullmatch(token) is None
    assert TOKEN_BEFORE_SCOPES.fullmatch(new_token())
    assert is_token(new_token())
