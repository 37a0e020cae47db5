"""Supervision: what goes on at the desk, for whoever leads it: all chats that wait or run, and one of them to
read along, with a private word to the agents in it. Every look into a chat is audited.

    GET  /settings/running                   the chats; …/list again, every few seconds
    GET  /settings/running/{chat}            read along; …/thread again, every few seconds
    POST /settings/running/{chat}/whisper    for the agents alone: a private message
"""

import secrets
from dataclasses import dataclass
from typing import Any

from litestar import Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from markupsafe import Markup
from msgspec import Struct

import db
from db.clock import now
from features import audit, emergency, messages, participations, private, settings
from features.access import Person, agent_of, may
from layouts import Form, _, html, swap, template

settings.entry("figures", "/settings/running", lambda: _("Running chats"), "messages-square", "supervise")


@dataclass(frozen=True)
class Running:
    """A chat that waits or runs."""

    id: int
    visitor: str
    queue: str
    waiting: bool
    since_s: float
    agents: list[str]
    alarm: bool  # somebody in it is in danger


@get("/settings/running", guards=[may("supervise")])
async def page(request: Request[Any, Any, Any]) -> Response[str]:
    return html(ui.page(agent_of(request), await running()))


@get("/settings/running/list", guards=[may("supervise")])
async def again(request: Request[Any, Any, Any]) -> Response[str]:
    return html(ui.chats(agent_of(request), await running()))


@get("/settings/running/{chat:int}", guards=[may("supervise")])
async def read(request: Request[Any, Any, Any], chat: FromPath[int]) -> Response[str]:
    person, found = agent_of(request), await one(chat)
    async with db.transaction():
        await audit.note(person.id, "looked", f"chat:{chat}")
    return html(ui.chat_page(person, found, await thread(person, chat), new_key()))


@get("/settings/running/{chat:int}/thread", guards=[may("supervise")])
async def read_on(request: Request[Any, Any, Any], chat: FromPath[int]) -> Response[str]:
    """When it has ended the page says so, and keeps what it has."""
    found = await find(chat)
    if found is None:
        return html(swap("#running-state", ui.over()))
    person = agent_of(request)
    return html(
        swap("#running-thread", ui.thread(await thread(person, chat))),
        swap("#running-state", ui.state(found)),
    )


class Whisper(Struct):
    key: str = ""
    body: str = ""


@post("/settings/running/{chat:int}/whisper", guards=[may("supervise")], status_code=200)
async def whisper(request: Request[Any, Any, Any], chat: FromPath[int], data: Form[Whisper]) -> Response[str]:
    await one(chat)
    person = agent_of(request)
    body = messages.cleaned(data.body)
    if problem := messages.problem_with(data.key, body):
        return html(ui.form(chat, data.key or new_key(), data.body, {"body": problem}), status_code=422)
    await private.write(chat, data.key, person, body)
    return html(ui.form(chat, new_key()), swap("#running-thread", ui.thread(await thread(person, chat))))


def new_key() -> str:
    return secrets.token_hex(16)


async def thread(person: Person, chat: int) -> Markup:
    lines, notes = await messages.thread(chat), await private.thread(chat)
    return private.woven(lines, notes, reveals=person.may_reveal)


async def one(chat: int) -> Running:
    if found := await find(chat):
        return found
    raise NotFoundException


async def find(chat: int) -> Running | None:
    return next((each for each in await running() if each.id == chat), None)


async def running() -> list[Running]:
    """Those that wait first, the longest before the others; where there is danger before all."""
    rows = await db.sql(
        "SELECT chat.id, visitor_name, queue.name AS queue, state, ticket_at FROM chat"
        " JOIN queue ON queue.id = chat.queue WHERE state IN ('waiting', 'active')"
        " ORDER BY state DESC, ticket_at, chat.id"
    )
    agents, moment = await participations.agents_in([row["id"] for row in rows]), now()
    alarms = {each.chat for each in await emergency.running()}
    found = [
        Running(
            row["id"],
            row["visitor_name"],
            row["queue"],
            row["state"] == "waiting",
            (moment - row["ticket_at"]).total_seconds(),
            agents.get(row["id"], []),
            row["id"] in alarms,
        )
        for row in rows
    ]
    return sorted(found, key=lambda each: not each.alarm)


routes = [page, again, read, read_on, whisper]

ui = template("""
{% from "components.html" import button, empty, status, textarea_field %}
{% import "settings" as settings %}

{% macro page(person, running) %}
{% call settings.page(person, _("Running chats"), _("All chats that wait or run at this moment. Whoever reads along is named in the audit."), "/settings/running", wide=true) %}
<div hx-get="/settings/running/list" hx-trigger="every 5s" hx-target="#running" hx-swap="outerMorph"></div>
{{ chats(person, running) }}
{% endcall %}
{% endmacro %}

{% macro chats(person, running) %}
<div id="running">
{% if running %}
<table class="cards-on-phone report-table" aria-labelledby="page-title">
  <thead><tr><th scope="col">{{ _("Visitor") }}</th><th scope="col">{{ _("Queue") }}</th><th scope="col">{{ _("State") }}</th><th scope="col">{{ _("Agents") }}</th><th scope="col" class="number">{{ _("Since") }}</th><th scope="col"><span class="visually-hidden">{{ _("Take over or move") }}</span></th></tr></thead>
  <tbody>{% for each in running %}
  <tr><th scope="row"><a href="/settings/running/{{ each.id }}" translate="no">{{ each.visitor or _("Visitor") }}</a></th>
    <td data-label="{{ _("Queue") }}" translate="no">{{ each.queue }}</td>
    <td data-label="{{ _("State") }}"><div class="states">{% if each.alarm %}{{ danger() }}{% endif %}{{ status("amber" if each.waiting else "green", _("Waits") if each.waiting else _("Running")) }}</div></td>
    <td data-label="{{ _("Agents") }}" translate="no">{{ each.agents | join(", ") or "–" }}</td>
    <td class="number" data-label="{{ _("Since") }}">{{ report_words.span(each.since_s) }}</td>
    <td>{{ steer(person, each, each.visitor or _("Visitor")) }}</td></tr>
  {% endfor %}</tbody>
</table>
{% else %}
{% call empty(_("No chats at this moment"), _("As soon as somebody waits or talks, the chat stands here."), "messages-square") %}{% endcall %}
{% endif %}
</div>
{% endmacro %}

{% macro chat_page(person, chat, thread_of, key) %}
{% call settings.page(person, chat.visitor or _("Visitor"), _("You read along: neither the visitor nor the agents see it. Whatever you write is for the agents alone."), "/settings/running", back=("/settings/running", _("Running chats"))) %}
<div hx-get="/settings/running/{{ chat.id }}/thread" hx-trigger="every 3s" hx-swap="none"></div>
<div class="running-head">{{ state(chat) }}{{ steer(person, chat) }}</div>
{{ thread(thread_of) }}
{{ form(chat.id, key) }}
{% endcall %}
{% endmacro %}

{% macro state(chat) %}
<div id="running-state" class="states">{% if chat.alarm %}{{ danger() }}{% endif %}{{ status("amber" if chat.waiting else "green", (_("Waits") if chat.waiting else _("Running")) ~ " · " ~ chat.queue ~ (" · " ~ chat.agents | join(", ") if chat.agents else "")) }}</div>
{% endmacro %}

{% macro danger() %}{{ status("red", _("Emergency")) }}{% endmacro %}

{# `name`: where several stand below each other. #}
{% macro steer(person, chat, name="") %}
<div class="actions steer">
  {% if "chat" in person.permissions %}{{ button(_("Take over"), "secondary", attrs={"hx-get": "/settings/running/" ~ chat.id ~ "/takeover", "hx-swap": "none", "aria-label": _("Take over: %(name)s", name=name) if name else none}) }}{% endif %}
  {{ button(_("Move"), "secondary", attrs={"hx-get": "/settings/running/" ~ chat.id ~ "/move", "hx-swap": "none", "aria-label": _("Move: %(name)s", name=name) if name else none}) }}
</div>
{% endmacro %}

{% macro over() %}
<div id="running-state" role="status">{{ status("grey", _("This conversation is over.")) }}</div>
{% endmacro %}

{% macro thread(drawn) %}
<div class="running-thread" id="running-thread" role="log" aria-label="{{ _("Conversation") }}" tabindex="0"><ol>{{ drawn }}</ol></div>
{% endmacro %}

{% macro form(chat, key, body="", errors={}) %}
<form class="stack" id="whisper" method="dialog" hx-post="/settings/running/{{ chat }}/whisper" hx-swap="outerHTML" novalidate>
  <input type="hidden" name="key" value="{{ key }}">
  {{ textarea_field(_("Whisper: only agents read this"), "body", body, errors) }}
  <div class="actions">{{ button(_("Whisper"), "primary", "eye", type="submit") }}</div>
</form>
{% endmacro %}
""")  # noqa: E501
