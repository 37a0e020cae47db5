"""Visit: what one visitor's window shows, region by region, for its first paint, every answer and every live
update."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from litestar.exceptions import NotFoundException
from markupsafe import Markup

from db.clock import now
from db.prepared import prepared
from db.tables import Chat, Participation, Readiness
from features import blocks, copies, emergency, idle, messages, ratings, routing, widget
from features.access import Caller
from features.messages import Line
from layouts import swap, template

SHOWN_AFTER_END_S = 120  # a page that comes back later than this starts afresh: it may be somebody else's


@dataclass(frozen=True)
class Attending:
    """An agent in the chat, as a visitor may know it."""

    name: str
    here: bool


@dataclass(frozen=True)
class Facts:
    """All that a visitor's window shows besides the thread."""

    state: str  # none, forming, waiting, active, ended; blocked: kept out, and nothing else to show
    chat: int = 0
    queue: int = 0
    begun: bool = False
    agents: tuple[Attending, ...] = ()
    subject: int | None = None
    ended_at: datetime | None = None
    seq: int = 0
    read_seq: int = 0
    outlook: str = ""  # while waiting: asked, line, nobody
    place: int = 0  # while waiting: 1 is next
    green: bool = False  # when it has ended: another one could start
    asked: bool = False  # while active: whether the visitor is still there
    rated: bool = True  # when it has ended; or there is nothing to be rated
    copy: str = "off"  # by e-mail, when it has ended: off, offered, asked, sent, failed
    email: str = ""
    danger: bool = False  # while it runs: the emergency numbers are to be seen
    kept_out: blocks.KeptOut | None = None  # when it has ended


async def facts_of(visitor: int | None) -> Facts:
    """Of the visitor's unended chat, or of the one that ended last."""
    if visitor is None:
        return Facts("none")
    row = await last_chat.first(visitor)
    if row is None or (row["state"] == "ended" and row["started_at"] is None):
        return Facts("none")
    waiting, active, ended = (row["state"] == each for each in ("waiting", "active", "ended"))
    return Facts(
        row["state"],
        row["id"],
        row["queue"],
        row["begun"],
        tuple(await attending(row["id"])) if active else (),
        row["subject"],
        row["ended_at"],
        row["seq"],
        row["visitor_read_seq"],
        row["outlook"] if waiting else "",
        await routing.place(row["id"]) if waiting else 0,
        ended and any(each.green for each in await widget.subjects(row["widget"])),
        active and row["idle_asked_at"] is not None,
        not (ended and ratings.can_be_rated(row)) or await ratings.is_rated(row["id"]),
        await copies.state_of(row["id"]) if ended else "off",
        row["visitor_email"],
        (waiting or active) and await emergency.is_shown(row["id"]),
        await blocks.of(visitor) if ended else None,
    )


@prepared
def last_chat(visitor: int) -> Any:
    return Chat.select().where(Chat.visitor == visitor).order_by(Chat.id, ascending=False).limit(1)


async def facts_to_show(visitor: int | None) -> Facts:
    """For a page that has just come. A chat that ended a while ago is not shown: the page may be in front of
    somebody else by now."""
    facts = await facts_of(visitor)
    if facts.state != "none" and not past(facts):
        return facts
    out = facts.kept_out or await blocks.of(visitor)
    return Facts("blocked", kept_out=out) if out else Facts("none")


async def attending(chat: int) -> list[Attending]:
    rows = await seats(chat)
    if not rows:
        return []
    line = {row["agent"]: row["here"] for row in await readiness_of([row["id"] for row in rows])}
    return [Attending(row["name"], line.get(row["id"], False)) for row in rows]


@prepared
def seats(chat: int) -> Any:
    agent = Participation.agent
    query = Participation.select(agent.id.as_alias("id"), agent.name.as_alias("name"))
    return (
        query.where(Participation.chat == chat)
        .where(Participation.left_at.is_null())
        .order_by(Participation.id)
    )


@prepared
def readiness_of(agents: list[int]) -> Any:
    return Readiness.select(Readiness.agent, Readiness.here).where(Readiness.agent.is_in(agents))


async def started(caller: Caller) -> dict[str, Any]:
    """The visitor's newest chat, whether or not it has ended since."""
    row = await newest_chat.first(caller.id) if caller.id is not None else None
    if row is None:
        raise NotFoundException
    return row


@prepared
def newest_chat(visitor: int) -> Any:
    query = Chat.select(Chat.id, Chat.visitor_name).where(Chat.visitor == visitor)
    return query.where(Chat.state != "forming").order_by(Chat.id, ascending=False).limit(1)


def past(facts: Facts) -> bool:
    """It ended too long ago to be shown to whoever opens the page now."""
    return facts.ended_at is not None and now() - facts.ended_at > timedelta(seconds=SHOWN_AFTER_END_S)


async def screen(facts: Facts) -> list[Markup]:
    """The whole window, thread and stream included."""
    lines = await messages.thread(facts.chat) if facts.chat and facts.state != "forming" else []
    return [
        *await regions(facts),
        conversation(lines),
        swap("#stream", ui.stream(facts, lines[-1].seq if lines else 0), "outerHTML"),
    ]


def conversation(lines: list[Line]) -> Markup:
    """The thread as it arrives, already filled; afterwards it only grows."""
    return swap("#conversation", ui.conversation(lines), "outerHTML")


async def regions(facts: Facts) -> list[Markup]:
    """What changes with the state of the chat; the thread comes by its cursor."""
    last = (await messages.thread(facts.chat, facts.seq - 1))[-1:] if facts.state == "ended" else []
    return [
        swap("#state", ui.state(facts)),
        swap("#status", ui.status_line(facts)),
        swap("#emergency", emergency.ui.for_visitor(facts.danger)),
        swap("#waiting", ui.waiting(facts)),
        swap("#idle", idle.ui.question(facts.asked)),
        swap("#after", ui.after(facts, last[0] if last and last[0].kind == "ended" else None)),
    ]


ui = template("""
{% from "components.html" import button, icon, notice, public_links, status %}
{% import "blocks" as blocks %}
{% import "copies" as copies %}
{% import "messages" as messages %}
{% import "ratings" as ratings %}
{% import "transcripts" as transcripts %}

{# Read by the script and by the stylesheet: which regions are in sight follows from it. #}
{% macro state(facts) %}
<div id="state" data-state="{{ facts.state }}" data-chat="{{ facts.chat }}" data-read="{{ facts.read_seq }}"{% if facts.kept_out %} data-kept-out{% endif %} hidden></div>
{% endmacro %}

{% macro status_line(facts) %}
<div id="status" role="status">{{ dot(facts) }}</div>
{% endmacro %}

{% macro dot(facts) %}
{% set here = facts.agents | selectattr("here") | list %}
{% if facts.state in ("none", "forming") %}<p class="soft">{{ _("Chat with a member of staff") }}</p>
{% elif facts.state == "blocked" %}{{ status("blue", _("Chat is not available now")) }}
{% elif facts.state == "ended" %}{{ status("red", _("Not connected")) }}
{% elif here %}{{ status("green", _("Connected to %(name)s", name=here | map(attribute="name") | all_of | named)) }}
{% elif facts.begun %}{{ status("grey", _("One moment please, we are reconnecting you")) }}
{% elif facts.outlook == "nobody" %}{{ status("grey", _("All our staff are in conversation")) }}
{% elif facts.outlook == "line" and facts.place %}{{ status("grey", _("You are number %(n)s in the queue", n=facts.place)) }}
{% else %}{{ status("grey", _("Connecting you to a member of staff…")) }}{% endif %}
{% endmacro %}

{% macro conversation(lines) %}
<div class="thread-frame" id="conversation">
  <div class="log" role="log" aria-label="{{ _("Conversation") }}">
    <ol class="thread" id="thread" tabindex="0" hx-morph-skip-children>
      {{ messages.thread(lines, "visitor") }}
    </ol>
  </div>
  {{ messages.newer() }}
</div>
{% endmacro %}

{% macro waiting(facts) %}
<div id="waiting"{% if facts.state == "waiting" %} class="waiting"{% endif %}>
  {% if facts.state == "waiting" %}
  <p>{{ _("You can already type your question") }}</p>
  {{ button(_("Stop waiting"), attrs={"data-act": "stop-waiting"}) }}
  {% if facts.outlook == "nobody" %}{{ button(_("See the information page"), "quiet", attrs={"data-act": "info"}) }}{% endif %}
  {% endif %}
</div>
{% endmacro %}

{% macro after(facts, last=none) %}
<section id="after"{% if facts.state == "ended" %} class="ended" aria-labelledby="after-title"{% endif %}>
  {% if facts.state == "ended" %}
  <h2 class="lead" id="after-title" tabindex="-1">{% if last %}{{ messages.happened(last, "visitor") }}{% else %}{{ _("The conversation has ended") }}{% endif %}</h2>
  {% if facts.kept_out %}{{ blocks.told(facts.kept_out) }}{% endif %}
  <div class="actions column">
    {% if facts.kept_out %}
    {% elif facts.green %}{{ button(_("New conversation"), "primary", "message-square-text", attrs={"data-act": "again"}) }}
    {% else %}{{ button(_("See the information page"), "secondary", "info", attrs={"data-act": "info"}) }}{% endif %}
    {{ button(_("Close window"), attrs={"data-act": "close"}) }}
  </div>
  {% if not facts.rated %}{{ ratings.blank() }}{% endif %}
  {{ transcripts.at_the_end() }}
  {% if not facts.kept_out %}{{ copies.region(facts.copy, facts.email) }}{% endif %}
  {% if not facts.kept_out %}{{ button(_("Clear from this device"), "quiet", "trash-2", attrs={"data-act": "forget"}) }}{% endif %}
  {{ public_links("visitor") }}
  {% endif %}
</section>
{% endmacro %}

{% macro stream(facts, seq) %}
{% if facts.state in ("forming", "waiting", "active") %}
<div id="stream" hx-sse:connect="/chat/stream?after={{ seq }}" hx-trigger="load, every 2s" hx-swap="none"
     hx-config="sse.pauseOnBackground:false sse.reconnectMaxDelay:4s sse.connectTimeout:15s"></div>
{% else %}<div id="stream"></div>{% endif %}
{% endmacro %}

{% macro typing(name="") %}
<p class="typing" id="typing">{% if name %}{{ _("%(name)s is typing…", name=name | named) }}{% endif %}</p>
{% endmacro %}
""")  # noqa: E501
