"""Schemas of login, logout and me, in Rocket.Chat's format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from service.domain.models import Role, TokenScope
from service.web.http import body
from service.web.http.errors import BadArgument
from service.web.http.param_errors import BriefRocketChat
from service.web.http.params import Body, OneOf
from service.web.openapi.operation import AnyOf, Yes

Name = Annotated[str, Meta(min_length=1)]


class UserLogin(msgspec.Struct, frozen=True):
    """Login by `user`: username or e-mail address, and password."""

    user: Name
    password: str


class UsernameLogin(msgspec.Struct, frozen=True):
    """Login by `username`: username or e-mail address, and password."""

    username: Name
    password: str


class EmailLogin(msgspec.Struct, frozen=True):
    """Login by `email`: e-mail address or username, and password."""

    email: Name
    password: str


class Resume(msgspec.Struct, frozen=True):
    """Login with an existing token. Its lifetime is not extended."""

    resume: str


class LoginBody(AnyOf):
    """One of three names, with a password; or a token."""

    alternatives = (UserLogin, UsernameLogin, EmailLogin, Resume)


AnyLogin = UserLogin | UsernameLogin | EmailLogin | Resume
_BY_NAME: Mapping[str, type[AnyLogin]] = {"user": UserLogin, "username": UsernameLogin, "email": EmailLogin}


def _login(given: Mapping[str, Any]) -> type[AnyLogin]:
    """A token has precedence; else exactly one name must be given. Raises BadArgument."""
    if isinstance(given.get("resume"), str):
        return Resume
    names = [name for name in _BY_NAME if given.get(name)]
    if len(names) != 1 or not isinstance(given[names[0]], str):
        raise BadArgument("Expected one of user, username, email as string")
    return _BY_NAME[names[0]]


LOGIN: Body[AnyLogin] = Body(OneOf(LoginBody, _login), BriefRocketChat, form=True, most=body.OF_STRANGERS)


class Email(msgspec.Struct, frozen=True):
    """E-mail address and its verification state."""

    address: str
    verified: bool


class Me(msgspec.Struct, frozen=True):
    """The caller's own user account."""

    uid: str = msgspec.field(name="_id")
    name: str
    username: str
    emails: list[Email]
    active: bool
    roles: list[Role]
    extension: str | msgspec.UnsetType = msgspec.UNSET
    """Absent: they have none."""
    scope: TokenScope | msgspec.UnsetType = msgspec.UNSET
    """Absent: the token allows whatever the role does."""


class MeAnswer(Me, frozen=True):
    """Response with the caller's own user account."""

    success: Yes = True


class LoggedIn(msgspec.Struct, frozen=True, rename="camel"):
    """User and issued token."""

    user_id: str
    auth_token: str
    me: Me


class LoginAnswer(msgspec.Struct, frozen=True):
    """Login response in Rocket.Chat's format."""

    status: Literal["success"]
    data: LoggedIn


class Farewell(msgspec.Struct, frozen=True):
    """Logout message in Rocket.Chat's wording."""

    message: str = "You've been logged out!"


class LogoutAnswer(msgspec.Struct, frozen=True):
    """Logout response in Rocket.Chat's format."""

    status: Literal["success"] = "success"
    data: Farewell = Farewell()
