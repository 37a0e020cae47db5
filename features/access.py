"""Who may do what: sign-in, sessions, guards.

Agents sign in with a name and a password and hold a session cookie; visitors hold a bearer token that their
own browser made. Every route names its guard; guards name permissions, roles are sets of them.

    POST /session             sign in, or sign in again in place; a feature may ask for more (`second_steps`)
"""

import asyncio
import hashlib
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from litestar import Request, Response, post
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.exceptions import NotAuthorizedException, NotFoundException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard
from markupsafe import Markup
from msgspec import Struct

import db
import layouts
from db.away import unless_away
from db.clock import now
from db.prepared import prepared
from db.settings import settings
from db.tables import Agent, OneTimeLink, Session, SignInFailure, Visitor, Widget
from features import aside, desk, ways_in
from layouts import Form, _, html, ngettext, problems, swap, template

COOKIE = "balie_session"
TRIES = 10  # wrong passwords for one name from one address, within …
TRIES_ANYWHERE = 100  # … and for one name, or from one address, whatever the other
TRIES_MINUTES = 15
SEEN_WITHIN_S = 1  # who only reads waits no longer for somebody who holds the database
SEEN_MINUTES = 5  # when a browser was last seen is written down no oftener
PASSWORD_LENGTH = 12
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
OWN_PAGE = re.compile(r"/(console|settings)(/[a-z0-9-]+)*")
TOKEN = re.compile(r"[A-Za-z0-9_-]{43,128}")

hasher = PasswordHasher()
doormen = aside.Threads(2, "password", aside.NICEST)  # each has several threads at work, and 64 MB


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


def fingerprint(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def address_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """Where a request comes from; the server has put a trusted proxy's word there already."""
    return connection.client.host if connection.client else ""


# ---- signing in ------------------------------------------------------------------------------------------


class SignIn(Struct):
    username: str = ""
    password: str = ""
    again_as: str = ""  # the page that a session has run out under belongs to this person
    to: str = ""  # the page that was asked for


@dataclass(frozen=True)
class Entrance:
    """Somebody has given the right password. `again_as` and `to` are as the form sent them."""

    agent: int
    username: str
    again_as: str
    to: str


SecondStep = Callable[[Entrance], Awaitable[Markup | None]]
second_steps: list[
    SecondStep
] = []  # each may answer with a form that stands between the password and the desk


@post("/session", guards=[public], status_code=200)
async def sign_in(request: Request[Any, Any, Any], data: Form[SignIn]) -> Response[str]:
    refuse_other_sites(request)
    username = data.username.strip().lower()
    address = address_of(request)
    async with doormen.turn():
        wait, tried = await count_try(username, address)
        agent = None if wait else await agent_with(username, data.password)
    if wait:
        return html(
            ui.sign_in_form(username, data.again_as, {"password": too_often(wait)}, data.to), status_code=429
        )
    if agent is None or not await ways_in.password_works(agent["id"]):
        words = wrong_password()
        return html(ui.sign_in_form(username, data.again_as, {"password": words}, data.to), status_code=422)
    await forget_try(tried)
    entrance = Entrance(agent["id"], username, data.again_as, data.to)
    for step in second_steps:
        if form := await step(entrance):
            return html(form)
    return await admit(request, entrance)


def wrong_password() -> str:
    """The same for a password that is wrong and for one that does not count here any more."""
    if ways_in.only():
        words = _("This does not let you in. Here, passwords no longer work: sign in with %(name)s.")
        return words % {"name": ways_in.provider()}
    return _("The user name or the password is not right.")


async def admit(request: Request[Any, Any, Any], entrance: Entrance, shown: str = "") -> Response[str]:
    """In: to the page that was asked for, or on with the open one. `shown`: what is to be read before."""
    again = bool(entrance.again_as) and entrance.again_as == entrance.username
    earlier = await person_of_session(request) if again else None
    if earlier and earlier.id == entrance.agent:  # another window was first: both go on with that one
        return html(signed_in_again(entrance.username, entrance.agent, earlier.csrf))
    token, csrf = await open_session(entrance.agent, browser_of(request.headers.get("user-agent", "")))
    if shown:
        answer = html(shown)
    elif again:
        answer = html(signed_in_again(entrance.username, entrance.agent, csrf))
    else:
        answer = html(headers={"HX-Redirect": landing(entrance.to)})
    answer.set_cookie(cookie(token))
    return answer


def landing(to: str) -> str:
    """The page that was asked for, if it is one of ours."""
    return to if OWN_PAGE.fullmatch(to) else "/console"


def too_often(wait: int) -> str:
    return ngettext(
        "Too many attempts. Try again in %(n)s minute.",
        "Too many attempts. Try again in %(n)s minutes.",
        wait,
    ) % {"n": wait}


BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def browser_of(user_agent: str) -> str:
    """Enough to know one's own again: "Firefox, Windows"."""
    found = [next((name for sign, name in signs if sign in user_agent), "") for signs in (BROWSERS, SYSTEMS)]
    return ", ".join(name for name in found if name)


def signed_in_again(username: str, agent: int, csrf: str) -> Markup:
    """An open page goes on, with the session that is."""
    return (
        swap("#csrf", ui.csrf(csrf, agent), "outerHTML")
        + swap("#sign-in", ui.sign_in_form("", username, {}), "outerHTML")
        + swap("#sign-in-again", ui.signed_in_again(), "outerHTML")
    )


async def agent_with(username: str, password: str) -> dict[str, Any] | None:
    """Takes as long for a name that does not exist as for a wrong password."""
    row = await (
        Agent.select(Agent.id, Agent.password_hash)
        .where(Agent.username == username)
        .where(Agent.active.eq(True))
        .first()
    )
    right = await verified(row["password_hash"] if row else await nobodys_hash(), password)
    return row if row and right else None


async def verified(password_hash: str, password: str) -> bool:
    try:
        return await aside.done(doormen, hasher.verify, password_hash, password)
    except (VerifyMismatchError, InvalidHashError):
        return False


async def nobodys_hash() -> str:
    """Of a password nobody has, made with the parameters now in force."""
    if not nobodys.get(hasher):
        nobodys[hasher] = await hashed(secrets.token_hex())
    return nobodys[hasher]


nobodys: dict[PasswordHasher, str] = {}


async def minutes_to_wait(username: str, address: str) -> int:
    """0, or how long until the oldest of too many failures is forgotten."""
    since = now() - timedelta(minutes=TRIES_MINUTES)
    limits = dict(watched(username, address))
    rows = await (
        SignInFailure.select(SignInFailure.who, SignInFailure.failed_at)
        .where(SignInFailure.who.is_in(list(limits)))
        .where(SignInFailure.failed_at > since)
        .order_by(SignInFailure.failed_at, ascending=False)
    )
    waits = [0]
    for who, limit in limits.items():
        failures = [row["failed_at"] for row in rows if row["who"] == who]
        if len(failures) >= limit:
            waits.append(1 + int((failures[limit - 1] - since).total_seconds() // 60))
    return max(waits)


def watched(username: str, address: str) -> list[tuple[str, int]]:
    return [
        (desk.keyed("both", username, address), TRIES),
        (desk.keyed("name", username), TRIES_ANYWHERE),
        (desk.keyed("address", address), TRIES_ANYWHERE),
    ]


async def count_try(username: str, address: str) -> tuple[int, list[int]]:
    """How many minutes to wait; if none, the rows of a failure. It is one until it turns out otherwise, so
    that a hundred tries at once are a hundred."""
    async with db.transaction():
        await db.lock("sign in")
        if wait := await minutes_to_wait(username, address):
            return wait, []
        await SignInFailure.delete().where(SignInFailure.failed_at < now() - timedelta(minutes=TRIES_MINUTES))
        rows = await SignInFailure.insert(
            *(SignInFailure(who=who, failed_at=now()) for who, _limit in watched(username, address))
        )
        return 0, [row["id"] for row in rows]


async def forget_try(tried: list[int]) -> None:
    """It was none of the failures."""
    await SignInFailure.delete().where(SignInFailure.id.is_in(tried))


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


def door(path: str) -> Markup:
    """The page that asks who one is, and then leads to the page that was asked for."""
    return ui.sign_in_page(desk.facts.name, path)


problems.door = door


def refuse_other_sites(request: Request[Any, Any, Any]) -> None:
    """Nobody is signed in from a page that is not ours."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    if site not in ("same-origin", "none"):
        raise PermissionDeniedException("csrf")


async def hashed(password: str) -> str:
    return await aside.done(doormen, hasher.hash, password)


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


# ---- sessions that end under an open page ----------------------------------------------------------------


async def still_open(sessions: Iterable[int], permission: str) -> set[int]:
    """Those of the sessions that have neither run out nor been closed, of agents who are still active and
    still have this permission."""
    permissions = Session.agent.role.permissions  # type: ignore[union-attr]
    rows = await (
        Session.select(Session.id, permissions.as_alias("permissions"))
        .where(Session.id.is_in(list(sessions)))
        .where(Session.expires_at > now())
        .where(Session.agent.active.eq(True))  # type: ignore[union-attr]
    )
    return {row["id"] for row in rows if permission in json.loads(row["permissions"])}


routes = [sign_in]

ui = template("""
{% from "base.html" import plain %}
{% from "components.html" import button, field, icon, languages_nav, public_links %}

{% macro sign_in_page(desk, to="") %}
{% call plain(_("Sign in") ~ " · " ~ desk, ["htmx.min.js"], foot=foot()) %}
<p class="wordmark">{{ icon("messages-square") }}Balie</p>
<h1 class="title">{{ _("Sign in") }}</h1>
<p class="soft" translate="no">{{ desk }}</p>
{{ sign_in_form("", "", {}, to) }}
{% endcall %}
{% endmacro %}

{% macro foot() %}
<footer class="plain-foot">{{ languages_nav("") }}{{ public_links("agent") }}</footer>
{% endmacro %}

{# method="dialog": nothing goes out, and no password into an address, before the script is there to send it. #}
{# Where a session has run out under an open page, the same form stands in a dialog, for the same person. #}
{% macro sign_in_form(username, again_as, errors, to="") %}
<form id="sign-in" class="stack" method="dialog" hx-post="/session" hx-swap="outerHTML" hx-sync="this:drop" novalidate>
  {% if again_as %}<input type="hidden" name="again_as" value="{{ again_as }}">{% endif %}
  {% if to %}<input type="hidden" name="to" value="{{ to }}">{% endif %}
  {% if provider() %}{{ button(_("Sign in with %(name)s", name=provider()), "primary", attrs={"href": "/session/oidc" ~ ("?" ~ {"to": to} | urlencode if to else ""), "class": "large fill", "data-way-in": true}) }}{% endif %}
  {% if provider_only() %}
  <details class="other-way"{% if errors %} open{% endif %}><summary>{{ _("Sign in with a password") }}</summary><div class="stack">{{ with_password(username, again_as, errors) }}</div></details>
  {% else %}
  {% if provider() %}<p class="or"><span>{{ _("or") }}</span></p>{% endif %}
  {{ with_password(username, again_as, errors) }}
  {% endif %}
</form>
{% endmacro %}

{% macro with_password(username, again_as, errors) %}
{% set here = not provider() or errors %}
  {% set id = "again-" if again_as else "" %}
  {{ field(_("User name"), "username", username or again_as, {}, autocomplete="username", id=id ~ "username", attrs={"autocapitalize": "none", "readonly": true} if again_as else {"autocapitalize": "none", "autofocus": true if here and not username else none}) }}
  {{ field(_("Password"), "password", "", errors, type="password", autocomplete="current-password", id=id ~ "password", attrs={"autofocus": true if here and (username or again_as) else none}) }}
  {{ button(_("Sign in"), "secondary" if provider() else "primary", type="submit", attrs={"class": "large fill"}) }}
{% endmacro %}

{% macro sign_in_again(person) %}
<dialog class="dialog" id="sign-in-dialog" aria-labelledby="sign-in-title" data-agent="{{ person.id }}">
  <h2 class="title" id="sign-in-title">{{ _("Please sign in") }}</h2>
  <p>{{ _("Your session is over. Sign in again and go on where you were: nothing you typed is lost.") }}</p>
  {{ sign_in_form("", person.username, {}) }}
</dialog>
<div id="sign-in-again" hidden></div>
{% endmacro %}

{% macro csrf(token, agent) %}<meta id="csrf" name="csrf" content="{{ token }}" data-agent="{{ agent }}">{% endmacro %}

{% macro signed_in_again() %}<div id="sign-in-again" hidden data-done></div>{% endmacro %}
""")  # noqa: E501
