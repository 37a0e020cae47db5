"""Who may do what: guards, and the sessions that they ask for.

Agents hold a session cookie once they have signed in; visitors hold a bearer token that their own browser
made. Every route names its guard; guards name permissions, roles are sets of them.
"""

import asyncio
import hashlib
import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.exceptions import NotAuthorizedException, NotFoundException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

import db
import layouts
from db.away import unless_away
from db.clock import now
from db.prepared import prepared
from db.settings import settings
from db.tables import OneTimeLink, Session, Visitor, Widget

COOKIE = "balie_session"
SEEN_WITHIN_S = 1  # who only reads waits no longer for somebody who holds the database
SEEN_MINUTES = 5  # when a browser was last seen is written down no oftener
PERMISSIONS = (
    "chat",
    "supervise",
    "manage_desk",
    "manage_people",
    "manage_widgets",
    "manage_presets",
    "read_log",
    "manage_privacy",
    "see_reports",
    "see_agent_reports",
    "read_audit",
    "reveal_numbers",
)
ADMIN = [each for each in PERMISSIONS if each not in ("chat", "supervise", "see_agent_reports")]
ROLES = {  # that a desk begins with
    "agent": ["chat", "reveal_numbers"],
    "supervisor": ["chat", "supervise", "manage_presets", "read_log", "see_reports", "reveal_numbers"],
    "admin": ADMIN,
}
USERNAME = re.compile(r"[a-z0-9._@-]{2,64}")
TOKEN = re.compile(r"[A-Za-z0-9_-]{43,128}")


@dataclass(frozen=True)
class Person:
    """Whoever is signed in."""

    id: int
    username: str
    name: str
    language: str
    permissions: frozenset[str]
    session: int
    csrf: str
    look: str = ""  # of the screens: "light", "dark", "contrast"; "": as the system has it

    @property
    def may_reveal(self) -> bool:
        return "reveal_numbers" in self.permissions


# ---- guards ----------------------------------------------------------------------------------------------


async def public(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """For everybody."""


async def visitor(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """For the holder of a bearer token at a widget, whether or not a chat has been started with it."""
    scheme, _sep, token = connection.headers.get("authorization", "").partition(" ")
    key = connection.headers.get("x-widget", "")
    if scheme.lower() != "bearer" or not TOKEN.fullmatch(token):
        raise NotAuthorizedException
    hashed = fingerprint(token)
    row = await visitor_with.first(hashed)
    joined = row is None and next(iter(await db.sql(OTHER_DEVICE, hashed)), None)
    row = row or joined or None
    if row is None:
        row = await Widget.select(Widget.id.as_alias("widget"), Widget.key).where(Widget.key == key).first()
    if row is None or row["key"] != key:
        raise NotFoundException
    caller = Caller(row.get("id"), row["widget"], key, hashed, bool(joined))
    connection.scope["visitor"] = caller  # type: ignore[typeddict-unknown-key]


# Its token opens the conversation that it was let into, and none that comes after.
OTHER_DEVICE = (
    "SELECT chat.visitor AS id, widget.id AS widget, widget.key AS key FROM device"
    " JOIN chat ON chat.id = device.chat JOIN widget ON widget.id = chat.widget WHERE device.token_hash = {}"
    " AND NOT EXISTS (SELECT 1 FROM chat AS later WHERE later.visitor = chat.visitor AND later.id > chat.id)"
)


@prepared
def visitor_with(token_hash: str) -> Any:
    widget = Visitor.widget
    columns = Visitor.id, widget.id.as_alias("widget"), widget.key.as_alias("key")
    return Visitor.select(*columns).where(Visitor.token_hash == token_hash)


@dataclass(frozen=True)
class Caller:
    """A visitor as a request shows it. `id` is None until it has started something; `joined`: with another
    device than the one that did."""

    id: int | None
    widget: int
    key: str
    token_hash: str
    joined: bool = False


async def signed_in(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """For whoever holds a session, with its CSRF token where something changes."""
    person = await person_of_session(connection)
    if person is None:
        raise NotAuthorizedException
    sent = connection.headers.get("x-csrf-token", "")
    changes = connection.scope.get("method") not in ("GET", "HEAD")
    if changes and not secrets.compare_digest(sent.encode(), person.csrf.encode()):
        raise PermissionDeniedException("csrf")
    layouts.language.set(person.language)
    layouts.look.set(person.look)
    connection.scope["person"] = person  # type: ignore[typeddict-unknown-key]


def may(*permissions: str) -> Guard:
    """For whoever is signed in with a role that has this permission, or one of these."""
    assert set(permissions) <= set(PERMISSIONS)

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        await signed_in(connection, handler)
        if agent_of(connection).permissions.isdisjoint(permissions):
            raise PermissionDeniedException

    guard.__name__ = f"may_{'_or_'.join(permissions)}"
    return guard


def agent_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Person:
    return connection.scope["person"]  # type: ignore[typeddict-item, no-any-return]


def visitor_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Caller:
    return connection.scope["visitor"]  # type: ignore[typeddict-item, no-any-return]


def fingerprint(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def address_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """Where a request comes from; the server has put a trusted proxy's word there already."""
    return connection.client.host if connection.client else ""


def refuse_other_sites(request: Request[Any, Any, Any]) -> None:
    """Nobody is signed in from a page that is not ours."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    if site not in ("same-origin", "none"):
        raise PermissionDeniedException("csrf")


# ---- sessions --------------------------------------------------------------------------------------------


async def person_of_session(connection: ASGIConnection[Any, Any, Any, Any]) -> Person | None:
    token = connection.cookies.get(COOKIE)
    if not token:
        return None
    row = await session_with.first(fingerprint(token), now())
    if row is None:
        return None
    if row["seen_at"] is None or row["seen_at"] < now() - timedelta(minutes=SEEN_MINUTES):
        with unless_away():
            async with asyncio.timeout(SEEN_WITHIN_S):
                await Session.update({Session.seen_at: now()}).where(Session.id == row["id"])
    permissions = frozenset(json.loads(row["permissions"]))
    return Person(
        row["agent"],
        row["username"],
        row["name"],
        row["language"],
        permissions,
        row["id"],
        row["csrf"],
        row["look"],
    )


@prepared
def session_with(token_hash: str, at: datetime) -> Any:
    agent = Session.agent
    return (
        Session.select(
            Session.id,
            Session.csrf,
            Session.seen_at,
            agent.id.as_alias("agent"),
            agent.username.as_alias("username"),
            agent.name.as_alias("name"),
            agent.language.as_alias("language"),
            agent.look.as_alias("look"),
            agent.role.permissions.as_alias("permissions"),  # type: ignore[union-attr]
        )
        .where(Session.token_hash == token_hash)
        .where(Session.expires_at > at)
        .where(agent.active.eq(True))  # type: ignore[union-attr]
    )


async def open_session(agent: int, browser: str = "", issuer: str = "") -> tuple[str, str]:
    token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    async with db.transaction():
        await Session.delete().where(Session.expires_at < now())
        await Session.insert(
            Session(
                agent=agent,
                token_hash=fingerprint(token),
                csrf=csrf,
                browser=browser,
                issuer=issuer,
                created_at=now(),
                seen_at=now(),
                expires_at=now() + timedelta(hours=settings.session_hours),
            )
        )
    return token, csrf


async def close_session(person: Person) -> None:
    await Session.delete().where(Session.id == person.session)


def cookie(token: str) -> Cookie:
    """Without a token: the end of it."""
    return Cookie(
        key=COOKIE,
        value=token,
        max_age=None if token else 0,
        httponly=True,
        samesite="lax",
        secure=settings.secure,
    )


async def still_open(sessions: Iterable[int], permission: str) -> set[int]:
    """Those of the sessions under open pages that have neither run out nor been closed, of agents who are
    still active and still have this permission."""
    permissions = Session.agent.role.permissions  # type: ignore[union-attr]
    rows = await (
        Session.select(Session.id, permissions.as_alias("permissions"))
        .where(Session.id.is_in(list(sessions)))
        .where(Session.expires_at > now())
        .where(Session.agent.active.eq(True))  # type: ignore[union-attr]
    )
    return {row["id"] for row in rows if permission in json.loads(row["permissions"])}


# ---- links that work once --------------------------------------------------------------------------------


async def open_link(token: str, *purposes: str) -> dict[str, Any]:
    link = await (
        OneTimeLink.select(OneTimeLink.id, OneTimeLink.purpose, OneTimeLink.agent)
        .where(OneTimeLink.token_hash == fingerprint(token))
        .where(OneTimeLink.purpose.is_in(list(purposes)))
        .where(OneTimeLink.expires_at > now())
        .first()
    )
    if link is None:
        raise NotFoundException
    return link
