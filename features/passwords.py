"""Passwords: the link by which somebody chooses one: who is invited, and who has forgotten theirs.

GET  /invitation/{token}    works once, for a week
POST /invitation/{token}
"""

import secrets
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

from litestar import Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from msgspec import Struct
from piccolo.columns import Column

import db
from db.clock import now
from db.settings import settings
from db.tables import Agent, OneTimeLink, Session
from features import access, audit, desk, hashes, mail, ways_in
from features.access import public
from layouts import Form, _, html, speaking, swap, template

DAYS = 7
PURPOSES = ("invitation", "password")  # without a password yet; in place of a forgotten one


async def make_link(agent: int, *, alone: bool = True) -> str:
    """The address to give to this person, and to nobody else. `alone`: earlier ones no longer work."""
    row = await Agent.select(Agent.password_hash).where(Agent.id == agent).first()
    if row is None:
        raise NotFoundException
    token = secrets.token_urlsafe(32)
    async with db.transaction():
        await OneTimeLink.delete().where(OneTimeLink.expires_at < now())
        if alone:
            await forget_links(agent)
        await OneTimeLink.insert(
            OneTimeLink(
                purpose="password" if row["password_hash"] else "invitation",
                agent=agent,
                token_hash=access.fingerprint(token),
                expires_at=now() + timedelta(days=DAYS),
            )
        )
    return f"{settings.url}/invitation/{token}"


async def forget_links(agent: int) -> None:
    await (
        OneTimeLink.delete()
        .where(OneTimeLink.agent == agent)
        .where(OneTimeLink.purpose.is_in(list(PURPOSES)))
    )


# ---- by mail ---------------------------------------------------------------------------------------------


async def send_link(agent: int) -> bool:
    """False: there is no mail, or no address."""
    row = await Agent.select(Agent.email, Agent.language).where(Agent.id == agent).first()
    if not (mail.is_on() and row and row["email"]):
        return False
    await mail.post("invitation", agent, row["email"], row["language"])
    return True


@mail.written_by("invitation")
async def write(row: dict[str, Any]) -> EmailMessage | None:
    """With a link of its own: nobody else has it, and none is kept."""
    agent = await Agent.select().where(Agent.id == row["agent"]).where(Agent.active.eq(True)).first()
    if agent is None or not await ways_in.password_works(agent["id"]):
        return None
    link = await make_link(agent["id"], alone=False)
    with speaking(row["language"]):
        facts = {"name": agent["name"], "desk": " ".join(desk.facts.name.split())}
        letter = EmailMessage()
        if agent["password_hash"]:
            letter["Subject"] = _("Choose a new password for the chat of %(desk)s") % facts
            words = _("Choose a new password with this link. It works once, and for a week:")
        else:
            letter["Subject"] = _("You are invited to the chat of %(desk)s") % facts
            words = _("Choose a password with this link. It works once, and for a week:")
        hello = _("Hello %(name)s") % facts
        name = _("User name")
        letter.set_content(f"{hello},\n\n{words}\n\n{link}\n\n{name}: {agent['username']}\n")
    return letter


# ---- choosing one ----------------------------------------------------------------------------------------


class Choice(Struct):
    password: str = ""


@get("/invitation/{token:str}", guards=[public])
async def invitation(token: FromPath[str]) -> Response[str]:
    agent, purpose = await invited(token)
    with speaking(agent["language"]):
        if not await ways_in.password_works(agent["id"]):
            return html(ui.elsewhere_page(desk.facts.name, agent))
        return html(ui.page(desk.facts.name, token, agent, purpose))


@post("/invitation/{token:str}", guards=[public], status_code=200)
async def choose(request: Request[Any, Any, Any], token: FromPath[str], data: Form[Choice]) -> Response[str]:
    access.refuse_other_sites(request)
    agent, _purpose = await invited(token)
    with speaking(agent["language"]):
        if not await ways_in.password_works(agent["id"]):
            return html(ui.elsewhere(), status_code=422)
        if problem := hashes.problem_with(data.password):
            return html(ui.form(token, agent, {"password": problem}), status_code=422)
        password_hash = await hashes.hashed(data.password)
        async with db.transaction():
            mine = OneTimeLink.token_hash == access.fingerprint(token)
            if not await OneTimeLink.delete().where(mine).returning(OneTimeLink.id):
                raise NotFoundException
            await put(agent["id"], password_hash)
            await audit.note(agent["id"], "password_chosen", f"agent:{agent['id']}")
        return html(ui.chosen(agent["username"]), swap("#choice-words", ui.saved(), "outerHTML"))


async def put(agent: int, password_hash: str, keep_session: int = 0) -> None:
    """Within a transaction: whoever is signed in with the old one no longer is."""
    new: dict[Column | str, Any] = {Agent.password_hash: password_hash}
    await Agent.update(new).where(Agent.id == agent)
    await Session.delete().where(Session.agent == agent).where(Session.id != keep_session)
    await forget_links(agent)


async def invited(token: str) -> tuple[dict[str, Any], str]:
    """Whose link it is, and for what."""
    link = await access.open_link(token, *PURPOSES)
    agent = await Agent.select().where(Agent.id == link["agent"]).where(Agent.active.eq(True)).first()
    if agent is None:
        raise NotFoundException
    return agent, link["purpose"]


routes = [invitation, choose]

ui = template("""
{% from "base.html" import plain %}
{% from "components.html" import button, field, icon, notice %}
{% import "signing_in" as signing_in %}

{% macro page(desk, token, agent, purpose) %}
{% call plain(_("Choose a password") ~ " · " ~ desk, ["htmx.min.js"]) %}
<p class="wordmark">{{ icon("messages-square") }}Balie</p>
<h1 class="title">{{ _("Hello %(name)s", name=agent.name) }}</h1>
{% if purpose == "invitation" %}
<p id="choice-words">{{ _("You are invited to the chat of %(desk)s. Choose a password; then you can sign in.", desk=desk) }}</p>
{% else %}
<p id="choice-words">{{ _("Choose a new password. The old one then no longer works.") }}</p>
{% endif %}
{{ form(token, agent, {}) }}
{% endcall %}
{% endmacro %}

{# Passwords have been switched off since the link was made. #}
{% macro elsewhere_page(desk, agent) %}
{% call plain(_("Sign in") ~ " · " ~ desk) %}
<p class="wordmark">{{ icon("messages-square") }}Balie</p>
<h1 class="title">{{ _("Hello %(name)s", name=agent.name) }}</h1>
{{ elsewhere() }}
{% endcall %}
{% endmacro %}

{% macro elsewhere() %}
<div id="choice" class="stack">
  <p>{{ _("You need no password here: sign in with %(name)s.", name=provider()) }}</p>
  {{ button(_("Sign in with %(name)s", name=provider()), "primary", attrs={"href": "/session/oidc", "class": "large fill"}) }}
</div>
{% endmacro %}

{% macro form(token, agent, errors) %}
<form id="choice" class="stack" method="dialog" hx-post="/invitation/{{ token }}" hx-swap="outerHTML" hx-sync="this:drop" novalidate>
  {{ field(_("User name"), "username", agent.username, {}, autocomplete="username", attrs={"readonly": true, "translate": "no"}) }}
  {{ field(_("Password"), "password", "", errors, type="password", hint=_("At least 12 characters."), autocomplete="new-password", attrs={"autofocus": true}) }}
  {{ button(_("Save password"), "primary", type="submit", attrs={"class": "large fill"}) }}
</form>
{% endmacro %}

{% macro chosen(username) %}
<div id="choice">{{ signing_in.sign_in_form(username, "", {}) }}</div>
{% endmacro %}

{% macro saved() %}
{{ notice("success", _("Your password has been saved. Sign in with it."), attrs={"role": "status"}) }}
{% endmacro %}
""")  # noqa: E501
