"""What a login takes, and how Rocket.Chat's answers to login, logout and me are made up."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from service.domain.models import Role
from service.web.openapi.operation import AnyOf, Yes

Name = Annotated[str, Meta(min_length=1)]


class UserLogin(msgspec.Struct, frozen=True):
    """With a name or an e-mail."""

    user: Name
    password: str


class UsernameLogin(msgspec.Struct, frozen=True):
    """With a name or an e-mail, under another key."""

    username: Name
    password: str


class EmailLogin(msgspec.Struct, frozen=True):
    """With an e-mail or a name, under another key."""

    email: Name
    password: str


class Resume(msgspec.Struct, frozen=True):
    """With a token, which is echoed and not extended."""

    resume: str


class LoginBody(AnyOf):
    """One of three names, with a password; or a token."""

    alternatives = (UserLogin, UsernameLogin, EmailLogin, Resume)


class Email(msgspec.Struct, frozen=True):
    """An address, and whether it is known to be the person's."""

    address: str
    verified: bool


class Me(msgspec.Struct, frozen=True):
    """A person, as they see themselves."""

    uid: str = msgspec.field(name="_id")
    name: str
    username: str
    emails: list[Email]
    active: bool
    roles: list[Role]
    extension: str | msgspec.UnsetType = msgspec.UNSET
    """Absent: they have none."""


class MeAnswer(Me, frozen=True):
    """The same as an answer of its own."""

    success: Yes = True


class LoggedIn(msgspec.Struct, frozen=True, rename="camel"):
    """Who logged in, and the token that proves it from now on."""

    user_id: str
    auth_token: str
    me: Me


class LoginAnswer(msgspec.Struct, frozen=True):
    """Rocket.Chat's envelope of a login."""

    status: Literal["success"]
    data: LoggedIn


class Farewell(msgspec.Struct, frozen=True):
    """Rocket.Chat's words."""

    message: str = "You've been logged out!"


class LogoutAnswer(msgspec.Struct, frozen=True):
    """Rocket.Chat's envelope of a logout."""

    status: Literal["success"] = "success"
    data: Farewell = Farewell()
