"""Invites: a colleague is asked to join a conversation, or to take it over.

    GET    /chats/{id}/invite             the panel: colleagues and queues; POST sends, DELETE withdraws
    GET    /reservations/{id}/transfer    the same for a chat that the agent is being asked for; POST sends

Who invites stays or leaves; a transfer is an invitation and leaving at once. The note is for
colleagues alone.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from litestar import Request, Response, delete, get, post
from litestar.params import FromPath
from msgspec import Struct

import db
import layouts
from db.clock import now
from db.prepared import prepared
from db.tables import Invite, Reservation
from features import hours, invitations, live, messages, private, queues, routing
from features.access import Person, agent_of, may
from features.participations import taking_part
from features.routing import InvitesChanged
from layouts import Form, _, html, swap, template

LENGTH = 1000  # characters of a note


@dataclass(frozen=True)
class Invitation:
    """An open one, or how the last one went."""

    id: int
    chat: int
    inviter: int
    inviter_name: str
    agent: str  # by name; else …
    queue: str
    note: str
    expires_at: datetime
    outcome: str  # "" = open
    reason: str
    put_away: bool

    @property
    def to(self) -> str:
        return self.agent or self.queue


@dataclass(frozen=True)
class Colleague:
    """Whoever could be invited, and how they stand."""

    id: int
    name: str
    state: str  # ready, full, asked, paused, away
    reason: str  # why paused

    @property
    def value(self) -> str:
        return f"agent-{self.id}"

    @property
    def can_come(self) -> bool:
        return self.state in ("ready", "full")


@dataclass(frozen=True)
class Line:
    """A queue, and how many of its agents are ready."""

    id: int
    name: str
    open: bool
    ready: int

    @property
    def value(self) -> str:
        return f"queue-{self.id}"

    @property
    def can_come(self) -> bool:
        return self.open and self.ready > 0


# ---- verbs -----------------------------------------------------------------------------------------------


async def invite(
    by: int, chat_id: int, *, agent: int | None = None, queue: int | None = None, note: str = ""
) -> str:
    """ "", or why not, as a code."""
    return await asked(invitations.invite, by, chat_id, agent, queue, note)


async def transfer(
    by: int, chat_id: int, *, agent: int | None = None, queue: int | None = None, note: str = ""
) -> str:
    """ "", or why not, as a code."""
    return await asked(invitations.transfer, by, chat_id, agent, queue, note)


async def asked(
    rule: Callable[..., str], by: int, chat_id: int, agent: int | None, queue: int | None, note: str
) -> str:
    async with routing.acting(chat=chat_id) as desk:
        chat, inviter = desk.chat(chat_id), desk.agents.get(by)
        return rule(desk, chat, inviter, agent, queue, note) if chat and inviter else "not_in"


async def pass_on(
    reservation_id: int, by: int, *, agent: int | None = None, queue: int | None = None, note: str = ""
) -> str:
    """What an agent is being asked for goes elsewhere, with its ticket. "", or why not, as a code."""
    async with routing.acting() as desk:
        request = desk.request(reservation_id, by)
        return invitations.pass_on(desk, request, agent, queue, note) if request else "too_late"


async def withdraw(by: int, chat_id: int) -> bool:
    """False: there is none that is open, or the agent is not in this chat."""
    async with routing.acting(chat=chat_id) as desk:
        chat, agent = desk.chat(chat_id), desk.agents.get(by)
        return bool(chat and agent and invitations.withdraw(desk, chat, agent))


# ---- facts -----------------------------------------------------------------------------------------------


async def invitations_in(chats: list[int], viewer: int) -> dict[int, Invitation]:
    """Per chat the open one, for all who are in it; or how the last one went, for whoever had invited."""
    if not chats:
        return {}
    latest = {one.chat: one for one in map(read, await rows_in(chats))}
    return {chat: one for chat, one in latest.items() if not one.outcome or is_news(one, viewer)}


def is_news(one: Invitation, viewer: int) -> bool:
    return one.outcome in ("refused", "expired") and one.inviter == viewer and not one.put_away


async def invitation(id: int) -> Invitation:
    (row,) = await select(Invite.id == id)
    return read(row)


@prepared
def rows_in(chats: list[int]) -> Any:
    return select(Invite.chat.is_in(chats))


def select(which: Any) -> Any:
    return (
        Invite.select(
            Invite.id,
            Invite.chat,
            Invite.inviter,
            Invite.inviter.name.as_alias("inviter_name"),
            Invite.agent.name.as_alias("agent"),
            Invite.queue.name.as_alias("queue"),
            Invite.note,
            Invite.expires_at,
            Invite.outcome,
            Invite.reason,
            Invite.put_away,
        )
        .where(which)
        .order_by(Invite.id)
    )


def read(row: dict[str, Any]) -> Invitation:
    return Invitation(**{**row, "agent": row["agent"] or "", "queue": row["queue"] or ""})


PEOPLE = (
    "SELECT agent.id, agent.name, ready, reason, here, places,"
    " (SELECT count(*) FROM participation WHERE participation.agent = agent.id AND left_at IS NULL)"
    " + (SELECT count(*) FROM chat WHERE promised_to = agent.id) AS taken,"
    " (SELECT count(*) FROM reservation WHERE reservation.agent = agent.id AND outcome = '') AS asked"
    " FROM readiness JOIN agent ON agent.id = readiness.agent JOIN profile ON profile.id = readiness.profile"
    " WHERE agent.id NOT IN (SELECT agent FROM participation WHERE chat = {} AND left_at IS NULL)"
    " AND agent.id <> {} ORDER BY agent.name, agent.id"
)
READY = (
    "SELECT profile_queue.queue, readiness.agent FROM profile_queue"
    " JOIN readiness ON readiness.profile = profile_queue.profile WHERE ready AND here"
)


async def colleagues(chat: int, by: int) -> list[Colleague]:
    """Those on duty who are not in the chat; whoever can come first."""
    rows = await db.sql(PEOPLE, chat, by)
    found = [Colleague(row["id"], row["name"], state_of(row), row["reason"]) for row in rows]
    return sorted(found, key=lambda one: (one.state != "ready", not one.can_come))


def state_of(row: dict[str, Any]) -> str:
    if not row["here"]:
        return "away"
    if not row["ready"]:
        return "paused"
    if row["asked"]:
        return "asked"
    return "ready" if row["taken"] < row["places"] else "full"


async def lines(chat: int, by: int) -> list[Line]:
    """All queues, with how many others of each are ready."""
    others = {one["id"] for one in await db.sql(PEOPLE, chat, by)}
    ready: dict[int, int] = {}
    for row in await db.sql(READY):
        ready[row["queue"]] = ready.get(row["queue"], 0) + (row["agent"] in others)
    open_ones = await hours.open_queues(now())
    return [Line(id, name, id in open_ones, ready.get(id, 0)) for id, name in (await queues.names()).items()]


# ---- routes ----------------------------------------------------------------------------------------------


class Wish(Struct):
    to: str = ""  # agent-… or queue-…
    note: str = ""
    how: str = "stay"


@get("/chats/{chat:int}/invite", guards=[may("chat")])
async def show(request: Request[Any, Any, Any], chat: FromPath[int]) -> Response[str]:
    person = agent_of(request)
    await taking_part(person, chat)
    return await panel(person, chat, Wish())


async def panel(person: Person, chat: int, wish: Wish, problem: str = "") -> Response[str]:
    current = (await invitations_in([chat], person.id)).get(chat)
    drawn = ui.panel(
        chat,
        current if current and not current.outcome else None,
        await lines(chat, person.id),
        await colleagues(chat, person.id),
        wish,
        problem,
    )
    return html(swap(f"#tool-{chat}", drawn, "innerHTML"), status_code=422 if problem else 200)


@post("/chats/{chat:int}/invite", guards=[may("chat")], status_code=200)
async def send(request: Request[Any, Any, Any], chat: FromPath[int], data: Form[Wish]) -> Response[str]:
    person = agent_of(request)
    await taking_part(person, chat)
    data.note = messages.cleaned(data.note)
    target = target_of(data.to)
    problem = problem_with(data, target)
    if not problem:
        verb = transfer if data.how == "leave" else invite
        async with db.transaction():
            code = await verb(person.id, chat, **target, note=data.note)
            if not code and data.note:
                await private.write(chat, secrets.token_urlsafe(16), person, data.note)
        problem = await words_for(code, target)
    if problem:
        return await panel(person, chat, data, problem)
    return html(headers={"HX-Trigger": json.dumps({"tool:done": {"chat": chat}})})


@delete("/chats/{chat:int}/invite", guards=[may("chat")], status_code=200)
async def take_back(request: Request[Any, Any, Any], chat: FromPath[int]) -> Response[str]:
    """Withdraws the open one; of one that is over, what it came to is put away."""
    person = agent_of(request)
    await taking_part(person, chat)
    if not await withdraw(person.id, chat):
        over = Invite.update({Invite.put_away: True}).where(Invite.chat == chat)
        async with db.transaction():
            await over.where(Invite.inviter == person.id).where(Invite.outcome != "")
            db.after_commit(lambda: live.publish(private.topic(chat), InvitesChanged(chat)))
    return html(headers={"HX-Trigger": json.dumps({"tool:done": {"chat": chat}})})


@get("/reservations/{reservation:int}/transfer", guards=[may("chat")])
async def show_elsewhere(request: Request[Any, Any, Any], reservation: FromPath[int]) -> Response[str]:
    return await elsewhere(agent_of(request), reservation, Wish())


async def elsewhere(person: Person, reservation: int, wish: Wish, problem: str = "") -> Response[str]:
    row = await (
        Reservation.select(Reservation.chat, Reservation.chat.queue.as_alias("queue"))
        .where(Reservation.id == reservation)
        .where(Reservation.agent == person.id)
        .where(Reservation.outcome == "")
        .first()
    )
    if row is None:
        return too_late()
    others = [line for line in await lines(row["chat"], person.id) if line.id != row["queue"]]
    drawn = ui.elsewhere(reservation, others, await colleagues(row["chat"], person.id), wish, problem)
    return html(swap("#ask-body", drawn, "innerHTML"), status_code=422 if problem else 200)


@post("/reservations/{reservation:int}/transfer", guards=[may("chat")], status_code=200)
async def send_elsewhere(
    request: Request[Any, Any, Any], reservation: FromPath[int], data: Form[Wish]
) -> Response[str]:
    person = agent_of(request)
    data.note = messages.cleaned(data.note)
    target = target_of(data.to)
    problem = problem_with(data, target)
    if not problem:
        code = await pass_on(reservation, person.id, **target, note=data.note)
        problem = await words_for(code, target)
    if problem:
        return await elsewhere(person, reservation, data, problem)
    return html(headers={"HX-Trigger": json.dumps({"tool:done": {}})})


def too_late() -> Response[str]:
    return html(swap("#notices", ui.too_late(), "innerHTML"), status_code=409)


def target_of(text: str) -> dict[str, int]:
    kind, _dash, number = text.partition("-")
    known = kind in ("agent", "queue") and number.isascii() and number.isdigit() and len(number) < 10
    return {kind: int(number)} if known else {}


def problem_with(wish: Wish, target: dict[str, int]) -> str:
    if not target:
        return _("Choose a colleague or a queue.")
    if len(wish.note) > LENGTH:
        return _("Your note is %(n)s characters long; at most %(limit)s fit.") % {
            "n": layouts.number(len(wish.note)),
            "limit": layouts.number(LENGTH),
        }
    return ""


async def words_for(code: str, target: dict[str, int]) -> str:
    """Why not, for a person."""
    if not code:
        return ""
    if "queue" in target:
        name = await queues.name_of(target["queue"])
    else:
        row = await db.sql("SELECT name FROM agent WHERE id = {}", target["agent"])
        name = row[0]["name"] if row else ""
    return str(ui.problem(code, name or "?")).strip()


routes = [show, send, take_back, show_elsewhere, send_elsewhere]

ui = template("""
{% from "components.html" import button, dot, icon, notice, textarea_field %}
{% import "duty" as duty %}

{% macro panel(chat, current, lines, people, wish, problem="") %}
<section class="tool-body" aria-labelledby="invite-title-{{ chat }}" data-invite>
  <header class="tool-head">
    <h3 id="invite-title-{{ chat }}">{{ _("Invite or transfer") }}</h3>
    <button type="button" class="icon-button" data-close-tool aria-label="{{ _("Close") }}" title="{{ _("Close") }}">{{ icon("x") }}</button>
  </header>
  {% if current %}
  <p>{{ _("%(name)s has been invited. One invitation at a time: withdraw it, or wait for the answer.", name=current.to) }}</p>
  <div class="actions">{{ withdraw(chat) }}</div>
  {% else %}
  <form class="invite-form" hx-post="/chats/{{ chat }}/invite" hx-swap="none">
    {{ choices("invite-" ~ chat, lines, people, wish, problem) }}
    {{ note("invite-note-" ~ chat, wish) }}
    {% if problem %}<div role="alert">{{ notice("error", problem) }}</div>{% endif %}
    <div class="actions end">
      {{ button(_("Transfer"), "secondary", "arrow-right", type="submit", attrs={"name": "how", "value": "leave", "title": _("They take over; you leave the conversation at once")}) }}
      {{ button(_("Invite"), "primary", "user-plus", type="submit", attrs={"name": "how", "value": "stay", "title": _("They join; you stay in the conversation")}) }}
    </div>
  </form>
  {% endif %}
</section>
{% endmacro %}

{# The same, for what an agent is only being asked for: in the dialog. #}
{% macro elsewhere(reservation, lines, people, wish, problem="") %}
<div data-ask data-invite>
  <h2 class="title" id="ask-title">{{ _("Transfer this request") }}</h2>
  <form class="invite-form" hx-post="/reservations/{{ reservation }}/transfer" hx-swap="none">
    {{ choices("elsewhere", lines, people, wish, problem) }}
    {{ note("elsewhere-note", wish) }}
    {% if problem %}<div role="alert">{{ notice("error", problem) }}</div>{% endif %}
    <div class="actions end">
      {{ button(_("Cancel"), attrs={"data-close-dialog": true}) }}
      {{ button(_("Transfer"), "primary", "arrow-right", type="submit") }}
    </div>
  </form>
</div>
{% endmacro %}

{# Narrowed as one types; the arrows go from the field to the choices. #}
{% macro choices(id, lines, people, wish, problem="") %}
<input class="input" type="search" data-narrow aria-label="{{ _("Search colleagues and queues") }}" placeholder="{{ _("Search colleagues and queues") }}" autocomplete="off" aria-controls="{{ id }}-lists"{% if problem %} autofocus{% endif %}>
<div class="invite-lists" id="{{ id }}-lists">
  <fieldset>
    <legend class="legend">{{ _("Queues") }}</legend>
    {% for line in lines %}{% call option(line, wish) %}{{ line_state(line) }}{% endcall %}
    {% else %}<p class="soft">{{ _("There is no other queue.") }}</p>{% endfor %}
  </fieldset>
  <fieldset>
    <legend class="legend">{{ _("Colleagues") }}</legend>
    {% for one in people %}{% call option(one, wish) %}{{ state(one) }}{% endcall %}
    {% else %}<p class="soft">{{ _("Nobody else is signed in.") }}</p>{% endfor %}
  </fieldset>
  <p class="soft" role="status"><span data-none hidden>{{ _("No colleague or queue matches.") }}</span></p>
</div>
{% endmacro %}

{% macro option(one, wish) %}
<label class="invitee{% if not one.can_come %} absent{% endif %}">
  <input type="radio" name="to" value="{{ one.value }}"{% if not one.can_come %} disabled{% elif one.value == wish.to %} checked{% endif %}>
  <span class="invitee-name" translate="no" title="{{ one.name }}">{{ one.name }}</span>
  <span class="invitee-state">{{ caller() }}</span>
</label>
{% endmacro %}

{% macro state(one) -%}
{% if one.state == "ready" %}{{ dot("green") }}{{ _("Available") }}
{%- elif one.state == "full" %}{{ dot("amber") }}{{ _("Available, but full") }}
{%- elif one.state == "asked" %}{{ dot("amber") }}{{ _("Is being asked for another chat") }}
{%- elif one.state == "paused" %}{{ dot("grey") }}{{ duty.reason(one.reason) }}
{%- else %}{{ dot("grey") }}{{ _("Away") }}{% endif %}
{%- endmacro %}

{% macro line_state(line) -%}
{% if not line.open %}{{ dot("grey") }}{{ _("closed") }}
{%- elif line.ready %}{{ dot("green") }}{{ ngettext("%(num)s available", "%(num)s available", line.ready) }}
{%- else %}{{ dot("grey") }}{{ _("nobody available") }}{% endif %}
{%- endmacro %}

{% macro note(id, wish) %}
{{ textarea_field(_("Note for your colleague"), "note", wish.note, hint=_("Only colleagues read this."), required=false, id=id) }}
{% endmacro %}

{% macro problem(code, name) -%}
{% if code == "absent" %}{{ _("%(name)s takes no chats at the moment. Choose somebody else.", name=name) }}
{%- elif code == "present" %}{{ _("%(name)s is in this conversation already.", name=name) }}
{%- elif code == "asked" %}{{ _("%(name)s is being asked for another chat. Try again in a moment.", name=name) }}
{%- elif code == "closed" %}{{ _("The queue %(name)s is closed. Choose another queue or a colleague.", name=name) }}
{%- elif code == "empty" %}{{ _("Nobody of the queue %(name)s is available. Choose another queue or a colleague.", name=name) }}
{%- elif code == "one_open" %}{{ _("There is an invitation already. Withdraw it, or wait for the answer.") }}
{%- else %}{{ _("This conversation is no longer yours.") }}{% endif %}
{%- endmacro %}

{# Between the thread and the text bar: who has been invited, or how it went. #}
{% macro strip(chat, one) %}
<div id="invite-{{ chat }}" role="status"{% if one %} class="invite-strip{% if one.outcome %} over{% endif %}"{% endif %}>
  {% if one and not one.outcome %}
  {{ icon("user-plus") }}<p>{{ _("%(name)s has been invited", name=one.to) }} · <span class="timer" translate="no" data-until="{{ one.expires_at.isoformat() }}"></span></p>
  {{ withdraw(chat) }}
  {% elif one %}
  {{ icon("info") }}<p>{{ outcome(one) }}</p>
  <button type="button" class="icon-button" hx-delete="/chats/{{ chat }}/invite" hx-swap="none" aria-label="{{ _("Close") }}" title="{{ _("Close") }}">{{ icon("x") }}</button>
  {% endif %}
</div>
{% endmacro %}

{% macro withdraw(chat) %}
{{ button(_("Withdraw"), "secondary", attrs={"hx-delete": "/chats/" ~ chat ~ "/invite", "hx-swap": "none"}) }}
{% endmacro %}

{% macro outcome(one) -%}
{% if one.reason == "rejected" %}{{ _("%(name)s has declined your invitation.", name=one.to) }}
{%- elif one.reason == "no_answer" %}{{ _("%(name)s has not answered your invitation.", name=one.to) }}
{%- elif one.reason == "nobody_free" %}{{ _("Nobody of %(queue)s was free in time. Your invitation has expired.", queue=one.to) }}
{%- elif one.reason == "nobody_left" %}{{ _("Nobody of %(queue)s can come any more. Your invitation has ended.", queue=one.to) }}
{%- else %}{{ _("%(name)s is no longer available. Your invitation has ended.", name=one.to) }}{% endif %}
{%- endmacro %}

{# On the tab of whoever is invited. #}
{% macro invited(one, begun, colleagues) %}
<div class="invited">
  {% if begun and not colleagues %}{{ notice("info", _("%(name)s transfers this conversation to you.", name=one.inviter_name)) }}
  {% elif begun %}{{ notice("info", _("%(name)s invites you to this conversation.", name=one.inviter_name)) }}
  {% else %}{{ notice("info", _("%(name)s transfers this request to you.", name=one.inviter_name)) }}{% endif %}
  {% if one.note %}<p class="invited-note" dir="auto">{{ icon("eye") }}<span class="visually-hidden">{{ _("Private") }}: </span><span>{{ one.note }}</span></p>{% endif %}
</div>
{% endmacro %}

{% macro too_late() %}
{% call notice("info", _("This request is no longer available."), attrs={"role": "alert", "data-fades": true}) %}{% endcall %}
{% endmacro %}
""")  # noqa: E501
