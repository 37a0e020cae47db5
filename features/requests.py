"""Requests: the tab in which an agent is asked to take a chat.

    POST /reservations/{id}/acceptance
    POST /reservations/{id}/rejection

The console draws tab and pane with the macros at the foot; accepting opens the conversation there.
"""

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from litestar import Request, Response, post
from litestar.params import FromPath
from markupsafe import Markup, escape

from db.prepared import prepared
from db.tables import Message, Reservation
from features import identity, invites, live, masks, messages, private, routing
from features.access import agent_of, may
from features.messages import MessageChanged, MessagePosted
from features.participations import agents_in
from features.private import PrivatelyPosted
from layouts import html, swap, template


@dataclass(frozen=True)
class RequestFacts:
    """A waiting chat as the agent who is asked for it sees it."""

    id: int
    chat: int
    queue: str
    answer_s: int
    subject: dict[str, str]  # per language
    visitor: str
    language: str
    page: str
    waiting_since: datetime
    returned: bool
    expires_at: datetime
    begun: bool
    colleagues: bool  # are in it: one joins them, and does not take over
    question: Markup
    invite: invites.Invitation | None
    so_far: Markup
    verified: identity.Verified | None


async def open_request(agent: int) -> RequestFacts | None:
    """There is one at a time."""
    row = await open_reservation.first(agent)
    if row is None:
        return None
    row["subject"] = json.loads(row["subject"] or "{}")
    row["invite"] = await invites.invitation(row["invite"]) if row["invite"] else None
    so_far = await conversation_so_far(row["chat"]) if row["begun"] else Markup()
    verified = (await identity.of_chats([row["chat"]])).get(row["chat"])
    question = await first_question(row["chat"])
    colleagues = bool(await agents_in([row["chat"]])) if row["begun"] else False
    return RequestFacts(**row, colleagues=colleagues, question=question, so_far=so_far, verified=verified)


@prepared
def open_reservation(agent: int) -> Any:
    chat = Reservation.chat
    return (
        Reservation.select(
            Reservation.id,
            chat.id.as_alias("chat"),
            Reservation.queue.name.as_alias("queue"),
            Reservation.queue.answer_s.as_alias("answer_s"),
            chat.subject.label.as_alias("subject"),  # type: ignore[union-attr]
            chat.visitor_name.as_alias("visitor"),
            chat.language.as_alias("language"),
            chat.page_url.as_alias("page"),
            chat.ticket_at.as_alias("waiting_since"),
            chat.returned.as_alias("returned"),
            chat.begun.as_alias("begun"),
            Reservation.invite,
            Reservation.expires_at,
        )
        .where(Reservation.agent == agent)
        .where(Reservation.outcome == "")
        .limit(1)
    )


async def conversation_so_far(chat: int) -> Markup:
    """Public and private, before it is accepted. Under other ids than in the thread that follows: what is
    morphed into it would lose its place in the keyboard's order."""
    lines = [replace(line, key=f"so-far-{line.key}") for line in await messages.thread(chat)]
    notes = [replace(note, key=f"so-far-{note.key}") for note in await private.thread(chat)]
    return private.woven(lines, notes)


async def first_question(chat: int) -> Markup:
    """Without the numbers in it: they are for whoever accepts."""
    row = await (
        Message.select(Message.body, Message.author, Message.kind, Message.numbers)
        .where(Message.chat == chat)
        .where(Message.author == "visitor")
        .order_by(Message.seq)
        .first()
    )
    return masks.hiding(row["body"], masks.spans_in(row), escape) if row else Markup()


@post("/reservations/{reservation:int}/acceptance", guards=[may("chat")], status_code=200)
async def accept(request: Request[Any, Any, Any], reservation: FromPath[int]) -> Response[str]:
    """The stream brings the conversation to all of the agent's windows; this one selects it."""
    chat = await routing.accept(reservation, agent_of(request).id)
    if chat is None:
        return too_late()
    return html(headers={"HX-Trigger": json.dumps({"conversation:opened": {"chat": chat}})})


@post("/reservations/{reservation:int}/rejection", guards=[may("chat")], status_code=200)
async def reject(request: Request[Any, Any, Any], reservation: FromPath[int]) -> Response[str]:
    return html() if await routing.reject(reservation, agent_of(request).id) else too_late()


def too_late() -> Response[str]:
    return html(swap("#notices", ui.too_late(), "innerHTML"), status_code=409)


# ---- live ------------------------------------------------------------------------------------------------


@live.on(MessagePosted, MessageChanged, PrivatelyPosted, page="console")
async def redraw_said(viewer: Any, event: MessagePosted | MessageChanged | PrivatelyPosted) -> Markup | None:
    """What is said meanwhile, and is to be known before one answers."""
    if event.chat != viewer.asked:
        return None
    request = await open_request(viewer.person.id)
    if request is None or request.chat != event.chat:
        return None
    return swap(f"#so-far-{request.id}", ui.so_far(request))


routes = [accept, reject]

ui = template("""
{% from "components.html" import button, countdown, fact, icon, in_language, notice %}
{% import "details" as details %}
{% import "invites" as invites %}

{% macro tab(request) %}
<button type="button" role="tab" class="tab request" id="tab-request-{{ request.id }}" aria-controls="pane-request-{{ request.id }}"
        aria-selected="false" tabindex="-1" data-request="{{ request.id }}"
        data-said="{% if request.invite %}{{ _("Invitation") }}, {{ request.invite.inviter_name }}{% else %}{{ _("New chat request") }}, {{ request.queue }}{% endif %}">
  <span class="tab-top">{{ icon("bell-ring") }}<span class="tab-name" id="tab-name-request-{{ request.id }}">{% if request.invite %}{{ _("Invitation") }} · <span translate="no">{{ request.invite.inviter_name }}</span>{% else %}{{ _("Request") }} · <span translate="no">{{ request.queue }}</span>{% endif %}</span></span>
  <span class="tab-state"><span class="timer" translate="no" data-until="{{ request.expires_at.isoformat() }}"></span></span>
  {{ countdown(request.answer_s, request.answer_s, attrs={"data-until": request.expires_at.isoformat()}) }}
</button>
{% endmacro %}

{% macro pane(request) %}
<section class="panel request-pane" role="tabpanel" id="pane-request-{{ request.id }}" aria-labelledby="tab-name-request-{{ request.id }}">
  <div class="request-card">
    <div class="request-who">
      <p class="soft">{{ _("New chat request") }}</p>
      <h2 class="request-name" translate="no">{{ request.visitor or _("No name given") }}</h2>
      {% if request.verified and request.verified.name %}{{ details.vouched(request.verified) }}{% endif %}
    </div>
    {% if request.invite %}{{ invites.invited(request.invite, request.begun, request.colleagues) }}{% endif %}
    {% if request.returned %}{{ notice("info", _("This conversation had begun and lost its agent. It keeps its history.")) }}{% endif %}
    {{ so_far(request) }}
    <dl class="facts">
      {{ fact(_("Queue"), request.queue, name=true) }}
      {% if request.subject %}{% set said, lang = subject_of(request.subject) %}{{ fact(_("Subject"), said, lang=lang) }}{% endif %}
      {{ fact(_("Language"), request.language | language_name) }}
      <div><dt>{{ _("Waiting for") }}</dt><dd><span class="timer" translate="no" data-since="{{ request.waiting_since.isoformat() }}"></span></dd></div>
    </dl>
    <div class="time-left">
      {{ countdown(request.answer_s, request.answer_s, attrs={"data-until": request.expires_at.isoformat()}) }}
      <p class="small">{{ _("Time left to answer:") }} <span class="timer" translate="no" data-until="{{ request.expires_at.isoformat() }}"></span></p>
    </div>
    <div class="answers">
      {{ button(_("Accept"), "available", "check", attrs={"class": "large", "hx-post": "/reservations/" ~ request.id ~ "/acceptance", "hx-swap": "none"}) }}
      {{ button(_("Decline"), "secondary", "x", attrs={"class": "large", "hx-post": "/reservations/" ~ request.id ~ "/rejection", "hx-swap": "none"}) }}
    </div>
    {% if not request.invite %}
    <div class="actions end">{{ button(_("Transfer"), "quiet", "arrow-right", attrs={"hx-get": "/reservations/" ~ request.id ~ "/transfer", "hx-swap": "none"}) }}</div>
    {% endif %}
  </div>
</section>
{% endmacro %}

{% macro so_far(request) %}
<div id="so-far-{{ request.id }}" role="log" aria-label="{{ _("The conversation so far") }}"{% if request.so_far %} class="so-far" tabindex="0"{% endif %}>
  {% if request.so_far %}<ol id="said-{{ request.id }}">{{ request.so_far }}</ol>
  {% elif request.question %}<blockquote class="question" dir="auto"{{ in_language(request.language) }}>{{ request.question }}</blockquote>
  {% else %}<p class="soft">{{ _("No question yet: the visitor may type one while waiting.") }}</p>{% endif %}
</div>
{% endmacro %}

{% macro too_late() %}
{% call notice("info", _("This request is no longer available."), attrs={"role": "alert", "data-fades": true}) %}{% endcall %}
{% endmacro %}
""")  # noqa: E501
