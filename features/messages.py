"""Messages: the public thread of a chat, and the one function that writes it.

Visitors read it in their window, agents in the console; both through the same macro. What happened to the
chat ("An joined", "ended by …") stands in the thread as a message of its own kind, so that one sequence tells
the whole story.
"""

import asyncio
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Any

from markupsafe import Markup, escape

import db
import layouts
from db.appending import Appended, Entry
from db.clock import now
from db.prepared import prepared
from db.tables import Chat, Message
from features import live, masks, numbers, queues, routing
from features.links import linked
from layouts import _, swap, template

LENGTH = 4000  # characters
GROUP_MINUTES = 5  # one author's messages within this share their name and time
KEY = re.compile(r"(?!step-)[A-Za-z0-9_-]{8,64}")  # "step-…" are the desk's own
UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
MOST = 2**31 - 1  # that a number of a chat or of a message can be
JUST_S = 1
WITHDRAWN_WITHIN_S = 120  # A14
WITHDRAWABLE = ("text", "files", "offer")


class MessagePosted(live.Event, frozen=True):
    """A chat's public thread has grown."""

    chat: int


class MessageChanged(live.Event, frozen=True):
    """A message that is already there looks different now: a choice has been made, it was withdrawn."""

    chat: int
    seq: int


class Refused(Exception):
    """The message was not taken; the words say why."""


class ChatIsOver(Refused):
    """It ended before the message arrived."""


@dataclass(frozen=True)
class Line:
    """One message, ready for `message`."""

    chat: int
    key: str
    seq: int
    kind: str
    author: str
    agent: int | None
    name: str
    body: Markup  # with its numbers hidden
    at: datetime
    data: dict[str, Any]
    withdrawn_at: datetime | None
    grouped: bool  # goes on where the one before left off: same author, a moment later
    new_day: bool
    language: str = ""  # of the chat: what people write in it is taken to be in that one
    own: Markup | None = None  # with its numbers, for its author; None: there are none
    kinds: tuple[str, ...] = ()  # of them

    def withdrawable_by(self, agent: int) -> bool:
        """Its author's own, and not too late. What was chosen from stays: the choice is about it."""
        own = self.author == "agent" and self.agent == agent and self.kind in WITHDRAWABLE
        return (
            own and not self.withdrawn_at and now() < self.withdrawable_until and not self.data.get("chosen")
        )

    @property
    def stamp(self) -> str:
        return self.at.isoformat()

    @property
    def gone_at(self) -> str:
        return self.withdrawable_until.isoformat()

    @property
    def withdrawable_until(self) -> datetime:
        return self.at + timedelta(seconds=WITHDRAWN_WITHIN_S)


# ---- other features' messages ----------------------------------------------------------------------------


def drawn_for(line: Line, side: str, reveals: bool) -> Line:
    """With the body that this side may see. `reveals`: it may ask for the hidden numbers there."""
    if line.own is None:
        return line
    if side == "visitor":
        return replace(line, body=line.own)
    return replace(line, body=masks.guarded(line.chat, line.seq, line.body, line.kinds)) if reveals else line


layouts.env.globals["drawn_for"] = drawn_for

Show = Callable[[Line, str], Markup]
kinds: dict[str, Show] = {}


def shown_by(kind: str) -> Callable[[Show], Show]:
    """Let the decorated function draw messages of this kind, for one side: "visitor" or "agent"."""

    def register(show: Show) -> Show:
        kinds[kind] = show
        return show

    return register


layouts.env.globals["message_kinds"] = kinds


# ---- writing ---------------------------------------------------------------------------------------------


async def post(chat: int, key: str, text: str, *, author: str, name: str, agent: int | None = None) -> int:
    """Write what a person said and return its sequence number; the same key again gives the first number
    again."""
    body = cleaned(text)
    if problem := problem_with(key, body):
        raise Refused(problem)
    seq, _is_new = await write(chat, key, author=author, agent=agent, name=name, body=body)
    return seq


async def write(
    chat: int,
    key: str,
    *,
    author: str,
    name: str = "",
    agent: int | None = None,
    body: str = "",
    kind: str = "text",
    data: dict[str, Any] | None = None,
) -> Appended:
    """The only writer of messages, alone or within a transaction. Its number, and whether it is new. Once it
    is committed, those who follow the chat are told; when it was there already too."""
    facts, spans = json.dumps(data) if data else "{}", "[]"
    if author == "visitor" and kind in masks.WORDS:
        spans = numbers.noted(body)
    entry = Entry(chat, key, kind, author, agent, name, body, facts, now(), spans)
    appended = await db.append(entry, partial(tell_of, chat))
    if appended is None:
        raise ChatIsOver(_("This conversation has ended. Your message was not sent."))
    return appended


@routing.told("joined", "left", "returned", "transferred", "taken_over", "ended")
async def tell(step: routing.StepFacts) -> None:
    """What both sides may know of a step of routing becomes a line of the thread, in the same transaction."""
    if step.chat is None:
        return
    data = step.data
    if step.what == "transferred" and data["queue"]:
        data = data | {"to": await queues.name_of(data["queue"])}
    await write(
        step.chat,
        f"step-{step.id}",
        author="desk",
        kind=step.what,
        name=step.name,
        agent=step.agent,
        data=data,
    )


def cleaned(text: str) -> str:
    """Line ends as \\n, Word's too; without what no one can see or store; all else as it was typed."""
    return UNWRITABLE.sub("", re.sub("\r\n?|\x0b", "\n", text)).strip("\n").rstrip()


def problem_with(key: str, body: str) -> str | None:
    if not body.strip():
        return _("Write a message first.")
    if len(body) > LENGTH:
        return _(
            "Your message is %(n)s characters long; at most %(limit)s fit. Nothing was cut: shorten it and send it again."  # noqa: E501
        ) % {
            "n": layouts.number(len(body)),
            "limit": layouts.number(LENGTH),
        }
    if not KEY.fullmatch(key):
        return _("What was sent could not be read. Reload the page and try again.")
    return None


# ---- reading ---------------------------------------------------------------------------------------------


async def thread(chat: int, after: int = 0, again: bool = False) -> list[Line]:
    """The lines after this one, in order. Before them come earlier ones that a new one is about: they look
    different now, and whoever hears of the one sees the other. For a page that comes back `again` also those
    that were withdrawn, perhaps while it was away."""
    new = await between(chat, after)
    changed = {about for each in new if 0 < (about := each.data.get("about", 0)) <= after}
    if again and after:
        changed |= await withdrawn_in(chat, after)
    return [*[each for seq in sorted(changed) for each in await between(chat, seq - 1, seq)], *new]


async def fresh(chat: int, after: int) -> list[Line]:
    """As `thread`, of what has just been written: its answer and the pages of both sides want the same lines
    within a moment, and they are read once. Whatever is heard about the chat makes them be read anew."""
    if not lately_read:
        asyncio.get_running_loop().call_later(JUST_S, lately_read.clear)
    found = lately_read.setdefault(chat, {})  # an older reading goes into what nobody looks at any more
    if after not in found:
        found[after] = await thread(chat, after)
    return found[after]


lately_read: dict[int, dict[int, list[Line]]] = {}


@live.before(MessagePosted, MessageChanged)
def forget_lines(event: MessagePosted | MessageChanged) -> None:
    lately_read.pop(event.chat, None)


async def withdrawn_in(chat: int, upto: int) -> set[int]:
    rows = await (
        Message.select(Message.seq)
        .where(Message.chat == chat)
        .where(Message.seq <= upto)
        .where(Message.withdrawn_at.is_not_null())
    )
    return {row["seq"] for row in rows}


async def line(chat: int, seq: int) -> Line | None:
    return next(iter(await between(chat, seq - 1, seq)), None)


async def between(chat: int, after: int, upto: int = MOST) -> list[Line]:
    return [line for line in lines(await rows_between(chat, after, upto)) if line.seq > after]


@prepared
def rows_between(chat: int, after: int, upto: int) -> Any:
    """With one more than is asked for: whom the first line follows decides how it looks."""
    columns = (
        Message.chat,
        Message.key,
        Message.seq,
        Message.kind,
        Message.author,
        Message.agent,
        Message.name,
    )
    spoken, more = Message.chat.language.as_alias("language"), (Message.sent_at, Message.withdrawn_at)
    query = Message.select(*columns, Message.body, Message.data, *more, Message.numbers, spoken)
    reach = (Message.seq >= after) & (Message.seq <= upto)
    return query.where(Message.chat == chat).where(reach).order_by(Message.seq)


def lines(rows: Sequence[dict[str, Any]]) -> Iterable[Line]:
    before: dict[str, Any] | None = None
    for row in rows:
        spans = masks.spans_in(row)
        yield Line(
            chat=row["chat"],
            key=row["key"],
            seq=row["seq"],
            kind=row["kind"],
            author=row["author"],
            agent=row["agent"],
            name=row["name"],
            body=masks.hiding(row["body"], spans) if spans else linked(row["body"]),
            at=row["sent_at"],
            data=json.loads(row["data"]) if row["data"] != "{}" else {},
            withdrawn_at=row["withdrawn_at"],
            grouped=before is not None and follows(row, before),
            new_day=before is None or local_date(before) != local_date(row),
            language=row.get("language", ""),
            own=linked(row["body"]) if spans else None,
            kinds=numbers.kinds_in(spans),
        )
        before = row


def follows(row: dict[str, Any], before: dict[str, Any]) -> bool:
    same = all(row[key] == before[key] for key in ("author", "agent", "kind")) and row["kind"] == "text"
    return same and row["sent_at"] - before["sent_at"] < timedelta(minutes=GROUP_MINUTES)


def local_date(row: dict[str, Any]) -> object:
    return row["sent_at"].astimezone(layouts.zone).date()


def position(text: str) -> int:
    """The last message that a page has, as it says itself. What is not understood has not been seen."""
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else 0


async def is_there(chat: int, key: str) -> bool:
    """It was taken before: a retry gets its first answer, and no question."""
    return await Message.exists().where(Message.chat == chat).where(Message.key == key)


def drawn(lines: Iterable[Line], side: str, me: int = 0, reveals: bool = False) -> Markup:
    return Markup("".join([drawn_one(line, side, me, reveals) for line in lines]))  # noqa: S704 – from templates


def drawn_one(line: Line, side: str, me: int, reveals: bool) -> Markup:
    """Most differ from each other in a few places only; the rest of them is drawn once in a minute."""
    if line.kind != "text" or line.data or line.withdrawn_at or line.own:
        return ui.message(line, side, me, reveals)
    known = side, line.author, line.grouped, line.new_day, line.language
    minute = line.at.astimezone(layouts.zone).replace(second=0, microsecond=0)
    mine = bool(me) and line.withdrawable_by(me)
    pieces = outline(*known, bool(line.name), mine, minute, layouts.language.get(), layouts.locale())
    values = (
        str(line.chat),
        escape(line.key),
        str(line.seq),
        escape(line.name),
        escape(line.body),
        line.stamp,
        line.gone_at,
    )
    filled = dict(zip(MARKS, values, strict=True))
    return Markup("".join([filled.get(piece, piece) for piece in pieces]))  # noqa: S704 – from a template


@lru_cache(maxsize=1_000)
def outline(
    side: str,
    author: str,
    grouped: bool,
    new_day: bool,
    language: str,
    named: bool,
    mine: bool,
    minute: datetime,
    *spoken: str,
) -> list[str]:
    """A message as its template draws it, cut to pieces where one differs from the next."""
    chat, key, seq, name, body, _stamp, _until = MARKS
    shape: dict[str, Any] = {"author": author, "grouped": grouped, "new_day": new_day, "language": language}
    shape |= {"chat": chat, "key": key, "seq": seq, "name": name if named else "", "body": Markup(body)}  # noqa: S704
    line = Outline(**shape, kind="text", agent=0, at=minute, data={}, withdrawn_at=None)
    return re.split(f"([{''.join(MARKS)}])", ui.message(line, side, mine))


MARKS = tuple(map(chr, range(0xFDD0, 0xFDD7)))  # characters that are none: no text has them


class Outline(Line):
    """A message without what makes it this one."""

    @property
    def stamp(self) -> str:
        return MARKS[-2]

    @property
    def gone_at(self) -> str:
        return MARKS[-1]

    def withdrawable_by(self, agent: int) -> bool:
        return bool(agent)


def refusal(key: str, words: str, chat: int | None = None) -> Markup:
    """Said at the text bar it came from; the text itself goes back into it."""
    region = f"refused-{chat}" if chat else "refused"
    return swap(f"#{region}", ui.refused(region, key, words), "outerHTML")


def warning(key: str, kinds: Sequence[str]) -> Markup:
    """The same, and it can be sent after all."""
    return swap("#refused", ui.warned(key, kinds), "outerHTML")


def tell_of(chat: int, appended: Appended | None) -> None:
    if appended is None:
        return
    live.publish(f"chat:{chat}", MessagePosted(chat))


@live.numbered("chat", MessagePosted)
async def last_of(chats: list[int]) -> dict[int, int]:
    """The number of the last message of each."""
    return {row["id"]: row["seq"] for row in await Chat.select(Chat.id, Chat.seq).where(Chat.id.is_in(chats))}


ui = template("""
{% from "components.html" import icon, in_language, notice %}
{% import "numbers" as numbers %}

{# `me`: the agent who looks, and may withdraw what it has just said. `reveals`: who looks may have hidden numbers shown. #}
{% macro thread(lines, side, me=0, reveals=false) %}
{% for line in lines %}{{ message(line, side, me, reveals) }}{% endfor %}
{% endmacro %}

{% macro message(line, side, me=0, reveals=false) %}
{% set line = drawn_for(line, side, reveals) %}
<li id="m-{{ line.key }}" data-seq="{{ line.seq }}"
    class="message {{ whose(line, side) }}{% if line.grouped %} grouped{% endif %}{% if line.withdrawn_at %} withdrawn{% endif %}{% if line.kind == "ended" %} over{% endif %}">
  {% if line.new_day %}<p class="day"><time datetime="{{ line.stamp }}">{{ line.at | day }}</time></p>{% endif %}
  {% if line.kind == "text" or line.kind in message_kinds %}
  <p class="byline"><span class="author" translate="no">{{ author(line, side) }}</span>
    {% if line.author != side %}<time datetime="{{ line.stamp }}">{{ line.at | clock_time }}</time>{% endif %}</p>
  {% if line.withdrawn_at and side == "visitor" %}<p class="bubble" tabindex="-1">{{ _("Message withdrawn") }}</p>
  {% elif line.kind == "text" %}<div class="bubble" dir="auto"{{ in_language(line.language) }}>{{ line.body }}</div>
  {% else %}{{ message_kinds[line.kind](line, side) }}{% endif %}
  {% if me and line.withdrawable_by(me) %}{{ withdraw(line) }}{% endif %}
  {% if line.author == side %}{{ delivery(line, side) }}{% endif %}
  {% else %}
  <p class="event-words">{{ happened(line, side) }}</p>
  {% endif %}
</li>
{% endmacro %}

{# Not said when it comes or changes: a mark is for who looks at the message. A withdrawal is said, in one piece. #}
{% macro delivery(line, side) %}
<p class="delivery"{% if not line.withdrawn_at %} aria-live="off"{% endif %}><time datetime="{{ line.stamp }}">{{ line.at | clock_time }}</time>
  {% if line.withdrawn_at %}<span class="withdrawn-words" id="withdrawn-{{ line.key }}">{{ icon("undo-2") }}{{ _("Withdrawn at %(time)s", time=line.withdrawn_at | clock_time) }} · <span translate="no">{{ line.name }}</span></span>
  {% elif side == "agent" %}<span class="mark sent">{{ icon("check") }}{{ _("Sent") }}</span><span class="mark got">{{ icon("check-check") }}{{ _("Delivered") }}</span><span class="mark read">{{ icon("check-check") }}{{ _("Read") }}</span>{% endif %}</p>
{% endmacro %}

{# In sight where the pointer or the focus is; the script takes it away in time. #}
{% macro withdraw(line) %}
<button type="button" class="button quiet withdraw" title="{{ _("Withdraw: the visitor no longer sees this message") }}" hx-post="/chats/{{ line.chat }}/messages/{{ line.seq }}/withdrawal" hx-swap="none" data-gone-at="{{ line.gone_at }}" aria-live="off">{{ icon("undo-2") }}<span>{{ _("Withdraw") }}</span></button>
{% endmacro %}

{% macro whose(line, side) -%}
{% if line.author == "desk" %}event{% elif line.author == side %}mine from-{{ line.author }}{% else %}from-{{ line.author }}{% endif %}
{%- endmacro %}

{% macro author(line, side) -%}
{% if line.author == side == "visitor" %}{{ _("You") }}{% else %}{{ line.name or _("Visitor") }}{% endif %}
{%- endmacro %}

{% macro happened(line, side) -%}
{% set time = line.at | clock_time %}
{% if line.kind == "joined" %}{{ _("%(name)s has joined", name=line.name | named) }}
{% elif line.kind == "taken_over" %}{{ _("%(name)s takes over the conversation", name=line.name | named) }}
{% elif line.kind == "left" %}{{ _("%(name)s has left the conversation", name=line.name | named) }}
{% elif line.kind == "transferred" and side == "agent" %}{{ _("Transferred to %(queue)s by %(name)s", queue=line.data.to | named, name=line.name | named) }}
{% elif line.kind == "transferred" %}{{ _("You are being transferred to %(queue)s", queue=line.data.to | named) }}
{% elif line.kind == "returned" and side == "agent" %}{{ _("The conversation went back to the queue") }}
{% elif line.kind == "returned" %}{{ _("One moment please, we are reconnecting you") }}
{% elif line.data.how == "behaviour" and side == "agent" %}{{ _("Ended because of behaviour by %(name)s at %(time)s", name=line.name | named, time=time) }}
{% elif line.data.how in ("by_agent", "behaviour") %}{{ _("Conversation ended by %(name)s at %(time)s", name=line.name | named, time=time) }}
{% elif line.data.how == "by_visitor" and side == "visitor" %}{{ _("You ended the conversation at %(time)s", time=time) }}
{% elif line.data.how == "by_visitor" %}{{ _("The visitor has ended the conversation") }} · {{ time }}
{% elif line.data.how == "visitor_gone" and side == "visitor" %}{{ _("The conversation ended at %(time)s because you were away", time=time) }}
{% elif line.data.how == "visitor_gone" %}{{ _("Visitor gone") }} · {{ time }}
{% elif line.data.how == "idle" %}{{ _("The conversation ended at %(time)s because of inactivity", time=time) }}
{% elif line.data.how == "closed" %}{{ _("The desk has closed. The conversation ended at %(time)s", time=time) }}
{% else %}{{ _("The conversation ended at %(time)s", time=time) }}{% endif %}
{%- endmacro %}

{# What the page shows at once and until the server has it; the script fills it in. #}
{% macro pending(side, name="") %}
<template id="pending">
  <li class="message mine from-{{ side }} pending">
    <p class="byline"><span class="author" translate="no">{{ name or _("You") }}</span></p>
    <div class="bubble" dir="auto"></div>
    <p class="delivery" aria-live="off"><span class="sending">{{ _("sending…") }}</span>
      <span class="unsent" role="status">{{ _("Not sent.") }} <button type="button" class="link" data-retry>{{ _("Try again") }}</button></span></p>
  </li>
</template>
{% endmacro %}

{# For who has scrolled up; the script counts. #}
{% macro newer() %}
<button type="button" class="button newer" data-newer data-one="{{ _("1 new message") }}" data-many="{{ _("{n} new messages") }}" hidden><span></span>{{ icon("arrow-down") }}</button>
{% endmacro %}

{# Said where the message stands: why it was not taken. The text goes back to the bar. #}
{% macro refused(id, key, words) %}
<div id="{{ id }}" data-key="{{ key }}" role="alert">{{ notice("error", words) }}</div>
{% endmacro %}

{% macro warned(key, kinds) %}
<div id="refused" data-key="{{ key }}" role="alert">{{ numbers.warning(kinds, "textbar") }}</div>
{% endmacro %}

""")  # noqa: E501
