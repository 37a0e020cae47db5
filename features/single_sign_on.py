"""Single sign-on: people sign in with the provider of their organisation; its groups say what they may do.

GET /session/oidc           on to the provider, and remembered until they are back
GET /session/oidc/return    back from it: in, or told why not
GET /session/oidc/left      signed out here, but not there yet
GET /session/oidc/end       signed out there too

Who comes in: whoever came in before with this identity; else the one agent with the e-mail address that the
provider has checked; else, if a group of theirs has a role here, somebody new. Roles follow the groups at
each sign-in, as soon as any group has a role. The second step is the provider's to ask for.
"""

import asyncio
import contextlib
import json
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import structlog
from litestar import Request, Response, get
from litestar.datastructures import Cookie
from litestar.exceptions import NotFoundException
from litestar.response import Redirect
from piccolo.columns import Column

import db
import layouts
from db.clock import now
from db.settings import settings
from db.tables import Agent, GroupRole, ProviderIdentity, ProviderVisit, Session
from features import access, admission, audit, copies, desk, provider, routing, signing_in, tries, ways_in
from features.access import public
from layouts import _, html, template

COOKIE = "balie_oidc"
MINUTES = 10  # to sign in there
MOST_VISITS = 500  # at a time from one address, such as a town hall's; whoever is back is not counted
FAREWELL_S = 2  # that signing out waits for it
GROUPS = 500  # that are looked at
NAME_LENGTH = 80

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Outcome:
    agent: int = 0
    refused: str = ""  # a code: deactivated, no_role, unverified, unknown, taken


# ---- there and back --------------------------------------------------------------------------------------


@get("/session/oidc", guards=[public])
async def begin(request: Request[Any, Any, Any]) -> Response[Any]:
    if not settings.oidc_issuer:
        raise NotFoundException
    if await visits_from(request) >= MOST_VISITS:
        return told("often")
    state, nonce, verifier = (secrets.token_urlsafe(48) for _each in range(3))
    try:
        address = await provider.address(state, nonce, verifier)
    except provider.Fault as fault:
        return told(fault.code)
    browser = request.cookies.get(COOKIE, "")
    if not access.TOKEN.fullmatch(browser):
        browser = secrets.token_urlsafe(32)
    visit = ProviderVisit(
        state_hash=access.fingerprint(state),
        browser_hash=access.fingerprint(browser),
        address_hash=address_hash(request),
        nonce=nonce,
        verifier=verifier,
        page=page_asked_for(request),
        expires_at=now() + timedelta(minutes=MINUTES),
    )
    async with db.transaction():
        await ProviderVisit.delete().where(ProviderVisit.expires_at < now())
        await ProviderVisit.insert(visit)
    answer = Redirect(address, status_code=302)
    answer.set_cookie(cookie(browser))
    return answer


async def visits_from(request: Request[Any, Any, Any]) -> int:
    mine = ProviderVisit.count().where(ProviderVisit.address_hash == address_hash(request))
    return int(await mine.where(ProviderVisit.expires_at > now()))


def address_hash(request: Request[Any, Any, Any]) -> str:
    return desk.keyed("provider", access.address_of(request))


def page_asked_for(request: Request[Any, Any, Any]) -> str:
    """The one that is named, or the one on which the session ran out."""
    asked = request.query_params.get("to", "")
    came_from = urlsplit(request.headers.get("referer", ""))
    if not asked and f"{came_from.scheme}://{came_from.netloc}" == settings.url:
        asked = came_from.path
    return asked if signing_in.OWN_PAGE.fullmatch(asked) else ""


def cookie(token: str) -> Cookie:
    """Only the browser that went may come back."""
    return Cookie(
        key=COOKIE,
        value=token,
        path="/session/oidc",
        max_age=MINUTES * 60,
        httponly=True,
        samesite="lax",
        secure=settings.secure,
    )


@get("/session/oidc/return", guards=[public])
async def come_back(request: Request[Any, Any, Any]) -> Response[Any]:
    if not settings.oidc_issuer:
        raise NotFoundException
    given = request.query_params
    visit = await end_visit(given.get("state", ""), request.cookies.get(COOKIE, ""))
    if visit is None:
        return told("late")
    if given.get("iss", settings.oidc_issuer) != settings.oidc_issuer:  # RFC 9207
        return told("untrusted")
    if "error" in given or not given.get("code"):
        log.warning("the provider let nobody in", error=code_of(given.get("error", "")))
        return told("declined")
    try:
        claims = await provider.person_of(given["code"], visit["verifier"], visit["nonce"])
    except provider.Fault as fault:
        return told(fault.code)
    outcome = await let_in(claims)
    if outcome.refused:
        return told(outcome.refused)
    browser = signing_in.browser_of(request.headers.get("user-agent", ""))
    token, _csrf = await access.open_session(outcome.agent, browser, settings.oidc_issuer)
    answer = Redirect(signing_in.landing(visit["page"]), status_code=302)
    answer.set_cookie(access.cookie(token))
    return answer


def code_of(error: str) -> str:
    """As the standard has them: anybody can come with words of their own."""
    return error if re.fullmatch(r"[a-z_]{1,60}", error) else "?"


async def end_visit(state: str, browser: str) -> dict[str, Any] | None:
    """It counts once, for the browser that went, and not for long."""
    found = (
        await ProviderVisit.delete()
        .where(ProviderVisit.state_hash == access.fingerprint(state))
        .where(ProviderVisit.browser_hash == access.fingerprint(browser))
        .where(ProviderVisit.expires_at > now())
        .returning(ProviderVisit.nonce, ProviderVisit.verifier, ProviderVisit.page)
    )
    return found[0] if found else None


# ---- who that is -----------------------------------------------------------------------------------------


async def let_in(claims: dict[str, Any]) -> Outcome:
    """All of it, or nothing: found or made, linked, with the role of their groups; or refused."""
    async with db.transaction():
        await db.lock(routing.LOCK)
        rules = await ways_in.load()
        mapping = await group_roles()
        role = role_for(mapping, groups_of(claims))
        agent, refused = await find(claims)
        if agent and not agent["active"]:
            return await refuse("deactivated", agent["id"])
        if refused:
            return await refuse(refused, None)
        if agent is None and role is None:
            return await refuse("no_role" if mapping else "unknown", None)
        if agent and mapping and role is None and agent["id"] != rules.local:
            await admission.end_sessions(agent["id"])
            return await refuse("no_role", agent["id"])
        if agent is None:
            assert role is not None
            agent = await make(claims, role)
        await link(agent["id"], claims)
        if role is not None and role != agent["role"] and agent["id"] != rules.local:
            await give_role(agent, role)
        return Outcome(agent["id"])


async def refuse(code: str, agent: int | None) -> Outcome:
    await audit.note(None, "refused", f"agent:{agent}" if agent else "provider", {"reason": (None, code)})
    return Outcome(refused=code)


async def find(claims: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
    """An agent, or None; or why nobody may be made or linked."""
    linked = await (
        ProviderIdentity.select(ProviderIdentity.agent)
        .where(ProviderIdentity.issuer == settings.oidc_issuer)
        .where(ProviderIdentity.subject == claims["sub"])
        .first()
    )
    if linked:
        return await Agent.select().where(Agent.id == linked["agent"]).first(), ""
    email = address_in(claims)
    rows = await db.sql(
        "SELECT id, role, active FROM agent WHERE lower(email) = {} OR username = {}", email, email
    )
    if not email or not rows:
        return None, ""
    if claims.get("email_verified") is not True:
        return None, "unverified"
    if len(rows) > 1 or await ways_in.is_linked(rows[0]["id"]):
        return None, "taken"
    return await Agent.select().where(Agent.id == rows[0]["id"]).first(), ""


def address_in(claims: dict[str, Any]) -> str:
    email = claims.get("email")
    return email.strip().lower() if isinstance(email, str) and copies.is_address(email.strip()) else ""


def groups_of(claims: dict[str, Any]) -> list[str]:
    told = claim(claims, settings.oidc_groups_claim)
    several = [told] if isinstance(told, str) else told if isinstance(told, list) else []
    return [each for each in several[:GROUPS] if isinstance(each, str)]


def claim(claims: dict[str, Any], name: str) -> object:
    """By its name; or further in, as Keycloak's realm_access.roles is."""
    found: object = claims
    for part in [name] if name in claims else name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


async def group_roles() -> list[tuple[str, int]]:
    """The first that fits counts."""
    rows = await GroupRole.select(GroupRole.name, GroupRole.role).order_by(GroupRole.position, GroupRole.id)
    return [(row["name"], row["role"]) for row in rows]


def role_for(mapping: list[tuple[str, int]], groups: list[str]) -> int | None:
    return next((role for name, role in mapping if name in groups), None)


# ---- what then changes here, within the transaction ------------------------------------------------------


async def make(claims: dict[str, Any], role: int) -> dict[str, Any]:
    """Somebody new, who still has no profile: an admin gives one."""
    email = address_in(claims) if claims.get("email_verified") is True else ""
    language = layouts.best_language(str(claims.get("locale", "")), layouts.language.get())
    username = await free_username(claims, email)
    agent = Agent(
        username=username,
        name=name_in(claims) or username,
        email=email,
        password_hash="",
        role=role,
        language=language,
        languages=json.dumps([language]),
        created_at=now(),
    )
    await agent.save()
    fields = {"name": None, "username": None, "email": None, "role": (None, role)}
    await audit.note(None, "made", f"agent:{agent.id}", fields)
    return {"id": agent.id, "role": role, "active": True, "version": 1}


def name_in(claims: dict[str, Any]) -> str:
    """What visitors will see: no more than the first name, if it is known."""
    told = (claims.get(each) for each in ("given_name", "name", "preferred_username"))
    found = next((each for each in told if isinstance(each, str) and each.strip()), "")
    return " ".join(found.split())[:NAME_LENGTH]


async def free_username(claims: dict[str, Any], email: str) -> str:
    wanted = email or str(claims.get("preferred_username", "")).lower()
    wanted = re.sub(r"[^a-z0-9._@-]+", "-", wanted).strip("-")[:58]
    stem = wanted if access.USERNAME.fullmatch(wanted) else f"user-{secrets.token_hex(4)}"
    taken = {row["username"] for row in await Agent.select(Agent.username)}
    names = (stem, *(f"{stem}-{n}" for n in range(2, 100)), f"user-{secrets.token_hex(8)}")
    return next(each for each in names if each not in taken)


async def link(agent: int, claims: dict[str, Any]) -> None:
    if await ways_in.is_linked(agent):
        return
    await ProviderIdentity.insert(
        ProviderIdentity(agent=agent, issuer=settings.oidc_issuer, subject=claims["sub"], linked_at=now())
    )
    await audit.note(None, "linked", f"agent:{agent}")


async def give_role(agent: dict[str, Any], role: int) -> None:
    """As their groups say; unless nobody would be left then who can let people in."""
    new: dict[Column | str, Any] = {Agent.role: role, Agent.version: agent["version"] + 1}
    try:
        async with db.savepoint():
            await Agent.update(new).where(Agent.id == agent["id"])
            await admission.keep_somebody()
            await audit.note(None, "changed", f"agent:{agent['id']}", {"role": (agent["role"], role)})
    except admission.NobodyLeft:
        await audit.note(None, "refused", f"agent:{agent['id']}", {"role": (agent["role"], role)})
        return
    await admission.apply_to_duty([agent["id"]])


# ---- signing out -----------------------------------------------------------------------------------------


async def after(session: int) -> str:
    """Where one goes after signing out of it."""
    row = await Session.select(Session.issuer).where(Session.id == session).first()
    if not (row and row["issuer"] and row["issuer"] == settings.oidc_issuer):
        return "/console"
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FAREWELL_S):
            return "/session/oidc/left" if await provider.farewell() else "/console"
    return "/console"


@get("/session/oidc/left", guards=[public])
async def left() -> Response[str]:
    if not settings.oidc_issuer:
        raise NotFoundException
    return html(ui.left(desk.facts.name, ways_in.provider()))


@get("/session/oidc/end", guards=[public])
async def end() -> Response[Any]:
    address = await provider.farewell() if settings.oidc_issuer else ""
    if not address:
        raise NotFoundException
    return Redirect(address, status_code=302)


# ---- in words --------------------------------------------------------------------------------------------

STATUS = {"often": 429, "away": 503, "unaccepted": 502, "clock": 502, "untrusted": 502, "late": 422}


AGAIN = ("away", "late", "often")


def told(code: str) -> Response[str]:
    page = ui.told(desk.facts.name, words_for(code) % {"name": ways_in.provider()}, code in AGAIN)
    return html(page, status_code=STATUS.get(code, 403))


def words_for(code: str) -> str:
    match code:
        case "away":
            return _("%(name)s does not answer. Try again in a moment.")
        case "often":
            return tries.too_often(MINUTES)
        case "late":
            return _("That took too long, or was begun in another browser. Try again.")
        case "declined":
            return _("%(name)s did not let you in, or you stopped there.")
        case "unaccepted":
            return _("%(name)s does not accept this desk. Tell your administrator.")
        case "clock":
            return _("The clocks of %(name)s and of this desk are too far apart. Tell your administrator.")
        case "untrusted":
            return _("What %(name)s answered cannot be trusted. Tell your administrator.")
        case "unverified":
            return _("%(name)s has not checked your e-mail address. Ask your administrator.")
        case "deactivated":
            return _("Your account at this desk has been deactivated. Ask your administrator.")
        case "no_role":
            return _("None of your groups at %(name)s gives access to this desk. Ask your administrator.")
        case "taken":
            return _("Your e-mail address is somebody else’s at this desk. Ask your administrator.")
        case _:
            return _("%(name)s knows you, but this desk does not yet. Ask your administrator.")


routes = [begin, come_back, left, end]

ui = template("""
{% from "base.html" import plain %}
{% from "components.html" import button, icon, notice %}

{% macro told(desk, words, again) %}
{% call plain(_("Sign in") ~ " · " ~ desk) %}
<p class="wordmark">{{ icon("messages-square") }}Balie</p>
<h1 class="title">{{ _("You are not signed in") }}</h1>
<p class="soft" translate="no">{{ desk }}</p>
{{ notice("error", words, attrs={"role": "alert"}) }}
{% if again %}{{ button(_("Try again"), "primary", attrs={"href": "/session/oidc", "class": "large fill"}) }}{% endif %}
{{ button(_("To the sign-in page"), "secondary", attrs={"href": "/console", "class": "large fill"}) }}
{% endcall %}
{% endmacro %}

{% macro left(desk, name) %}
{% call plain(_("Signed out") ~ " · " ~ desk) %}
<p class="wordmark">{{ icon("messages-square") }}Balie</p>
<h1 class="title">{{ _("Signed out") }}</h1>
<p>{{ _("You are signed out of this desk. At %(name)s you are still signed in: on a shared computer, sign out there as well.", name=name) }}</p>
{{ button(_("Sign out of %(name)s as well", name=name), "primary", attrs={"href": "/session/oidc/end", "class": "large fill"}) }}
{{ button(_("To the sign-in page"), "secondary", attrs={"href": "/console", "class": "large fill"}) }}
{% endcall %}
{% endmacro %}
""")  # noqa: E501
