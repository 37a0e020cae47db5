"""Admission: how somebody of the desk gets in, and out; and that somebody is left who can let people in.

POST   /settings/people/{id}/link            a link to choose a password with, shown once
GET    /settings/people/{id}/deactivation    the question
DELETE /settings/people/{id}/activity        deactivate: out at once; chats go back to their queue
PUT    /settings/people/{id}/activity        and back
DELETE /settings/people/{id}/sessions        signed out everywhere
DELETE /settings/people/{id}/second-factor   the telephone is gone
DELETE /settings/people/{id}/identity        no longer who the provider said; signed out
"""

import json
from dataclasses import dataclass
from functools import partial
from typing import Any

from litestar import Request, Response, delete, get, post, put
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

import db
from db.clock import now
from db.tables import Agent, AgentProfile, ProviderIdentity, Readiness, Session
from features import (
    audit,
    live,
    mail,
    participations,
    passwords,
    routing,
    second_factor,
    settings,
    ways_in,
)
from features.access import agent_of, may
from layouts import _, html, swap, template


class NobodyLeft(Exception):
    """After this nobody could manage people any more."""


@dataclass(frozen=True)
class Facts:
    """What the page of one person shows besides its form."""

    id: int
    name: str
    username: str
    active: bool
    invited: bool  # has no password yet
    sessions: int
    second_factor: bool
    mail: str  # where links go
    linked: bool  # has come in through the provider
    password: bool  # one counts for this account


# ---- what a change of somebody, or of a role, has to keep to ---------------------------------------------


async def keep_somebody() -> None:
    """Within the transaction of a change: or it is undone."""
    await ways_in.load()
    if not [each for each in await keepers() if ways_in.password_is_for(each)]:
        raise NobodyLeft


async def keepers() -> dict[int, str]:
    """By name: who can let people in whatever happens to the provider."""
    rows = await (
        Agent.select(Agent.id, Agent.name, Agent.role.permissions.as_alias("permissions"))
        .where(Agent.active.eq(True))
        .where(Agent.password_hash != "")
        .order_by(Agent.name)
    )
    return {row["id"]: row["name"] for row in rows if "manage_people" in json.loads(row["permissions"])}


def nobody_left() -> str:
    if ways_in.only():
        return _(
            "This is the one account whose password still works. First choose another one on the page Signing"
            " in."
        )
    return _(
        "Then nobody could manage people any more. First give somebody else, who has a password, a role that"
        " may."
    )


async def apply_to_duty(agents: list[int]) -> None:
    """What they may do, or with which profiles, has changed: at once, also for who is on duty. Within the
    transaction, after `routing.LOCK`."""
    for agent in agents:
        on = await Readiness.select(Readiness.profile).where(Readiness.agent == agent).first()
        if on is None or on["profile"] is None:
            continue
        theirs = await profiles_of(agent)
        if not theirs or not await may_chat(agent):
            await routing.logout(agent)
        elif on["profile"] not in theirs:
            await routing.switch(agent, theirs[0])
        db.after_commit(partial(tell_console, agent))


def tell_console(agent: int) -> None:
    live.publish(f"agent:{agent}", routing.ReadinessChanged(agent))


async def may_chat(agent: int) -> bool:
    columns = Agent.active, Agent.role.permissions.as_alias("permissions")
    row = await Agent.select(*columns).where(Agent.id == agent).first()
    return bool(row and row["active"] and "chat" in json.loads(row["permissions"]))


async def profiles_of(agent: int) -> list[int]:
    """By name."""
    rows = await (
        AgentProfile.select(AgentProfile.profile)
        .where(AgentProfile.agent == agent)
        .order_by(AgentProfile.profile.name)
    )
    return [row["profile"] for row in rows]


# ---- the ways in and out ---------------------------------------------------------------------------------


@post("/settings/people/{agent:int}/link", guards=[may("manage_people")], status_code=200)
async def link(request: Request[Any, Any, Any], agent: FromPath[int]) -> Response[str]:
    row = await row_of(agent)
    if not (row["active"] and ways_in.password_is_for(agent)):
        raise NotFoundException
    async with db.transaction():
        address = await invite(agent_of(request).id, agent)
    mailed = row["email"] if await passwords.send_link(agent) else ""
    return html(swap("#link", ui.link(address, mailed, row["name"]), "outerHTML"))


async def invite(by: int, agent: int) -> str:
    """Within a transaction."""
    await audit.note(by, "link_made", f"agent:{agent}")
    return await passwords.make_link(agent)


@get("/settings/people/{agent:int}/deactivation", guards=[may("manage_people")])
async def ask_deactivation(agent: FromPath[int]) -> Response[str]:
    row = await row_of(agent)
    running = len(await participations.visitors_of(agent))
    return html(swap("#ask-body", ui.ask_deactivating(row, running), "innerHTML"))


@delete("/settings/people/{agent:int}/activity", guards=[may("manage_people")], status_code=200)
async def deactivate(request: Request[Any, Any, Any], agent: FromPath[int]) -> Response[str]:
    row = await row_of(agent)
    if not row["active"]:
        return settings.leave_for(f"/settings/people/{agent}")
    try:
        async with db.transaction():
            await db.lock(routing.LOCK)
            await settings.change(agent_of(request), Agent, agent, row["version"], {"active": False})
            await keep_somebody()
            await end_sessions(agent)
            await passwords.forget_links(agent)
    except NobodyLeft:
        return html(swap("#ask-body", ui.refused(row, nobody_left()), "innerHTML"), status_code=409)
    return settings.leave_for(f"/settings/people/{agent}")


@put("/settings/people/{agent:int}/activity", guards=[may("manage_people")], status_code=200)
async def reactivate(request: Request[Any, Any, Any], agent: FromPath[int]) -> Response[str]:
    row = await row_of(agent)
    async with db.transaction():
        await settings.change(agent_of(request), Agent, agent, row["version"], {"active": True})
    return settings.leave_for(f"/settings/people/{agent}")


@delete("/settings/people/{agent:int}/sessions", guards=[may("manage_people")], status_code=200)
async def sign_out_everywhere(request: Request[Any, Any, Any], agent: FromPath[int]) -> Response[str]:
    row = await row_of(agent)
    async with db.transaction():
        await db.lock(routing.LOCK)
        await audit.note(agent_of(request).id, "signed_out", f"agent:{agent}")
        await end_sessions(agent)
    return html(
        swap("#access", ui.access_of(await facts_of(row))), settings.saved(_("Signed out everywhere."))
    )


@delete("/settings/people/{agent:int}/second-factor", guards=[may("manage_people")], status_code=200)
async def reset_second_factor(request: Request[Any, Any, Any], agent: FromPath[int]) -> Response[str]:
    row = await row_of(agent)
    async with db.transaction():
        await second_factor.take_away(agent, agent_of(request).id)
    words = _("The second step has been taken away.")
    return html(swap("#access", ui.access_of(await facts_of(row))), settings.saved(words))


@delete("/settings/people/{agent:int}/identity", guards=[may("manage_people")], status_code=200)
async def unlink(request: Request[Any, Any, Any], agent: FromPath[int]) -> Response[str]:
    row = await row_of(agent)
    async with db.transaction():
        await db.lock(routing.LOCK)
        await ProviderIdentity.delete().where(ProviderIdentity.agent == agent)
        await audit.note(agent_of(request).id, "unlinked", f"agent:{agent}")
        await end_sessions(agent)
    words = _("No longer linked, and signed out.")
    return html(swap("#access", ui.access_of(await facts_of(row))), settings.saved(words))


async def end_sessions(agent: int) -> None:
    """Within a transaction, after `routing.LOCK`: out everywhere, at once."""
    await routing.logout(agent)
    await Session.delete().where(Session.agent == agent)
    db.after_commit(lambda: live.publish(f"agent:{agent}", live.Stopped("signed_out")))


async def row_of(agent: int) -> dict[str, Any]:
    row = await Agent.select().where(Agent.id == agent).first()
    if row is None:
        raise NotFoundException
    return row


async def facts_of(row: dict[str, Any]) -> Facts:
    sessions = await Session.count().where(Session.agent == row["id"]).where(Session.expires_at > now())
    state = await second_factor.state_of(row["id"])
    return Facts(
        row["id"],
        row["name"],
        row["username"],
        row["active"],
        not row["password_hash"],
        sessions,
        state.on,
        row["email"] if mail.is_on() else "",
        await ways_in.is_linked(row["id"]),
        ways_in.password_is_for(row["id"]),
    )


routes = [link, ask_deactivation, deactivate, reactivate, sign_out_everywhere, reset_second_factor, unlink]

ui = template("""
{% from "components.html" import button, notice %}

{% macro access_of(facts) %}
<section class="stack settings-part" id="access" aria-labelledby="access-title">
  <h2 class="title" id="access-title">{{ _("Access") }}</h2>
  {% if provider() %}
  <p>{{ _("Has signed in with %(name)s.", name=provider()) if facts.linked else _("Has not signed in with %(name)s yet: that works with the same e-mail address there.", name=provider()) }}</p>
  {% if facts.linked %}<div class="actions">{{ button(_("Unlink"), "secondary", "x", attrs={"hx-delete": "/settings/people/" ~ facts.id ~ "/identity", "hx-swap": "none"}) }}</div>{% endif %}
  {% endif %}
  {% if facts.active and facts.password %}
  <p class="soft">{% if facts.invited and facts.linked %}{{ _("Has no password here. By a link, one can be chosen.") }}{% elif facts.invited %}{{ _("Invited, and has not chosen a password yet.") }}{% else %}{{ _("Password forgotten? By a link, a new one can be chosen.") }}{% endif %}
  {% if facts.mail %}{{ _("It is also sent to %(address)s.", address=facts.mail) }}{% endif %}</p>
  <div id="link"></div>
  <div class="actions">
    {{ button(_("Make a new link") if facts.invited and not facts.linked else _("Link for a new password"), "secondary", "external-link", attrs={"hx-post": "/settings/people/" ~ facts.id ~ "/link", "hx-swap": "none"}) }}
  </div>
  {% endif %}
  <p>{{ ngettext("Signed in in %(num)s browser.", "Signed in in %(num)s browsers.", facts.sessions) if facts.sessions else _("Not signed in anywhere.") }}</p>
  {% if facts.sessions %}<div class="actions">{{ button(_("Sign out everywhere"), "secondary", "log-out", attrs={"hx-delete": "/settings/people/" ~ facts.id ~ "/sessions", "hx-swap": "none"}) }}</div>{% endif %}
  {% if facts.password %}<p>{{ _("Second step when signing in: on.") if facts.second_factor else _("Second step when signing in: off.") }}</p>{% endif %}
  {% if facts.second_factor and facts.password %}
  <div class="actions">{{ button(_("Take the second step away"), "secondary", "lock", attrs={"hx-delete": "/settings/people/" ~ facts.id ~ "/second-factor", "hx-swap": "none"}) }}</div>
  <p class="hint">{{ _("When the telephone is gone. Be sure that it is really this person who asks for it.") }}</p>
  {% endif %}
</section>
{% endmacro %}

{# Shown once; none where people sign in with a provider only. #}
{% macro link(address, mailed, name) %}
<div id="link" class="stack" role="status">
  {% if address %}
  {{ notice("success", _("Give this link to %(name)s, and to nobody else. It works once, for a week, and is not shown again.", name=name)) }}
  <div class="field"><label for="link-address">{{ _("Link to choose a password with") }}</label>
    <div class="with-button"><input class="input" id="link-address" readonly value="{{ address }}" translate="no">{{ button(_("Copy"), "secondary", "copy", attrs={"data-copy": "link-address", "data-copied": _("Copied")}) }}</div></div>
  {% if mailed %}<p class="soft">{{ _("A link is also on its way to %(address)s.", address=mailed) }}</p>{% endif %}
  {% else %}
  {{ notice("success", _("%(name)s can now sign in with %(provider)s, by the same e-mail address there.", name=name, provider=provider())) }}
  {% endif %}
</div>
{% endmacro %}

{% macro ask_deactivating(row, running) %}
<div data-ask>
  <h2 class="title" id="ask-title">{{ _("Deactivate %(name)s?", name=row.name) }}</h2>
  <p>{{ ngettext("%(num)s running conversation goes back to the head of its queue.", "%(num)s running conversations go back to the head of their queue.", running) if running else _("There is no running conversation.") }} {{ _("Signing in is no longer possible.") }}</p>
  <div class="actions end">
    {{ button(_("Cancel"), attrs={"data-close-dialog": true, "autofocus": true}) }}
    {{ button(_("Deactivate"), "danger", attrs={"hx-delete": "/settings/people/" ~ row.id ~ "/activity", "hx-swap": "none"}) }}
  </div>
</div>
{% endmacro %}

{% macro refused(row, words) %}
<div data-ask>
  <h2 class="title" id="ask-title">{{ _("%(name)s cannot be deactivated", name=row.name) }}</h2>
  <p>{{ words }}</p>
  <div class="actions end">{{ button(_("Close"), attrs={"data-close-dialog": true, "autofocus": true}) }}</div>
</div>
{% endmacro %}
""")  # noqa: E501
