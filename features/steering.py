"""Steering: a supervisor takes a chat over, or moves it to a queue or to a colleague.

    GET  /settings/running/{chat}/takeover    the question; POST takes it over
    GET  /settings/running/{chat}/move        to whom; POST moves it

What was decided looking at others in the chat is decided anew: of two who take it over at once, one does.
"""

import secrets
from dataclasses import dataclass
from functools import partial
from typing import Any

from litestar import Request, Response, get, post
from litestar.exceptions import PermissionDeniedException
from litestar.params import FromPath
from markupsafe import Markup
from msgspec import Struct

import db
from db.tables import Agent, Chat
from features import (
    audit,
    duty,
    invitations,
    invites,
    ledger,
    live,
    messages,
    presence,
    private,
    routing,
    settings,
)
from features import supervision as running
from features.access import Person, agent_of, may
from layouts import Form, html, swap, template


class ConversationTaken(live.Event, frozen=True):
    """From whoever hears of it, by a supervisor: taken over, or moved elsewhere."""

    chat: int
    by: int
    moved: bool


@dataclass(frozen=True)
class Outcome:
    """Of a verb: "" or a code, and who was in the chat before."""

    code: str
    before: tuple[int, ...] = ()


# ---- verbs -----------------------------------------------------------------------------------------------


async def take_over(person: Person, chat_id: int, seen: str) -> str:
    """ "", or why not, as a code. Whoever asks is there: their console opens next."""
    async with db.transaction():
        async with routing.acting(chat=chat_id) as desk:
            chat, agent = desk.chat(chat_id), desk.agents.get(person.id)
            if chat is None or chat.state == "forming":
                return "over"
            before = tuple(chat.agents)
            code = invitations.take_over(desk, chat, agent, seen) if agent else "off_duty"
            if not code and agent:
                agent.gone_at = None
                await presence.expected(agent_id=person.id)
        await written(Outcome(code, before), person, chat_id, "took_over")
    return code


async def move(
    person: Person, chat_id: int, seen: str, *, agent: int | None = None, queue: int | None = None, note: str
) -> str:
    """ "", or why not, as a code. The note stands in the thread, for colleagues."""
    async with db.transaction():
        async with routing.acting(chat=chat_id) as desk:
            chat = desk.chat(chat_id)
            if chat is None or chat.state == "forming":
                return "over"
            by = desk.agents.get(person.id) or await ledger.begin_agent(desk, person.id)
            before = tuple(chat.agents)
            code = invitations.move(desk, chat, by, seen, agent, queue, note)
        if not code and note:
            await private.write(chat_id, secrets.token_urlsafe(16), person, note)
        await written(Outcome(code, before), person, chat_id, "moved")
    return code


async def written(outcome: Outcome, person: Person, chat: int, what: str) -> None:
    """For the audit, and for those who were in it."""
    if outcome.code:
        return
    await audit.note(person.id, what, f"chat:{chat}")
    event = ConversationTaken(chat, person.id, what == "moved")
    for agent in outcome.before:
        if agent != person.id:
            db.after_commit(partial(live.publish, f"agent:{agent}", event))


@live.on(ConversationTaken, page="console")
async def redraw_notices(viewer: Any, event: ConversationTaken) -> Markup | None:
    chat = await Chat.select(Chat.visitor_name).where(Chat.id == event.chat).first()
    by = await Agent.select(Agent.name).where(Agent.id == event.by).first()
    if not chat or not by:
        return None
    return swap("#notices", ui.taken(chat["visitor_name"], by["name"], event.moved), "beforeend")


# ---- routes ----------------------------------------------------------------------------------------------


class Decision(Struct):
    seen: str = ""  # who was in it


class Wish(Struct):
    seen: str = ""
    to: str = ""  # agent-… or queue-…
    note: str = ""


@get("/settings/running/{chat:int}/takeover", guards=[may("supervise")])
async def ask_taking(request: Request[Any, Any, Any], chat: FromPath[int]) -> Response[str]:
    return await taking(agent_of(request), chat)


@post("/settings/running/{chat:int}/takeover", guards=[may("supervise")], status_code=200)
async def take(request: Request[Any, Any, Any], chat: FromPath[int], data: Form[Decision]) -> Response[str]:
    """On to the console, where it is the tab that is open."""
    person = agent_of(request)
    if "chat" not in person.permissions:
        raise PermissionDeniedException
    if code := await take_over(person, chat, data.seen):
        return await taking(person, chat, code)
    return settings.leave_for(f"/console#tab-{chat}")


async def taking(person: Person, chat: int, code: str = "") -> Response[str]:
    if "chat" not in person.permissions:
        raise PermissionDeniedException
    found = await running.find(chat)
    if found is None:
        return over()
    refused = bool(code)
    if (await duty.duty_of(person.id)).profile is None:
        code = "off_duty"
    drawn = ui.ask_taking(person, found, await seats(chat), code)
    return html(swap("#ask-body", drawn, "innerHTML"), status_code=409 if refused else 200)


@get("/settings/running/{chat:int}/move", guards=[may("supervise")])
async def ask_moving(request: Request[Any, Any, Any], chat: FromPath[int]) -> Response[str]:
    return await moving(agent_of(request), chat, Wish())


@post("/settings/running/{chat:int}/move", guards=[may("supervise")], status_code=200)
async def move_it(request: Request[Any, Any, Any], chat: FromPath[int], data: Form[Wish]) -> Response[str]:
    person = agent_of(request)
    data.note = messages.cleaned(data.note)
    target = invites.target_of(data.to)
    if problem := invites.problem_with(invites.Wish(to=data.to, note=data.note), target):
        return await moving(person, chat, data, problem)
    code = await move(person, chat, data.seen, **target, note=data.note)
    if code == "over":
        return over()
    if code:
        words = str(ui.problem(code)).strip() or await invites.words_for(code, target)
        return await moving(person, chat, data, words)
    return settings.leave_for("/settings/running")


async def moving(person: Person, chat: int, wish: Wish, problem: str = "") -> Response[str]:
    found = await running.find(chat)
    if found is None:
        return over()
    lines, people = await invites.lines(chat, person.id), await invites.colleagues(chat, person.id)
    drawn = ui.ask_moving(found, await seats(chat), lines, people, wish, problem)
    return html(swap("#ask-body", drawn, "innerHTML"), status_code=422 if problem else 200)


def over() -> Response[str]:
    return html(swap("#ask-body", ui.over(), "innerHTML"), status_code=409)


async def seats(chat: int) -> str:
    """As `invitations.those_in` says it."""
    rows = await db.sql("SELECT agent FROM participation WHERE chat = {} AND left_at IS NULL", chat)
    return "-".join(map(str, sorted(row["agent"] for row in rows)))


routes = [ask_taking, take, ask_moving, move_it]

ui = template("""
{% from "components.html" import button, icon, notice, textarea_field %}
{% import "invites" as invites %}
{% import "signout" as signout %}

{% macro ask_taking(person, chat, seen, code="") %}
<div data-ask>
  <h2 class="title" id="ask-title">{{ _("Take over the conversation with %(name)s?", name=chat.visitor or _("Visitor")) }}</h2>
  {% if code %}<div role="alert">{{ notice("error", problem(code)) }}</div>{% endif %}
  {% if code != "off_duty" %}
  {% set others = chat.agents | reject("equalto", person.name) | list %}
  <p>{% if others %}{{ _("The conversation goes from %(names)s to you; they are told so. The visitor reads “%(words)s”.", names=others | all_of, words=_("%(name)s takes over the conversation", name=person.name)) }}{% else %}{{ _("Nobody is in it: you are at once.") }}{% endif %}</p>
  {% endif %}
  <form method="dialog" class="actions end" hx-post="/settings/running/{{ chat.id }}/takeover" hx-swap="none">
    <input type="hidden" name="seen" value="{{ seen }}">
    {{ button(_("Cancel"), attrs={"data-close-dialog": true, "autofocus": true}) }}
    {% if code == "off_duty" %}{{ button(_("To the console"), "primary", "messages-square", attrs={"href": "/console"}) }}
    {% else %}{{ button(_("Take over"), "primary", type="submit") }}{% endif %}
  </form>
</div>
{% endmacro %}

{% macro ask_moving(chat, seen, lines, people, wish, problem="") %}
<div data-ask>
  <h2 class="title" id="ask-title">{{ _("Move the conversation with %(name)s", name=chat.visitor or _("Visitor")) }}</h2>
  <form class="stack" method="dialog" hx-post="/settings/running/{{ chat.id }}/move" hx-swap="none" novalidate>
    <input type="hidden" name="seen" value="{{ seen }}">
    <p>{{ _("It keeps its place in line and everything that was said. The visitor is told.") }}</p>
    <div class="field">
      <label for="move-to">{{ _("Where to") }}</label>
      <div class="select">
        <select class="input" id="move-to" name="to" autofocus{% if problem %} aria-invalid="true" aria-describedby="move-to-error"{% endif %}>
          <option value="">{{ _("Choose…") }}</option>
          {{ signout.group(_("Queues"), lines, wish.to) }}
          {{ signout.group(_("Colleagues"), people, wish.to) }}
        </select>
        {{ icon("chevron-down") }}
      </div>
      {% if problem %}<p class="field-error" id="move-to-error" role="alert">{{ icon("circle-alert") }}<span>{{ problem }}</span></p>{% endif %}
    </div>
    {{ textarea_field(_("Note for your colleague"), "note", wish.note, hint=_("Only colleagues read this."), required=false, id="move-note") }}
    <div class="actions end">
      {{ button(_("Cancel"), attrs={"data-close-dialog": true}) }}
      {{ button(_("Move"), "primary", "arrow-right", type="submit") }}
    </div>
  </form>
</div>
{% endmacro %}

{% macro over() %}
<div data-ask>
  <h2 class="title" id="ask-title">{{ _("This conversation is over.") }}</h2>
  <div class="actions end">{{ button(_("Close"), attrs={"data-close-dialog": true, "autofocus": true}) }}</div>
</div>
{% endmacro %}

{% macro problem(code) -%}
{% if code == "off_duty" %}{{ _("Choose a profile in your console first: the conversation opens there.") }}
{%- elif code == "changed" %}{{ _("Meanwhile somebody else has come or gone. Look again, and decide anew.") }}
{%- elif code == "yours" %}{{ _("You are the one who has it already.") }}
{%- elif code == "there" %}{{ _("It waits in that queue already.") }}
{%- endif %}
{%- endmacro %}

{# To whoever had it. #}
{% macro taken(visitor, by, moved) %}
{% call notice("info", (_("%(name)s has moved your conversation with %(visitor)s.", name=by, visitor=visitor or _("Visitor"))) if moved else _("%(name)s has taken over your conversation with %(visitor)s.", name=by, visitor=visitor or _("Visitor")), attrs={"role": "alert"}) %}
<button type="button" class="link" data-dismiss>{{ _("Dismiss") }}</button>
{% endcall %}
{% endmacro %}
""")  # noqa: E501
