"""Emergency: somebody in a chat is in danger. The numbers to call stand at the top of it, supervisors are
told at once, and the chat neither ends by silence nor is ever purged by itself.

    GET    /chats/{id}/emergency    the question; POST raises it, DELETE takes it back

Whoever raises it decides whether the visitor sees the numbers too.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from litestar import Request, Response, delete, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from markupsafe import Markup
from msgspec import Struct

import db
import layouts
from db.clock import now
from db.prepared import prepared
from db.tables import Chat, LegalHold
from db.tables import Emergency as Row
from features import alerts, audit, desk, holds, live, participations, routing
from features.access import Person, agent_of, may
from layouts import Form, _, html, swap, template

NUMBER = re.compile(r"(\+?[0-9][0-9 /().-]*[0-9])\s*(.*)")


class EmergencyChanged(live.Event, frozen=True):
    """Raised, taken back, or its chat is over. Told on topics that no visitor follows."""

    chat: int


@dataclass(frozen=True)
class Alarm:
    """One that has not been taken back."""

    chat: int
    visitor: str
    name: str  # of whoever raised it
    shown: bool  # the numbers, to the visitor too
    raised_at: datetime


def numbers() -> list[tuple[str, str]]:
    """112 first, then the desk's own: what to call, and whose it is."""
    own = [found for line in desk.facts.emergency_numbers.splitlines() if (found := number_in(line))]
    return [("112", _("Emergency services")), *(each for each in own if each[0] != "112")]


def number_in(line: str) -> tuple[str, str] | None:
    found = NUMBER.fullmatch(" ".join(line.split()))
    return (found[1], found[2]) if found else None


# ---- facts -----------------------------------------------------------------------------------------------


async def alarms_in(chats: Sequence[int]) -> dict[int, Alarm]:
    return {row["chat"]: Alarm(**row) for row in await rows_in(list(chats))} if chats else {}


async def running() -> list[Alarm]:
    """In chats that are not over."""
    return [Alarm(**row) for row in await select(Row.chat.state.is_in(["waiting", "active"]))]


@prepared
def rows_in(chats: list[int]) -> Any:
    return select(Row.chat.is_in(chats))


def select(which: Any) -> Any:
    return (
        Row.select(
            Row.chat,
            Row.chat.visitor_name.as_alias("visitor"),
            Row.agent.name.as_alias("name"),
            Row.shown,
            Row.raised_at,
        )
        .where(Row.ended_at.is_null())
        .where(which)
        .order_by(Row.id)
    )


async def is_shown(chat: int) -> bool:
    """To the visitor."""
    return bool(await shown_in(chat))


@prepared
def shown_in(chat: int) -> Any:
    query = Row.select(Row.id).where(Row.chat == chat).where(Row.ended_at.is_null())
    return query.where(Row.shown.eq(True)).limit(1)


# ---- verbs -----------------------------------------------------------------------------------------------


async def raise_in(person: Person, chat: int, shown: bool) -> None:
    """Once. What silence had begun to end goes on; a legal hold keeps it."""
    async with db.transaction():
        await db.lock(routing.LOCK)
        await db.lock(holds.LOCK)
        running = Chat.exists().where(Chat.id == chat).where(Chat.state.is_in(["waiting", "active"]))
        if not await running:
            raise NotFoundException
        if await Row.exists().where(Row.chat == chat).where(Row.ended_at.is_null()):
            return
        hold = await holds.keep(person.id, chat, _("Emergency"))
        await Row.insert(Row(chat=chat, agent=person.id, shown=shown, hold=hold, raised_at=now()))
        await audit.note(person.id, "raised", f"chat:{chat}")
        asked = Chat.update({Chat.idle_asked_at: None}).where(Chat.id == chat)
        asked = asked.where(Chat.idle_asked_at.is_not_null())
        visible = bool(await asked.returning(Chat.id)) or shown
        db.after_commit(partial(tell, chat, visible))


async def take_back(person: Person, chat: int) -> None:
    """With the hold that came with it; silence counts from now."""
    over = Row.update({Row.ended_at: now(), Row.ended_by: person.id}).where(Row.chat == chat)
    async with db.transaction():
        await db.lock(routing.LOCK)
        await db.lock(holds.LOCK)
        rows = await over.where(Row.ended_at.is_null()).returning(Row.hold, Row.shown)
        if not rows:
            return
        if rows[0]["hold"]:
            await LegalHold.delete().where(LegalHold.id == rows[0]["hold"])
            await audit.note(person.id, "released", f"chat:{chat}")
        await audit.note(person.id, "took_back", f"chat:{chat}")
        silent = Chat.update({Chat.silent_since_at: now()}).where(Chat.id == chat)
        await silent.where(Chat.silent_since_at.is_not_null())
        db.after_commit(partial(tell, chat, rows[0]["shown"]))


def tell(chat: int, visible: bool) -> None:
    live.publish(alerts.TOPIC, EmergencyChanged(chat))
    live.publish(f"private:{chat}", EmergencyChanged(chat))
    if visible:
        live.publish(f"chat:{chat}", routing.ChatChanged(chat))


@routing.told("ended")
async def look_for_alarm(step: routing.StepFacts) -> None:
    if step.chat and await Row.exists().where(Row.chat == step.chat).where(Row.ended_at.is_null()):
        db.after_commit(partial(live.publish, alerts.TOPIC, EmergencyChanged(step.chat)))


# ---- routes ----------------------------------------------------------------------------------------------


class Wish(Struct):
    shown: str = ""


@get("/chats/{chat:int}/emergency", guards=[may("chat")])
async def question(request: Request[Any, Any, Any], chat: FromPath[int]) -> Response[str]:
    await participations.taking_part(agent_of(request), chat)
    row = await Chat.select(Chat.visitor_name).where(Chat.id == chat).first()
    return html(swap("#ask-body", ui.question(chat, row["visitor_name"] if row else ""), "innerHTML"))


@post("/chats/{chat:int}/emergency", guards=[may("chat")], status_code=200)
async def raise_it(request: Request[Any, Any, Any], chat: FromPath[int], data: Form[Wish]) -> Response[str]:
    person = agent_of(request)
    await participations.taking_part(person, chat)
    await raise_in(person, chat, bool(data.shown))
    return html(headers={"HX-Trigger": json.dumps({"tool:done": {}})})


@delete("/chats/{chat:int}/emergency", guards=[may("chat")], status_code=200)
async def end_it(request: Request[Any, Any, Any], chat: FromPath[int]) -> Response[str]:
    person = agent_of(request)
    await participations.taking_part(person, chat)
    await take_back(person, chat)
    return html()


@live.on(live.Connected, EmergencyChanged, routing.ConversationsChanged, page="console")
async def redraw_alarms(viewer: Any, event: live.Event) -> Markup | None:
    """For supervisors, wherever they are in their console, until it is over; in their own chats it stands
    there."""
    if "supervise" not in viewer.person.permissions:
        return None
    own = {chat for chat, _name in await participations.visitors_of(viewer.person.id)}
    return swap("#alarms", ui.alarms([each for each in await running() if each.chat not in own]))


layouts.env.globals["emergency_numbers"] = numbers
routes = [question, raise_it, end_it]

ui = template("""
{% from "components.html" import button, checkbox, icon, in_language %}

{# In the head of a chat. #}
{% macro item(chat) %}
<button type="button" class="menu-item danger-item" hx-get="/chats/{{ chat }}/emergency" hx-swap="none">{{ icon("siren") }}{{ _("Emergency") }}</button>
{% endmacro %}

{% macro question(chat, name) %}
<div data-ask>
  <h2 class="title" id="ask-title">{{ _("Is somebody in danger?") }}</h2>
  <form class="stack" method="dialog" hx-post="/chats/{{ chat }}/emergency" hx-swap="none">
    <p>{{ _("The emergency numbers stand at the top of the conversation with %(name)s, and your supervisors are alerted at once. The conversation does not end by silence, and is kept.", name=name or _("the visitor")) }}</p>
    {{ list() }}
    {{ checkbox(_("Show the numbers to the visitor too"), "shown", hint=_("Not if somebody who reads along there may be the danger.")) }}
    <div class="actions end">
      {{ button(_("Cancel"), attrs={"data-close-dialog": true, "autofocus": true}) }}
      {{ button(_("Raise an emergency"), "danger", "siren", type="submit") }}
    </div>
  </form>
</div>
{% endmacro %}

{% macro list() %}
<ul class="emergency-numbers">
  {% for number, whose in emergency_numbers() %}<li><a href="tel:{{ number | replace(" ", "") }}" translate="no">{{ number }}</a>{% if whose %} <span{% if not loop.first %}{{ in_language(desk_language()) }}{% endif %}>{{ whose }}</span>{% endif %}</li>{% endfor %}
</ul>
{% endmacro %}

{# At the top of the agent's chat. #}
{% macro pinned(chat, alarm, over=false) %}
<div id="emergency-{{ chat }}" role="status"{% if alarm %} class="emergency"{% endif %}>
  {% if alarm %}
  {{ icon("siren") }}
  <div class="emergency-body"><p><strong>{{ _("Emergency") }}</strong> <span class="emergency-who">{{ _("raised by %(name)s at %(time)s", name=alarm.name, time=alarm.raised_at | clock_time) }}{% if alarm.shown and not over %} · {{ _("the visitor sees the numbers") }}{% endif %}</span></p>{{ list() }}</div>
  {{ button(_("Take back"), "secondary", attrs={"hx-delete": "/chats/" ~ chat ~ "/emergency", "hx-swap": "none", "aria-label": _("Take back the emergency")}) }}
  {% endif %}
</div>
{% endmacro %}

{# … and of the visitor's, if the agent says so. #}
{% macro for_visitor(shown) %}
<div id="emergency" role="status"{% if shown %} class="emergency"{% endif %}>
  {% if shown %}{{ icon("siren") }}<div class="emergency-body"><p><strong>{{ _("Is somebody in danger? Call now:") }}</strong></p>{{ list() }}</div>{% endif %}
</div>
{% endmacro %}

{% macro alarms(alarms) %}
<div id="alarms" role="alert">
  {% for each in alarms %}
  <div class="emergency">{{ icon("siren") }}<p class="emergency-body"><span><strong>{{ _("Emergency") }}</strong>: <span translate="no">{{ each.visitor or _("Visitor") }}</span> · {{ _("raised by %(name)s at %(time)s", name=each.name, time=each.raised_at | clock_time) }}</span></p>
    {{ button(_("Read along"), "secondary", "eye", attrs={"href": "/settings/running/" ~ each.chat, "aria-label": _("Read along with %(name)s", name=each.visitor or _("Visitor"))}) }}</div>
  {% endfor %}
</div>
{% endmacro %}
""")  # noqa: E501
