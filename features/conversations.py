"""Conversations: an agent's chats, each a tab of the console with its thread, its text bar and its details.

POST   /chats/{id}/messages, /chats/{id}/typing, /chats/{id}/read
POST   /chats/{id}/ending    for everybody
POST   /chats/{id}/leaving   without ending it
DELETE /chats/{id}/tab       the x: puts an ended chat away, asks about another
"""

from typing import Annotated, Any

from litestar import Request, Response, delete, post
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter
from markupsafe import Markup
from msgspec import Meta, Struct

import db
from db.tables import Agent, Participation
from features import attachments, details, emergency, invites, live, messages, routing, tabs
from features.access import Person, agent_of, may
from features.chat import AgentTyped, VisitorTyped
from features.emergency import EmergencyChanged
from features.messages import Line, MessageChanged, MessagePosted
from features.participations import mark_read, taking_part
from features.routing import ChatChanged, ConversationsChanged, InvitesChanged
from layouts import Form, _, html, swap, template

ChatId = Annotated[int, PathParameter(ge=0, le=messages.MOST)]


class ConversationRead(live.Event, frozen=True):
    """The agent has seen what is new in a chat, in one of its windows."""

    chat: int


# ---- routes ----------------------------------------------------------------------------------------------


class Said(Struct):
    key: str = ""
    body: str = ""
    files: str = ""  # the numbers of those that were added


@post("/chats/{chat:int}/messages", guards=[may("chat")], status_code=200)
async def say(request: Request[Any, Any, Any], chat: ChatId, data: Form[Said]) -> Response[str]:
    person = agent_of(request)
    await taking_part(person, chat)
    try:
        seq = await attachments.send(
            chat, data.key, data.body, data.files, author="agent", name=person.name, agent=person.id
        )
    except messages.Refused as refused:
        status = 409 if isinstance(refused, messages.ChatIsOver) else 422
        return html(messages.refusal(data.key, str(refused), chat), status_code=status)
    new = await messages.fresh(chat, seq - 1)
    return html(swap(f"#thread-{chat}", drawn(person, new), "thread"))


@post("/chats/{chat:int}/typing", guards=[may("chat")], status_code=204)
async def typing(request: Request[Any, Any, Any], chat: ChatId) -> None:
    person = agent_of(request)
    await taking_part(person, chat)
    live.publish(f"chat:{chat}", AgentTyped(chat, person.id))


class Read(Struct):
    seq: Annotated[int, Meta(ge=0, le=messages.MOST)] = 0


@post("/chats/{chat:int}/read", guards=[may("chat")], status_code=204)
async def read(request: Request[Any, Any, Any], chat: ChatId, data: Form[Read]) -> None:
    person = agent_of(request)
    await taking_part(person, chat, or_did=True)
    await mark_read(person.id, chat, data.seq)
    live.publish(f"agent:{person.id}", ConversationRead(chat))


@post("/chats/{chat:int}/ending", guards=[may("chat")], status_code=200)
async def end(request: Request[Any, Any, Any], chat: ChatId) -> Response[str]:
    """Ended by the visitor a moment before: then only the tab goes."""
    person = agent_of(request)
    await taking_part(person, chat, or_did=True)
    await routing.end(person.id, chat)
    await put_away(person.id, chat)
    return html()


class Leaving(Struct):
    requeue: bool = False


@post("/chats/{chat:int}/leaving", guards=[may("chat")], status_code=200)
async def leave(request: Request[Any, Any, Any], chat: ChatId, data: Form[Leaving]) -> Response[str]:
    """A colleague stays or has been invited, or it goes back to the queue; else the question again."""
    person = agent_of(request)
    await taking_part(person, chat)
    if await routing.leave(person.id, chat, data.requeue):
        return html()
    found = await tabs.conversations_of(person.id, chat)
    if not found:
        raise NotFoundException
    return html(swap("#ask-body", ui.ask_ending(found[0]), "innerHTML"), status_code=409)


@delete("/chats/{chat:int}/tab", guards=[may("chat")], status_code=200)
async def close_tab(request: Request[Any, Any, Any], chat: ChatId) -> Response[str]:
    """Asks even in mere interruptions; what is over closes without a question, also when the page of whoever
    presses does not say so yet."""
    person = agent_of(request)
    found = await tabs.conversations_of(person.id, chat)
    if not found:
        raise NotFoundException
    if not found[0].over:
        return html(swap("#ask-body", ui.ask_ending(found[0]), "innerHTML"))
    await put_away(person.id, chat)
    return html()


async def put_away(agent: int, chat: int) -> None:
    async with db.transaction():
        await (
            Participation.update({Participation.tab_open: False})
            .where(Participation.agent == agent)
            .where(Participation.chat == chat)
        )
        db.after_commit(lambda: live.publish(f"agent:{agent}", ConversationsChanged(agent)))


# ---- live ------------------------------------------------------------------------------------------------


@live.on(ChatChanged, InvitesChanged, EmergencyChanged, page="console")
async def redraw_head(viewer: Any, event: ChatChanged | InvitesChanged | EmergencyChanged) -> Markup | None:
    found = await tabs.conversations_of(viewer.person.id, event.chat)
    if not found:
        return None
    regions = {"head": ui.head, "details": details.ui.panel, "closed": ui.closed}
    drawn = (swap(f"#{name}-{event.chat}", macro(found[0])) for name, macro in regions.items())
    strip = swap(f"#invite-{event.chat}", invites.ui.strip(event.chat, found[0].invite))
    pinned = swap(f"#emergency-{event.chat}", emergency.ui.pinned(event.chat, found[0].alarm, found[0].over))
    return Markup("").join(drawn) + strip + pinned


@live.on(MessagePosted, page="console")
async def redraw_thread(viewer: Any, event: MessagePosted) -> Markup | None:
    if event.chat not in viewer.seen:
        return None
    new = await messages.fresh(event.chat, viewer.seen[event.chat])
    return grown(viewer, event.chat, new)


def grown(viewer: Any, chat: int, new: list[Line]) -> Markup | None:
    if not new:
        return None
    viewer.seen[chat] = max(viewer.seen[chat], new[-1].seq)
    return swap(f"#thread-{chat}", drawn(viewer.person, new), "thread")


def drawn(person: Person, lines: list[Line]) -> Markup:
    return messages.drawn(lines, "agent", person.id, person.may_reveal)


@live.on(MessagePosted, page="console")
async def redraw_tab(viewer: Any, event: MessagePosted) -> Markup | None:
    """How many are unread, and since when the visitor waits."""
    if event.chat not in viewer.seen:
        return None
    tab = await tabs.tab_of(viewer.person.id, event.chat)
    return swap(f"#tab-{event.chat}", ui.tab(tab)) if tab else None


@live.on(MessageChanged, page="console")
async def redraw_message(viewer: Any, event: MessageChanged) -> Markup | None:
    seen = event.seq <= viewer.seen.get(event.chat, 0)
    line = await messages.line(event.chat, event.seq) if seen else None
    if line is None:
        return None
    return swap(f"#thread-{event.chat}", drawn(viewer.person, [line]), "thread")


@live.on(VisitorTyped, page="console")
async def redraw_typing(viewer: Any, event: VisitorTyped) -> Markup | None:
    found = await tabs.conversations_of(viewer.person.id, event.chat)
    if not found or found[0].over:
        return None
    return swap(f"#typing-{event.chat}", ui.typing(event.chat, found[0].visitor or _("Visitor")))


@live.on(AgentTyped, page="console")
async def redraw_colleague_typing(viewer: Any, event: AgentTyped) -> Markup | None:
    if event.agent == viewer.person.id or event.chat not in viewer.seen:
        return None
    row = await Agent.select(Agent.name).where(Agent.id == event.agent).first()
    return swap(f"#typing-{event.chat}", ui.typing(event.chat, row["name"])) if row else None


routes = [say, typing, read, end, leave, close_tab]

ui = template("""
{% from "components.html" import badge, button, icon, icon_button, icon_menu, notice, status %}
{% import "blocks" as blocks %}
{% import "details" as details %}
{% import "emergency" as emergency %}
{% import "files" as files %}
{% import "invites" as invites %}
{% import "marks" as marks %}
{% import "messages" as messages %}

{% macro tab(chat) %}
<button type="button" role="tab" class="tab{% if chat.unread %} unread{% endif %}" id="tab-{{ chat.id }}" aria-controls="pane-{{ chat.id }}"
        aria-selected="false" tabindex="-1" data-chat="{{ chat.id }}" data-unread="{{ chat.unread }}">
  <span class="tab-top"><span class="tab-name" id="tab-name-{{ chat.id }}" translate="no" title="{{ chat.visitor }}">{{ chat.visitor or _("Visitor") }}</span>
    {% if chat.unread %}{{ badge(chat.unread, ngettext("%(num)s unread message", "%(num)s unread messages", chat.unread)) }}{% endif %}</span>
  <span class="tab-state">
    {% if chat.over %}{{ icon("check") }}{{ _("Ended") }}
    {% elif not chat.visitor_here %}{{ icon("wifi-off") }}{{ _("Away") }} <span class="timer" translate="no" data-since="{{ chat.visitor_gone_at.isoformat() }}"></span>
    {% elif chat.unanswered_since %}{{ icon("clock") }}<span class="visually-hidden">{{ _("Waiting for an answer for") }}</span> <span class="timer" translate="no" data-since="{{ chat.unanswered_since.isoformat() }}" data-late="120" data-very-late="300"></span>
    {% else %}{{ chat.queue }}{% endif %}
  </span>
</button>
{% endmacro %}

{% macro pane(chat, thread) %}
<section class="panel chat" role="tabpanel" id="pane-{{ chat.id }}" aria-labelledby="tab-name-{{ chat.id }}">
  <div class="conversation">
    {{ head(chat) }}
    {{ emergency.pinned(chat.id, chat.alarm, chat.over) }}
    <div class="thread-frame">
      <div class="log" role="log" aria-label="{{ _("Conversation with %(name)s", name=chat.visitor or _("Visitor")) }}">
        <ol class="thread" id="thread-{{ chat.id }}" tabindex="0" data-read="{{ chat.read_seq }}" hx-morph-skip>
          {{ thread }}
        </ol>
      </div>
      {{ messages.newer() }}
    </div>
    {{ marks.marks(chat.id, chat.visitor_got_seq, chat.visitor_read_seq) }}
    {{ typing(chat.id) }}
    <div id="refused-{{ chat.id }}"></div>
    {{ invites.strip(chat.id, chat.invite) }}
    <div class="tool-panel" id="tool-{{ chat.id }}" hx-morph-skip></div>
    {{ textbar(chat) }}
    {{ closed(chat) }}
  </div>
  {{ details.panel(chat) }}
</section>
{% endmacro %}

{% macro head(chat) %}
<header class="chat-head" id="head-{{ chat.id }}" data-state="{{ chat.state }}">
  <h2 class="chat-name" translate="no" title="{{ chat.visitor }}">{{ chat.visitor or _("Visitor") }}</h2>
  <div class="chat-meta">
    {% if chat.over %}{{ status("red", _("Ended")) }}
    {% else %}
    <div><div class="when-up">{{ status("green", _("Connected")) if chat.visitor_here else status("grey", _("Visitor away")) }}</div>
      <div class="when-down">{{ status("red", _("Not connected")) }}</div></div>
    {% endif %}
    <span translate="no">{{ chat.queue }}</span>
    <span title="{{ chat.language | language_name }}"><span aria-hidden="true" translate="no">{{ chat.language | upper }}</span><span class="visually-hidden">{{ chat.language | language_name }}</span></span>
    <span class="timer" translate="no" data-since="{{ chat.joined_at.isoformat() }}"{% if chat.ended_at %} data-to="{{ chat.ended_at.isoformat() }}"{% endif %}></span>
  </div>
  {% call icon_menu("more-" ~ chat.id, "ellipsis", _("More"), attrs={"class": "push"}) %}
  {% if not chat.alarm and not chat.over %}{{ emergency.item(chat.id) }}{% endif %}
  {{ blocks.item(chat.id, chat.over) }}
  {% endcall %}
  {{ icon_button("x", _("Close conversation") if chat.over else _("Leave conversation") if chat.can_leave else _("End conversation"), attrs={"class": "close-chat", "hx-delete": "/chats/" ~ chat.id ~ "/tab", "hx-swap": "none"}) }}
</header>
{% endmacro %}

{# Two modes, two drafts: what is public and what is private is swapped, never carried across. #}
{% macro textbar(chat) %}
<form class="textbar" id="bar-{{ chat.id }}" method="dialog" action="/chats/{{ chat.id }}/messages" data-private-action="/chats/{{ chat.id }}/private-messages"
      data-thread="thread-{{ chat.id }}" data-chat="{{ chat.id }}" hx-morph-skip>
  <div class="tools">
    {{ tool(chat.id, "presets", "text-quote", _("Preset"), _("Choose a ready-made answer")) }}
    {{ tool(chat.id, "offers", "list", _("Offer"), _("Put a menu of options before the visitor"), never_private=true) }}
    {{ tool(chat.id, "invite", "user-plus", _("Invite"), _("Ask a colleague to join, or to take over")) }}
    <button type="button" class="button quiet" data-private aria-pressed="false" title="{{ _("Visible to staff only") }}">{{ icon("eye") }}<span>{{ _("Private") }}</span></button>
    {{ files.picker() }}
    <button type="button" class="button quiet" title="{{ _("Add attachment") }}" data-attach>{{ icon("paperclip") }}<span>{{ _("Attachment") }}</span></button>
  </div>
  {{ files.list("/chats/" ~ chat.id ~ "/files") }}
  {{ files.list("/chats/" ~ chat.id ~ "/private-files", "private") }}
  <output class="counter" data-counter hidden></output>
  <div class="textbar-row">
    <div class="textbar-box">
      <label class="textbar-label public-words" for="text-{{ chat.id }}">{{ _("Message to %(name)s", name=(chat.visitor or _("Visitor")) | named) }}</label>
      <div class="textbar-label private-words"><button type="button" class="icon-button" data-private aria-label="{{ _("Switch private mode off") }}" title="{{ _("Switch private mode off") }}">{{ icon("eye") }}</button><span>{{ _("Private: only colleagues read this") }}</span></div>
      <textarea id="text-{{ chat.id }}" name="body" rows="2" dir="auto" data-private-label="{{ _("Private: only colleagues read this") }}"></textarea>
    </div>
    {{ button(_("Send message"), "primary", type="submit") }}
  </div>
</form>
{% endmacro %}

{# One of the buttons above the text bar: opens its panel over it, or closes it. #}
{% macro tool(chat, name, sign, words, tip, never_private=false) %}
<button type="button" class="button quiet" title="{{ tip }}" data-tool="/chats/{{ chat }}/{{ name }}" data-chat="{{ chat }}"{% if never_private %} data-never-private{% endif %} aria-expanded="false" aria-controls="tool-{{ chat }}">{{ icon(sign) }}<span>{{ words }}</span></button>
{% endmacro %}

{# It is over: the text bar gives way to what is left to do. #}
{% macro closed(chat) %}
<div id="closed-{{ chat.id }}"{% if chat.over %} class="chat-closed"{% endif %}>
  {% if chat.over %}
  <p>{{ _("This conversation has ended.") }}</p>
  {{ button(_("Add a private note"), "quiet", "eye", attrs={"data-note": chat.id}) }}
  {{ button(_("Close tab"), "secondary", "x", attrs={"hx-delete": "/chats/" ~ chat.id ~ "/tab", "hx-swap": "none"}) }}
  {% endif %}
</div>
{% endmacro %}

{% macro typing(chat, name="") %}
<p class="typing" id="typing-{{ chat }}">{% if name %}{{ _("%(name)s is typing…", name=name | named) }}{% endif %}</p>
{% endmacro %}

{# For what was written to a chat that went to somebody else before it was sent. #}
{% macro unsent() %}
<template id="unsent">
  {% call notice("warning", _("This was not sent: the conversation is no longer yours."), attrs={"role": "alert", "data-unsent": true}) %}
  <blockquote class="unsent-text" dir="auto" tabindex="0"></blockquote>
  {{ button(_("Copy"), "secondary", "copy", attrs={"data-copy": true}) }}
  <button type="button" class="link" data-dismiss>{{ _("Dismiss") }}</button>
  {% endcall %}
</template>
{% endmacro %}

{% macro ask_ending(chat) %}
<div data-ask>
  {% if chat.can_leave %}
  <h2 class="title" id="ask-title">{{ _("Leave the conversation or end it?") }}</h2>
  <p>{% if chat.agents | length > 1 %}{{ _("If you leave, the conversation goes on without you. If you end it, it is over for everybody.") }}
    {% else %}{{ _("%(name)s has been invited. If you leave, the visitor waits for the answer; without one, the conversation goes back to the queue.", name=chat.invite.to) }}{% endif %}</p>
  <div class="actions end">
    {{ button(_("Cancel"), attrs={"data-close-dialog": true, "autofocus": true}) }}
    {{ ending(chat) }}
    {{ button(_("Leave conversation"), "primary", attrs={"hx-post": "/chats/" ~ chat.id ~ "/leaving", "hx-swap": "none", "data-close-dialog": true}) }}
  </div>
  {% else %}
  <h2 class="title" id="ask-title">{{ _("Are you sure you want to close this chat?") }}</h2>
  <p>{{ _("%(name)s is still there. The conversation ends for both of you.", name=(chat.visitor or _("Visitor")) | named) if chat.visitor_here else _("%(name)s is away for the moment and may come back.", name=(chat.visitor or _("Visitor")) | named) }}</p>
  <div class="actions end">
    {{ button(_("Cancel"), attrs={"data-close-dialog": true, "autofocus": true}) }}
    {{ button(_("Back to the queue"), "secondary", attrs={"hx-post": "/chats/" ~ chat.id ~ "/leaving", "hx-vals": '{"requeue": "true"}', "hx-swap": "none", "data-close-dialog": true}) }}
    {{ ending(chat) }}
  </div>
  {% endif %}
</div>
{% endmacro %}

{% macro ending(chat) %}
{{ button(_("End conversation"), "danger", attrs={"hx-post": "/chats/" ~ chat.id ~ "/ending", "hx-swap": "none", "data-close-dialog": true}) }}
{% endmacro %}
""")  # noqa: E501
