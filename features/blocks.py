"""Blocks: whoever behaves badly is kept out for some days, and is told how to reach the desk in another way.

    GET    /chats/{id}/block           the question; POST ends the chat and keeps its visitor out
    GET    /settings/blocks            who is kept out
    DELETE /settings/blocks/{block}    is let in again

It counts for the visitor's own token, and for whoever the same site vouches for as the same person; never for
an address. Why is for the desk alone.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from litestar import Request, Response, delete, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from msgspec import Struct

import db
from db.clock import now
from db.tables import Block, Chat, Visitor
from features import audit, desk, live, participations, routing, settings, widget
from features.access import Person, agent_of, may
from features.widget import WidgetFacts
from layouts import Form, _, html, swap, template

REASON_LENGTH = 300

settings.entry("figures", "/settings/blocks", lambda: _("Kept out"), "ban", "supervise")


class ShutOut(Exception):
    """Whoever asks is kept out."""


@dataclass(frozen=True)
class KeptOut:
    """What the visitor is shown: until when, and what else can be done."""

    until: datetime
    widget: WidgetFacts


@dataclass(frozen=True)
class Kept:
    """A block that is in force, as the page tells it."""

    id: int
    chat: int
    visitor: str
    verified: bool
    name: str  # of whoever did it
    reason: str
    blocked_at: datetime
    until_at: datetime


# ---- who is kept out -------------------------------------------------------------------------------------

SAME_PERSON = (
    "SELECT theirs.visitor FROM identity AS mine JOIN identity AS theirs"
    " ON theirs.widget = mine.widget AND theirs.sub = mine.sub WHERE mine.visitor = {}"
)
IN_FORCE = (
    "SELECT block.until_at FROM block JOIN chat ON chat.id = block.chat"  # noqa: S608
    " WHERE block.lifted_at IS NULL AND block.until_at > {}"
    f" AND (chat.visitor = {{}} OR chat.visitor IN ({SAME_PERSON}))"
    " ORDER BY block.until_at DESC LIMIT 1"
)


async def until(visitor: int | None) -> datetime | None:
    """Until when this visitor is kept out."""
    if visitor is None:
        return None
    rows = await db.sql(IN_FORCE, now(), visitor, visitor)
    return rows[0]["until_at"] if rows else None


async def keep_out(visitor: int | None) -> None:
    """Also within the transaction of what is asked for, once it holds routing's lock: then it is exact."""
    if await until(visitor):
        raise ShutOut


async def of(visitor: int | None) -> KeptOut | None:
    moment = await until(visitor)
    if moment is None:
        return None
    row = await Visitor.select(Visitor.widget.key.as_alias("key")).where(Visitor.id == visitor).first()
    found = await widget.widget_by_key(row["key"]) if row else None
    return KeptOut(moment, found) if found else None


# ---- the agent's part ------------------------------------------------------------------------------------


class Why(Struct):
    reason: str = ""


@get("/chats/{chat:int}/block", guards=[may("chat")])
async def question(request: Request[Any, Any, Any], chat: FromPath[int]) -> Response[str]:
    await participations.taking_part(agent_of(request), chat)
    return html(swap("#ask-body", ui.question(chat, await name_of(chat), Why(), days()), "innerHTML"))


@post("/chats/{chat:int}/block", guards=[may("chat")], status_code=200)
async def shut_out(request: Request[Any, Any, Any], chat: FromPath[int], data: Form[Why]) -> Response[str]:
    person = agent_of(request)
    await participations.taking_part(person, chat)
    if errors := problems_with(data):
        again = ui.question(chat, await name_of(chat), data, days(), errors)
        return html(swap("#ask-body", again, "innerHTML"), status_code=422)
    await block(person, chat, settings.one_line(data.reason))
    return html(headers={"HX-Trigger": json.dumps({"tool:done": {}})})


def problems_with(data: Why) -> dict[str, str]:
    reason = settings.one_line(data.reason)
    if not reason:
        return {"reason": _("Say what happened: a supervisor reads it.")}
    if len(reason) > REASON_LENGTH:
        return {"reason": settings.too_long(len(reason), REASON_LENGTH)}
    return {}


async def block(person: Person, chat: int, reason: str) -> None:
    """It ends for everybody, and so does whatever else the same person has open."""
    async with db.transaction():
        async with routing.acting(everything=True) as room:
            one, agent = room.chat(chat), room.agents.get(person.id)
            if one and person.id not in one.agents:
                raise NotFoundException
            visitors = await visitors_of(chat)
            for each in [each for each in room.chats.values() if each.visitor in visitors]:
                room.end(each, "behaviour", agent)
        standing = Block.exists().where(Block.chat == chat).where(Block.lifted_at.is_null())
        if not await standing.where(Block.until_at > now()):
            until_at = now() + timedelta(days=days())
            row = Block(chat=chat, agent=person.id, reason=reason, blocked_at=now(), until_at=until_at)
            await Block.insert(row)
            await audit.note(person.id, "blocked", f"chat:{chat}", {"reason": None})
        db.after_commit(partial(live.publish, f"chat:{chat}", routing.ChatChanged(chat)))


async def visitors_of(chat: int) -> set[int]:
    row = await Chat.select(Chat.visitor).where(Chat.id == chat).first()
    if row is None:
        raise NotFoundException
    return {row["visitor"], *(each["visitor"] for each in await db.sql(SAME_PERSON, row["visitor"]))}


async def name_of(chat: int) -> str:
    row = await Chat.select(Chat.visitor_name).where(Chat.id == chat).first()
    return str(row["visitor_name"]) if row else ""


def days() -> int:
    return desk.facts.block_days


# ---- the supervisor's ------------------------------------------------------------------------------------


@get("/settings/blocks", guards=[may("supervise")])
async def index(request: Request[Any, Any, Any]) -> Response[str]:
    return html(ui.page(agent_of(request), await in_force()))


@delete("/settings/blocks/{block:int}", guards=[may("supervise")], status_code=200)
async def lift(request: Request[Any, Any, Any], block: FromPath[int]) -> Response[str]:
    person = agent_of(request)
    lifted = Block.update({Block.lifted_at: now(), Block.lifted_by: person.id}).where(Block.id == block)
    async with db.transaction():
        rows = await lifted.where(Block.lifted_at.is_null()).returning(Block.chat)
        if not rows:
            raise NotFoundException
        await audit.note(person.id, "lifted", f"chat:{rows[0]['chat']}")
    return html(swap("#blocks", ui.listed(await in_force())), swap("#notices", ui.lifted(), "innerHTML"))


async def in_force() -> list[Kept]:
    """The latest first."""
    rows = await db.sql(
        "SELECT block.id, block.chat, chat.visitor_name AS visitor, identity.id AS known,"
        " agent.name, block.reason, block.blocked_at, block.until_at FROM block"
        " JOIN chat ON chat.id = block.chat JOIN agent ON agent.id = block.agent"
        " LEFT JOIN identity ON identity.visitor = chat.visitor"
        " WHERE block.lifted_at IS NULL AND block.until_at > {} ORDER BY block.id DESC",
        now(),
    )
    return [Kept(**{"verified": row.pop("known") is not None, **row}) for row in rows]


routes = [question, shut_out, index, lift]

ui = template("""
{% from "components.html" import button, empty, icon, notice, textarea_field %}
{% import "settings" as settings %}
{% import "widget" as widgets %}

{# In the head of a chat. #}
{% macro item(chat, over) %}
<button type="button" class="menu-item danger-item" hx-get="/chats/{{ chat }}/block" hx-swap="none">{{ icon("ban") }}{{ _("Keep out because of behaviour") if over else _("End because of behaviour") }}</button>
{% endmacro %}

{% macro question(chat, name, why, days, errors={}) %}
<div data-ask>
  <h2 class="title" id="ask-title">{{ _("End because of behaviour?") }}</h2>
  <form class="stack" method="dialog" hx-post="/chats/{{ chat }}/block" hx-swap="none" novalidate>
    <p>{{ ngettext("The conversation ends, and for %(num)s day %(name)s cannot start another one. A supervisor can let them in again.", "The conversation ends, and for %(num)s days %(name)s cannot start another one. A supervisor can let them in again.", days, name=name or _("the visitor")) }}</p>
    {{ textarea_field(_("What happened"), "reason", why.reason, errors, hint=_("For the desk alone: the visitor is told how to reach you in another way, not why."), id="block-reason", attrs={"autofocus": true, "maxlength": "400"}) }}
    <div class="actions end">
      {{ button(_("Cancel"), attrs={"data-close-dialog": true}) }}
      {{ button(_("End and keep out"), "danger", "ban", type="submit") }}
    </div>
  </form>
</div>
{% endmacro %}

{# The visitor's: the way on, without a word about why. #}
{% macro told(out) %}
{% call notice("info", _("Until %(day)s, %(time)s you cannot chat with us. You can reach us in another way, also if you do not agree.", day=out.until | short_day, time=out.until | clock_time)) %}
{% if out.widget.info_url %}{{ button(_("See the information page"), "primary", "info", attrs={"href": out.widget.info_url, "target": "_blank", "rel": "noopener"}) }}{% endif %}
{% endcall %}
{% if not out.widget.info_url %}{{ widgets.card(out.widget, []) }}{% endif %}
{% endmacro %}

{% macro panel(out) %}
<div id="panel"><div class="window-form stack" id="kept-out" tabindex="-1">{{ told(out) }}</div></div>
{% endmacro %}

{% macro page(person, blocks) %}
{% call settings.page(person, _("Kept out"), _("Whose conversation an agent has ended because of behaviour. Each is let in again by itself, or by you."), "/settings/blocks", wide=true) %}
{{ listed(blocks) }}
{% endcall %}
{% endmacro %}

{% macro listed(blocks) %}
<div id="blocks">
{% if blocks %}
<table class="cards-on-phone" aria-labelledby="page-title">
  <thead><tr><th scope="col">{{ _("Visitor") }}</th><th scope="col">{{ _("What happened") }}</th><th scope="col">{{ _("By") }}</th><th scope="col">{{ _("Since") }}</th><th scope="col">{{ _("Until") }}</th><th scope="col"><span class="visually-hidden">{{ _("Let in again") }}</span></th></tr></thead>
  <tbody>
    {% for each in blocks %}
    <tr>
      <th scope="row">{% if each.verified %}<span title="{{ _("Also with another device: verified") }}">{{ icon("lock") }}<span class="visually-hidden">{{ _("Also with another device: verified") }}</span></span> {% endif %}<span translate="no">{{ each.visitor or _("Visitor") }}</span></th>
      <td data-label="{{ _("What happened") }}" translate="no">{{ each.reason }}</td>
      <td data-label="{{ _("By") }}" translate="no">{{ each.name }}</td>
      <td data-label="{{ _("Since") }}">{{ each.blocked_at | short_day }}</td>
      <td data-label="{{ _("Until") }}">{{ each.until_at | short_day }}, {{ each.until_at | clock_time }}</td>
      <td>{{ button(_("Let in again"), "secondary", attrs={"hx-delete": "/settings/blocks/" ~ each.id, "hx-swap": "none", "aria-label": _("Let in again: %(name)s", name=each.visitor or _("Visitor"))}) }}</td>
    </tr>
    {% endfor %}
  </tbody>
</table>
{% else %}
{{ empty(_("Nobody is kept out"), _("When an agent ends a conversation because of behaviour, its visitor stands here until the time is over."), "ban") }}
{% endif %}
</div>
{% endmacro %}

{% macro lifted() %}{{ notice("success", _("Let in again."), attrs={"data-fades": true}) }}{% endmacro %}
""")  # noqa: E501
