"""Chat: the visitor's window and its stream.

One cacheable shell, the same for everybody; its first act is to ask, with the visitor's token, what there is
to show. From then on one stream keeps it true.

    GET  /widget/{key}     the window, in a frame of the host page or on a page of its own
    GET  /chat             what this visitor's window shows now
    POST /chat/messages, /chat/typing, /chat/here, /chat/beat, /chat/ending
    GET  /chat/stream
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from litestar import MediaType, Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery
from markupsafe import Markup
from msgspec import Struct
from sse_starlette import EventSourceResponse

from db.clock import now
from db.tables import Agent
from features import (
    arrival,
    assets,
    attachments,
    desk,
    files,
    idle,
    live,
    messages,
    numbers,
    presence,
    routing,
    visit,
    widget,
)
from features.access import Caller, public, visitor, visitor_of
from features.messages import MessageChanged, MessagePosted
from features.routing import ChatChanged, LineMoved
from features.visit import Facts
from layouts import Form, best_language, html, language, speaking, swap, template

PLACE_TOLD_S = 30  # a waiting visitor is told its place anew no more often than this


class VisitorTyped(live.Event, frozen=True):
    chat: int


class AgentTyped(live.Event, frozen=True):
    chat: int
    agent: int


# ---- the page --------------------------------------------------------------------------------------------


@get("/widget/{key:str}", guards=[public])
async def window(
    request: Request[Any, Any, Any], key: FromPath[str], lang: FromQuery[str] = ""
) -> Response[bytes]:
    found = await widget.widget_by_key(key)
    if found is None:
        raise NotFoundException
    with speaking(best_language(lang, found.language)):
        page = ui.page(found, desk.facts.name, files.kit())
    policy = widget.window_policy(found)
    headers = {"Content-Security-Policy": policy, "Cache-Control": "public, max-age=300"}
    return assets.packed(request, page.encode(), MediaType.HTML, headers)


@get("/chat", guards=[visitor])
async def show(request: Request[Any, Any, Any]) -> Response[str]:
    caller = visitor_of(request)
    facts = await visit.facts_to_show(caller.id)
    return html(*await visit.screen(facts), *await arrival.panel(caller, facts))


# ---- the conversation ------------------------------------------------------------------------------------


class Said(Struct):
    key: str = ""
    body: str = ""
    files: str = ""  # the numbers of those that were added
    sure: str = ""  # kinds of numbers that the visitor was warned of, and sends anyway


@post("/chat/messages", guards=[visitor], status_code=200)
async def say(request: Request[Any, Any, Any], data: Form[Said]) -> Response[str]:
    caller = visitor_of(request)
    chat = await visit.started(caller)
    kinds = numbers.to_warn_of(messages.cleaned(data.body), data.sure)
    if kinds and not await messages.is_there(chat["id"], data.key):
        return html(messages.warning(data.key, kinds), status_code=422)
    try:
        seq = await attachments.send(
            chat["id"], data.key, data.body, data.files, author="visitor", name=chat["visitor_name"]
        )
    except messages.ChatIsOver as over:
        regions = await visit.regions(await visit.facts_of(caller.id))
        return html(*regions, messages.refusal(data.key, str(over)), status_code=409)
    except messages.Refused as refused:
        return html(messages.refusal(data.key, str(refused)), status_code=422)
    new = await messages.fresh(chat["id"], seq - 1)
    return html(swap("#thread", messages.drawn(new, "visitor"), "thread"))


@post("/chat/typing", guards=[visitor], status_code=204)
async def typing(request: Request[Any, Any, Any]) -> None:
    chat = await visit.started(visitor_of(request))
    live.publish(f"chat:{chat['id']}", VisitorTyped(chat["id"]))
    await idle.sign(chat["id"])


@post("/chat/here", guards=[visitor], status_code=200)
async def be_here(request: Request[Any, Any, Any]) -> Response[str]:
    """ "Yes, I am still here"; or too late, and then the page shows that it has ended."""
    caller = visitor_of(request)
    await idle.answer((await visit.started(caller))["id"])
    return html(*await visit.regions(await visit.facts_of(caller.id)))


@post("/chat/ending", guards=[visitor], status_code=200)
async def end(request: Request[Any, Any, Any]) -> Response[str]:
    caller = visitor_of(request)
    if caller.id is not None:
        await routing.leave_visitor(caller.id)
    facts = await visit.facts_of(caller.id)
    after = await messages.thread(facts.chat, facts.seq - 1)
    return html(*await visit.regions(facts), swap("#thread", messages.drawn(after, "visitor"), "thread"))


# ---- the stream ------------------------------------------------------------------------------------------


@dataclass
class Window:
    """Whoever holds a window's stream."""

    caller: Caller
    facts: Facts
    language: str
    seen: int  # the last message that the page has
    presence: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    subscription: live.Subscription = field(default_factory=live.Subscription)
    told_at: datetime | None = None  # when its place in the queue was last said

    @property
    def cursor(self) -> str:
        return str(self.seen)

    def topics(self) -> Iterable[str]:
        return f"chat:{self.facts.chat}", f"queue:{self.facts.queue}"

    def read(self) -> dict[str, int]:
        return {f"chat:{self.facts.chat}": self.seen}

    async def opened(self) -> None:
        await presence.opened(self.presence, chat_id=self.facts.chat)

    async def closed(self) -> None:
        await presence.closed(self.presence)


@get("/chat/stream", guards=[visitor])
async def follow(request: Request[Any, Any, Any], after: FromQuery[str] = "") -> EventSourceResponse:
    caller = visitor_of(request)
    facts = await visit.facts_of(caller.id)
    if facts.state == "none" or visit.past(facts):
        raise NotFoundException
    seen = messages.position(request.headers.get("last-event-id") or after)
    return live.response("chat", Window(caller, facts, language.get(), seen))


@post("/chat/beat", guards=[visitor], status_code=204)
async def beat(data: Form[live.Beat]) -> None:
    if not await presence.answered(data.beat):
        raise NotFoundException


@live.on(live.Connected, ChatChanged, page="chat")
async def redraw_window(viewer: Window, event: live.Event) -> Markup | None:
    before, viewer.facts = viewer.facts, await visit.facts_of(viewer.caller.id)
    if viewer.facts.queue != before.queue:
        viewer.subscription.unfollow(f"queue:{before.queue}")
        viewer.subscription.follow(f"queue:{viewer.facts.queue}")
    viewer.told_at = now()
    drawn = Markup("").join(await visit.regions(viewer.facts))
    if before.state == "forming" and viewer.facts.state == "waiting":  # started in another tab
        lines = await messages.thread(viewer.facts.chat)
        viewer.seen = lines[-1].seq if lines else 0
        drawn += visit.conversation(lines)
    if before.state == "forming":
        drawn += Markup("").join(await arrival.place(viewer.caller, viewer.facts))
    if viewer.facts.state in ("ended", "none"):
        drawn += swap("#stream", visit.ui.stream(viewer.facts, 0), "outerHTML")
    return drawn


@live.on(LineMoved, live.Ticked, page="chat")
async def redraw_place(viewer: Window, event: live.Event) -> Markup | None:
    """Announced when it has changed, but not at every step of the line."""
    lately = viewer.told_at is not None and now() - viewer.told_at < timedelta(seconds=PLACE_TOLD_S)
    if viewer.facts.state != "waiting" or lately:
        return None
    before, viewer.facts = viewer.facts, await visit.facts_of(viewer.caller.id)
    if (viewer.facts.place, viewer.facts.outlook) == (before.place, before.outlook):
        return None
    viewer.told_at = now()
    return swap("#status", visit.ui.status_line(viewer.facts)) + swap(
        "#waiting", visit.ui.waiting(viewer.facts)
    )


@live.on(live.Connected, MessagePosted, page="chat")
async def redraw_thread(viewer: Window, event: live.Event) -> Markup | None:
    chat, seen = viewer.facts.chat, viewer.seen
    again = isinstance(event, live.Connected)
    new = await (messages.thread(chat, seen, again=True) if again else messages.fresh(chat, seen))
    if not new:
        return None
    viewer.seen = max(viewer.seen, new[-1].seq)
    return swap("#thread", messages.drawn(new, "visitor"), "thread")


@live.on(MessageChanged, page="chat")
async def redraw_message(viewer: Window, event: MessageChanged) -> Markup | None:
    line = await messages.line(viewer.facts.chat, event.seq) if event.seq <= viewer.seen else None
    return swap("#thread", messages.drawn([line], "visitor"), "thread") if line else None


@live.on(MessagePosted, page="chat")
async def redraw_question(viewer: Window, event: MessagePosted) -> Markup | None:
    """Whoever writes is there."""
    if not viewer.facts.asked:
        return None
    viewer.facts = await visit.facts_of(viewer.caller.id)
    return swap("#idle", idle.ui.question(viewer.facts.asked))


@live.on(AgentTyped, page="chat")
async def redraw_typing(viewer: Window, event: AgentTyped) -> Markup | None:
    row = await Agent.select(Agent.name).where(Agent.id == event.agent).first()
    return swap("#typing", visit.ui.typing(row["name"])) if row else None


routes = [window, show, say, typing, be_here, end, follow, beat]

ui = template("""
{% from "base.html" import document %}
{% from "components.html" import button, dialog, icon_button, notice, status %}
{% import "arrival" as arrival %}
{% import "files" as files %}
{% import "messages" as messages %}
{% import "transcripts" as transcripts %}
{% import "visit" as visit %}
{% import "widget" as widgets %}

{% macro page(widget, desk, kit) %}
{% call document(desk, "window", ["htmx.min.js", "hx-sse.min.js", "hx-download.min.js", "thread.js", "files.js", "window.js"]) %}
{{ widgets.own_colours(widget) }}
<header class="window-head">
  <div class="window-title">
    <h1 translate="no">{{ desk }}</h1>
    <div id="status" role="status"><p class="soft">{{ _("Chat with a member of staff") }}</p></div>
    <div id="status-lost" role="status">{{ status("red", _("Not connected")) }}</div>
  </div>
  <div class="window-actions">
    {{ transcripts.in_head() }}
    {{ icon_button("minus", _("Minimise"), attrs={"id": "minimise", "data-act": "minimise", "hidden": true}) }}
    {{ icon_button("x", _("End conversation"), attrs={"id": "end", "data-act": "end"}) }}
  </div>
</header>
<main class="window-body" id="window" data-key="{{ widget.key }}" data-lang="{{ language() }}">
  <div id="state" data-state="" hidden></div>
  <div id="panel"></div>
  <div class="conversation">
    <div id="emergency" role="status"></div>
    {% if not widget.form %}<div class="privacy-line">{{ arrival.privacy(widget) }}</div>{% endif %}
    <div class="thread-frame" id="conversation"></div>
    {# Below the thread, which stays where it is when this goes. #}
    <div id="waiting"></div>
    {{ visit.typing() }}
    <div id="idle" role="alert"></div>
    <div id="refused"></div>
    {{ notice("error", _("No connection. We are trying again; your text is kept."), attrs={"id": "line-lost", "role": "alert", "hidden": true}) }}
    {{ transcripts.lost() }}
    <form class="textbar" id="textbar" method="dialog" action="/chat/messages" data-thread="thread">
      {{ files.list("/chat/files") }}
      <output class="counter" data-counter hidden></output>
      <div class="textbar-row">
        {{ files.picker() }}
        {{ icon_button("paperclip", _("Add attachment"), attrs={"data-attach": true}) }}
        <div class="textbar-box">
          <textarea name="body" rows="1" dir="auto" aria-label="{{ _("Your message") }}" placeholder="{{ _("Your message") }}"></textarea>
        </div>
        {{ button(_("Send"), "primary", type="submit") }}
      </div>
    </form>
    <section id="after"></section>
  </div>
</main>
<div id="notices" aria-live="assertive"></div>
<div class="visually-hidden" id="announce" role="status"></div>
<div id="stream"></div>
{{ messages.pending("visitor") }}
{{ kit }}
{% call dialog("end-dialog", _("Do you want to end the conversation?")) %}
<form method="dialog" class="actions end">
  {{ button(_("Cancel"), type="submit", attrs={"value": "no"}) }}
  {{ button(_("End conversation"), "danger", type="submit", attrs={"value": "yes"}) }}
</form>
{% endcall %}
{% endcall %}
{% endmacro %}
""")  # noqa: E501
