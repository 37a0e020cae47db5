"""Console: the agent's page and its stream: sign-in, tabs, panes, and what goes on above them.

GET  /                 leads there, for who types no more than the host
GET  /console          sign in, choose a profile, or work
GET  /console/stream
POST /console/beat
"""

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from litestar import Request, Response, get, post
from litestar.exceptions import NotAuthorizedException, NotFoundException
from litestar.params import FromQuery
from markupsafe import Markup
from sse_starlette import EventSourceResponse

import layouts
from db.clock import now
from features import (
    access,
    alerts,
    conversations,
    desk,
    duty,
    files,
    live,
    messages,
    presence,
    private,
    profiles,
    requests,
    rounds,
    settings,
    signing_in,
    tabs,
)
from features.access import Person, agent_of, may, person_of_session, public
from features.conversations import ConversationRead
from features.messages import MessageChanged
from features.routing import ChatChanged, ConversationsChanged, ReadinessChanged, RequestsChanged
from layouts import Form, html, swap, template

RECHECK_S = 4  # a stream outlives the request that opened it: its session is looked at again


@dataclass
class Console:
    """Whoever holds a console's stream: the viewer of all redraws of page "console"."""

    person: Person
    seen: dict[int, int]  # chat → its last public message that the page has
    whispered: dict[int, int]  # … and its last private one
    queues: tuple[int, ...]
    asked: int = 0  # the chat of its open request
    profile: int = 0  # the last one it had
    presence: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    subscription: live.Subscription = field(default_factory=live.Subscription)

    @property
    def language(self) -> str:
        return self.person.language

    @property
    def cursor(self) -> str:
        return cursor_of({chat: (seq, self.whispered.get(chat, 0)) for chat, seq in self.seen.items()})

    def topics(self) -> Iterable[str]:
        own = [f"agent:{self.person.id}"]
        if "supervise" in self.person.permissions:
            own.append(alerts.TOPIC)
        return (
            *own,
            *(f"queue:{queue}" for queue in self.queues),
            *(topic for chat in self.seen for topic in topics_of(chat)),
        )

    def read(self) -> dict[str, int]:
        whispered = {private.topic(chat): seq for chat, seq in self.whispered.items()}
        return {f"chat:{chat}": seq for chat, seq in self.seen.items()} | whispered

    async def opened(self) -> None:
        await presence.opened(self.presence, agent_id=self.person.id)

    async def closed(self) -> None:
        await presence.closed(self.presence)


# ---- the page --------------------------------------------------------------------------------------------


@get("/", guards=[public])
async def door() -> Response[str]:
    return Response("", status_code=302, headers={"location": "/console"})


@get("/console", guards=[public])
async def page(request: Request[Any, Any, Any]) -> Response[str]:
    person = await person_of_session(request)
    if person is None:
        return html(signing_in.ui.sign_in_page(desk.facts.name))
    layouts.language.set(person.language)
    layouts.look.set(person.look)
    if "chat" not in person.permissions:
        return html(ui.no_chat_page(person, settings.offered_to(person)), status_code=403)
    standing = await duty.duty_of(person.id)
    if standing.profile is None or await duty.came_back_anew(person):
        return html(duty.ui.page(person, await profiles.choosable(person.id), standing.profile))
    open_ones = await tabs.conversations_of(person.id)
    threads, positions = await threads_of([chat.id for chat in open_ones], person)
    return html(
        ui.page(
            desk.facts.name,
            person,
            standing,
            await duty.lines_of(person.id),
            open_ones,
            threads,
            await requests.open_request(person.id),
            cursor_of(positions),
            now(),
            files.kit(),
        ),
        headers={"Cache-Control": "no-store"},
    )


Position = tuple[int, int]  # the last public and the last private message


async def threads_of(chats: list[int], person: Person) -> tuple[dict[int, Markup], dict[int, Position]]:
    """Whole threads, drawn, and how far they go."""
    drawn, positions = {}, {}
    for chat in chats:
        lines, notes = await messages.thread(chat), await private.thread(chat)
        drawn[chat] = private.woven(lines, notes, person.id, person.may_reveal)
        positions[chat] = (lines[-1].seq if lines else 0, private.last_of(notes))
    return drawn, positions


def cursor_of(positions: dict[int, Position]) -> str:
    return ";".join([f"{chat}:{public}.{own}" for chat, (public, own) in positions.items()])


def topics_of(chat: int) -> tuple[str, str]:
    return f"chat:{chat}", private.topic(chat)


# ---- the stream ------------------------------------------------------------------------------------------


@get("/console/stream", guards=[may("chat")])
async def follow(
    request: Request[Any, Any, Any], after: FromQuery[str] = "", agent: FromQuery[int] = 0
) -> EventSourceResponse:
    person = agent_of(request)
    if agent not in (0, person.id):  # somebody else has signed in in this browser: not on this page
        raise NotAuthorizedException
    standing = await duty.duty_of(person.id)
    served = tuple(each.queue for each in standing.profile.queues) if standing.profile else ()
    cursor = request.headers.get("last-event-id") or after
    mine = {chat.id for chat in await tabs.conversations_of(person.id)}
    known = {chat: pair for chat, pair in positions(cursor).items() if chat in mine}
    seen = {chat: public for chat, (public, _own) in known.items()}
    whispered = {chat: own for chat, (_public, own) in known.items()}
    return live.response("console", Console(person, seen, whispered, served))


def positions(cursor: str) -> dict[int, Position]:
    """The cursor as the page sends it back. What is not understood has not been seen."""
    found = re.findall(r"(?:^|;)(\d{1,18}):(\d{1,9})\.(\d{1,9})(?=;|$)", cursor)
    return {int(chat): (int(public), int(own)) for chat, public, own in found}


@post("/console/beat", guards=[may("chat")], status_code=204)
async def beat(data: Form[live.Beat]) -> None:
    if not await presence.answered(data.beat):
        raise NotFoundException


async def recheck() -> None:
    """All open consoles in one query: who has been signed out or deactivated is told so, and gets nothing
    more."""
    viewers = {sub: viewer for sub, viewer in live.streams.items() if isinstance(viewer, Console)}
    if not viewers:
        return
    good = await access.still_open({viewer.person.session for viewer in viewers.values()}, "chat")
    for subscription, viewer in viewers.items():
        if viewer.person.session not in good:
            subscription.put(live.Stopped("signed_out"))


# ---- live: the session, the tabs, and the panes behind them ----------------------------------------------


@live.on(live.Connected, page="console")
async def redraw_session(viewer: Console, event: live.Event) -> Markup | None:
    """Signed in again, perhaps in another window."""
    return signing_in.signed_in_again(viewer.person.username, viewer.person.id, viewer.person.csrf)


@live.on(ReadinessChanged, page="console")
async def follow_queues(viewer: Console, event: ReadinessChanged) -> None:
    """Another profile may have been chosen, in another window."""
    profile = (await duty.duty_of(viewer.person.id)).profile
    queues = tuple(each.queue for each in profile.queues) if profile else ()
    viewer.subscription.unfollow(*(f"queue:{queue}" for queue in viewer.queues if queue not in queues))
    viewer.subscription.follow(*(f"queue:{queue}" for queue in queues))
    viewer.queues = queues


@live.on(live.Connected, ConversationsChanged, RequestsChanged, page="console")
async def redraw_panes(viewer: Console, event: live.Event) -> Markup | None:
    """A thread that the page has already stays as it is; what it has missed follows by its cursor."""
    await follow_request(viewer)
    open_ones = await tabs.conversations_of(viewer.person.id)
    for one in open_ones:  # before their threads are read
        viewer.subscription.follow(*topics_of(one.id))
    known = [chat.id for chat in open_ones if chat.id in viewer.seen]
    new = [chat.id for chat in open_ones if chat.id not in viewer.seen]
    threads, positions = await threads_of(new, viewer.person)
    request = await requests.open_request(viewer.person.id)
    standing = await duty.duty_of(viewer.person.id)
    drawn = swap("#tabs", ui.tabs(open_ones, request))
    drawn += swap("#panels", ui.panels(open_ones, threads, request, standing, viewer.profile))
    follow_only(viewer, {chat.id for chat in open_ones}, positions)
    for chat in known:
        missed = await messages.thread(chat, viewer.seen[chat], again=True)
        drawn += conversations.grown(viewer, chat, missed) or ""
        drawn += private.grown(viewer, chat, await private.thread(chat, viewer.whispered.get(chat, 0))) or ""
    return drawn


def follow_only(viewer: Console, chats: set[int], new: dict[int, Position]) -> None:
    for chat in [chat for chat in viewer.seen if chat not in chats]:
        viewer.subscription.unfollow(*topics_of(chat))
        del viewer.seen[chat]
        viewer.whispered.pop(chat, None)
    for chat, (said, whispered) in new.items():
        viewer.seen[chat], viewer.whispered[chat] = said, whispered


async def follow_request(viewer: Console) -> None:
    """What is said in a chat that the agent is being asked for shows on its tab."""
    request = await requests.open_request(viewer.person.id)
    asked = request.chat if request else 0
    if viewer.asked not in (0, asked, *viewer.seen):
        viewer.subscription.unfollow(*topics_of(viewer.asked))
    if asked:
        viewer.subscription.follow(*topics_of(asked))
    viewer.asked = asked


@live.on(MessageChanged, ChatChanged, ConversationRead, page="console")
async def redraw_tabs(viewer: Console, event: live.Event) -> Markup | None:
    open_ones = await tabs.conversations_of(viewer.person.id)
    return swap("#tabs", ui.tabs(open_ones, await requests.open_request(viewer.person.id)))


routes = [door, page, follow, beat]
tasks = [rounds.every(RECHECK_S, recheck)]

ui = template("""
{% from "base.html" import document, plain %}
{% from "components.html" import button, icon, menu, notice, status %}
{% import "signing_in" as signing_in %}
{% import "conversations" as conversations %}
{% import "duty" as duty %}
{% import "messages" as messages %}
{% import "private" as private %}
{% import "requests" as requests %}

{% macro page(desk, person, standing, lines, chats, threads, request, cursor, now, kit) %}
{% call document(_("Console") ~ " · " ~ desk, "console", ["htmx.min.js", "hx-sse.min.js", "session.js", "thread.js", "files.js", "console.js", "tools.js", "details.js"], person.csrf) %}
<a class="skip" href="#panels">{{ _("Skip to the conversation") }}</a>
<header class="topbar" id="console" data-now="{{ now.isoformat() }}" data-agent="{{ person.id }}">
  <h1 class="wordmark">{{ icon("messages-square") }}Balie</h1>
  {{ duty.lines(lines) }}
  <div class="topbar-end">
    <div id="line-state" role="status"><span class="when-up visually-hidden">{{ _("Connected") }}</span><span class="when-down">{{ status("red", _("Not connected")) }}</span></div>
    <button type="button" class="button quiet attention" id="sound-hint" data-act="test-sound" hidden>{{ icon("volume-x") }}<span>{{ _("Sound is blocked: press here") }}</span></button>
    {% call menu("sound-menu", icon("volume-2") ~ _("Sound")) %}
    {{ sound("mute-messages", "message-square", _("For a message")) }}
    {{ sound("mute-requests", "bell", _("For a chat request")) }}
    <hr class="menu-line">
    <button type="button" class="menu-item" data-act="test-sound">{{ icon("play") }}{{ _("Test sound") }}</button>
    <button type="button" class="menu-item" data-act="notify">{{ icon("monitor") }}{{ _("Allow desktop notifications") }}</button>
    {% endcall %}
    {% call menu("person-menu", icon("user") ~ who(person)) %}
    {{ duty.my_profile(standing) }}
    <a class="menu-item" href="/session/profile">{{ icon("users") }}{{ _("Choose another profile") }}</a>
    <a class="menu-item" href="/settings/me">{{ icon("lock") }}{{ _("My account") }}</a>
    {% if settings_of(person) %}<a class="menu-item" href="/settings">{{ icon("settings") }}{{ _("Settings") }}</a>{% endif %}
    <a class="menu-item" href="/help/agent?lang={{ language() }}" target="_blank" rel="noopener">{{ icon("circle-help") }}{{ _("Help") }}</a>
    <a class="menu-item" href="/accessibility?lang={{ language() }}" target="_blank" rel="noopener">{{ icon("info") }}{{ _("Accessibility") }}</a>
    <hr class="menu-line">
    <button type="button" class="menu-item" hx-delete="/session" hx-swap="none">{{ icon("log-out") }}{{ _("Sign out") }}</button>
    {% endcall %}
    {{ duty.me(person, standing) }}
  </div>
</header>
{{ notice("error", _("No connection. We are trying again; your text is kept."), attrs={"id": "line-lost", "role": "alert", "hidden": true}) }}
<div id="alarms" role="alert"></div>
<nav>{{ tabs(chats, request) }}</nav>
{{ panels(chats, threads, request, standing) }}
<div id="notices" aria-live="assertive"></div>
<div class="visually-hidden" id="announce" aria-live="assertive" data-request="{{ _("New chat request") }}"></div>
<div class="visually-hidden" id="announce-unread" role="status"></div>
<div id="stream" hx-sse:connect="/console/stream?agent={{ person.id }}&amp;after={{ cursor }}" hx-trigger="load, every 2s" hx-swap="none"
     hx-config="sse.pauseOnBackground:false sse.reconnectMaxDelay:4s sse.connectTimeout:15s"></div>
{{ messages.pending("agent", person.name) }}
{{ private.pending(person.name) }}
{{ conversations.unsent() }}
{{ kit }}
<dialog class="dialog" id="ask" aria-labelledby="ask-title"><div id="ask-body"></div></dialog>
{{ signing_in.sign_in_again(person) }}
{% endcall %}
{% endmacro %}

{% macro who(person) %}<span translate="no">{{ person.name }}</span>{% endmacro %}

{% macro sound(act, sign, words) %}
<button type="button" class="menu-item" data-act="{{ act }}" aria-pressed="true">{{ icon(sign) }}{{ words }}<span class="push">{{ icon("check") }}</span></button>
{% endmacro %}

{% macro tabs(chats, request) %}
<div class="tabs" id="tabs"{% if chats or request %} role="tablist" aria-label="{{ _("Conversations") }}"{% endif %}>
  {% for chat in chats %}{{ conversations.tab(chat) }}{% endfor %}
  {% if request %}{{ requests.tab(request) }}{% endif %}
</div>
{% endmacro %}

{% macro panels(chats, threads, request, standing, last_profile=0) %}
<main class="panels" id="panels">
  {% for chat in chats %}{{ conversations.pane(chat, threads.get(chat.id, "")) }}{% endfor %}
  {% if request %}{{ requests.pane(request) }}{% endif %}
  {{ duty.nothing(standing, last_profile) }}
</main>
{% endmacro %}

{% macro no_chat_page(person, settings) %}
{% call plain(_("Not allowed"), ["htmx.min.js", "session.js", "thread.js", "console.js"], person.csrf) %}
<h1 class="title">{{ _("Hello %(name)s", name=person.name) }}</h1>
<p>{{ _("Your account does not take chats.") }}</p>
{% if settings %}{{ button(_("Settings"), "primary", "settings", attrs={"href": "/settings"}) }}{% endif %}
{{ button(_("Sign out"), attrs={"hx-delete": "/session", "hx-swap": "none"}) }}
{{ signing_in.sign_in_again(person) }}
{% endcall %}
{% endmacro %}
""")  # noqa: E501
