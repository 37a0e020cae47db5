"""Details: what stands beside a conversation: who the visitor is and who says so, and what it is about.

    PUT /chats/{id}/case    the number of the case it belongs to, for all agents in it
    GET /chats/{id}/text    the conversation as plain text, for the case system; without private messages
    GET /chats/{id}/past    an earlier one of the same verified person: to read, private messages included

`conversations` draws them with the macros at the foot; nothing of it is in a visitor's window.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from litestar import MediaType, Request, Response, get, put
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from markupsafe import Markup
from msgspec import Struct

import db
from db.tables import Chat, Participation
from features import arrival, identity, live, messages, private, transcripts
from features.access import agent_of, may
from features.identity import Verified
from features.participations import taking_part
from layouts import Form, _, html, number, swap, template

CASE_LENGTH = 60
EARLIER_SHOWN = 10


class CaseChanged(live.Event, frozen=True):
    """A chat has another case number. Told on a topic that no visitor follows."""

    chat: int


@dataclass(frozen=True)
class Earlier:
    """A conversation that the same verified person has had."""

    id: int
    started_at: datetime
    queue: str
    agents: tuple[str, ...]


@dataclass(frozen=True)
class Person:
    """Who the visitor of a chat is, as far as somebody has vouched for it."""

    verified: Verified | None = None
    earlier: tuple[Earlier, ...] = ()


async def people_in(chats: Sequence[int]) -> dict[int, Person]:
    """Of running chats: what came before can be looked up as long as one talks."""
    known = await identity.of_chats(chats)
    past = {chat: await identity.earlier_chats(chat, EARLIER_SHOWN) for chat in known}
    rows = {row["id"]: row for earlier in past.values() for row in earlier}
    agents = await agents_of(list(rows))
    return {
        chat: Person(
            verified,
            tuple(Earlier(**row, agents=tuple(agents.get(row["id"], ()))) for row in past[chat]),
        )
        for chat, verified in known.items()
    }


async def agents_of(chats: list[int]) -> dict[int, list[str]]:
    """Who has been in each of them, in the order in which they came."""
    if not chats:
        return {}
    rows = await (
        Participation.select(Participation.chat, Participation.agent.name.as_alias("name"))
        .where(Participation.chat.is_in(chats))
        .order_by(Participation.id)
    )
    found: dict[int, dict[str, None]] = {}
    for row in rows:
        found.setdefault(row["chat"], {})[row["name"]] = None
    return {chat: list(names) for chat, names in found.items()}


# ---- the case number -------------------------------------------------------------------------------------


class Case(Struct):
    number: str = ""


@put("/chats/{chat:int}/case", guards=[may("chat")], status_code=200)
async def set_case(request: Request[Any, Any, Any], chat: FromPath[int], data: Form[Case]) -> Response[str]:
    await taking_part(agent_of(request), chat)
    given = arrival.line(data.number)
    if len(given) > CASE_LENGTH:
        words = _("At most %(n)s characters fit.") % {"n": number(CASE_LENGTH)}
        return html(swap(f"#case-state-{chat}", ui.not_saved(words), "innerHTML"), status_code=422)
    async with db.transaction():
        await Chat.update({Chat.case_number: given, Chat.log_seq: Chat.log_seq - 1}).where(Chat.id == chat)
        db.after_commit(partial(live.publish, private.topic(chat), CaseChanged(chat)))
    return html(
        swap(f"#case-{chat}", ui.case(chat, given)), swap(f"#case-state-{chat}", ui.saved(), "innerHTML")
    )


@live.on(CaseChanged, page="console")
async def redraw_case(viewer: Any, event: CaseChanged) -> Markup | None:
    """What somebody is typing there at the moment stays."""
    row = await Chat.select(Chat.case_number).where(Chat.id == event.chat).first()
    return swap(f"#case-{event.chat}", ui.case(event.chat, row["case_number"])) if row else None


# ---- the conversation as text ----------------------------------------------------------------------------


@get("/chats/{chat:int}/text", guards=[may("chat")])
async def copy(request: Request[Any, Any, Any], chat: FromPath[int]) -> Response[str]:
    """In the agent's language; what people wrote is as they wrote it."""
    person = agent_of(request)
    await taking_part(person, chat)
    row = await Chat.select().where(Chat.id == chat).where(Chat.started_at.is_not_null()).first()
    if row is None:
        raise NotFoundException
    verified = (await identity.of_chats([chat])).get(chat)
    transcript = await transcripts.written(row, side="agent", language=person.language)
    transcript = replace(transcript, facts=[*facts(row, verified), *transcript.facts])
    return Response(transcripts.as_text(transcript), media_type=MediaType.TEXT)


def facts(row: dict[str, Any], verified: Verified | None) -> list[tuple[str, str]]:
    """What the case system wants to know beside what was said. Verified is only what somebody vouched for."""
    by = _("Verified by %(site)s") % {"site": verified.site} if verified else ""
    given = verified.given if verified else set()

    def said(field: str) -> str:
        text = transcripts.one_line(row[f"visitor_{field}"])
        return f"{text} ({by})" if field in given else text

    found = [(_("Case number"), transcripts.one_line(row["case_number"]))]
    found += [(_("Name"), said("name")), (_("E-mail"), said("email"))]
    if verified:
        found += [(label, f"{value} ({by})") for label, value in verified.variables.items()]
    return [(name, text) for name, text in found if text]


# ---- earlier conversations -------------------------------------------------------------------------------


@get("/chats/{chat:int}/past", guards=[may("chat")])
async def look_back(request: Request[Any, Any, Any], chat: FromPath[int]) -> Response[str]:
    """Only while one talks with that same person."""
    person = agent_of(request)
    if not await identity.may_look_back(person.id, chat):
        raise NotFoundException
    row = await (
        Chat.select(Chat.id, Chat.started_at, Chat.queue.name.as_alias("queue"), Chat.visitor_name)
        .where(Chat.id == chat)
        .first()
    )
    assert row
    agents = tuple((await agents_of([chat])).get(chat, ()))
    earlier = Earlier(chat, row["started_at"], row["queue"], agents)
    lines = [replace(line, key=f"past-{line.key}") for line in await messages.thread(chat)]
    notes = [replace(note, key=f"past-{note.key}") for note in await private.thread(chat)]
    drawn = ui.past(earlier, row["visitor_name"], private.woven(lines, notes, reveals=person.may_reveal))
    return html(swap("#ask-body", drawn, "innerHTML"))


routes = [set_case, copy, look_back]

ui = template("""
{% from "components.html" import button, fact, icon %}

{% macro panel(chat) %}
{% set known = chat.person.verified %}
{% set site = known.site if known else "" %}
<aside class="details" id="details-{{ chat.id }}" aria-labelledby="details-title-{{ chat.id }}" tabindex="0">
  <h3 id="details-title-{{ chat.id }}">{{ _("Chat details") }}</h3>
  {% if known %}{{ vouched(known) }}{% endif %}
  <dl class="facts aside">
    {{ fact(_("Name"), chat.visitor or _("No name given"), site if known and known.name else "", name=true) }}
    {% if chat.email %}{{ fact(_("E-mail"), chat.email, site if known and known.email else "", name=true) }}{% endif %}
    {% if known %}
    {% if not known.name %}{{ fact(_("Known as"), known.sub, site, name=true) }}{% endif %}
    {% for label, value in known.variables.items() %}{{ fact(label, value, site, name=true) }}{% endfor %}
    {% endif %}
    {% if chat.subject %}{% set said, lang = subject_of(chat.subject) %}{{ fact(_("Subject"), said, lang=lang) }}{% endif %}
    {{ fact(_("Queue"), chat.queue, name=true) }}
    {{ fact(_("Language"), chat.language | language_name) }}
    {% if chat.page %}{{ fact(_("Page"), chat.page_path, name=true) }}{% endif %}
    <div><dt>{{ _("Waited") }}</dt><dd><span class="timer" translate="no" data-since="{{ chat.asked_at.isoformat() }}" data-to="{{ chat.joined_at.isoformat() }}"></span></dd></div>
    {% if chat.agents %}{{ fact(_("Present"), chat.agents | join(", "), name=true) }}{% endif %}
  </dl>
  <div class="case">
    <label for="case-{{ chat.id }}">{{ _("Case number") }}</label>
    {{ case(chat.id, chat.case_number) }}
    <p class="case-state" id="case-state-{{ chat.id }}" role="status" data-failed="{{ _("Not saved. Try again.") }}" hx-morph-skip></p>
  </div>
  {% if known and not chat.over %}{{ earlier(chat.person.earlier, chat.id) }}{% endif %}
  <div class="copy">
    {{ button(_("Copy conversation"), "secondary", "copy", attrs={"data-copy": "/chats/" ~ chat.id ~ "/text"}) }}
    <p class="case-state" role="status" data-done="{{ _("Copied") }}" data-failed="{{ _("Copying did not succeed. Try again.") }}" hx-morph-skip></p>
  </div>
</aside>
{% endmacro %}

{# Who says so, once for all that has a lock. #}
{% macro vouched(known) %}
<p class="vouched small">{{ icon("lock") }}<span>{{ _("Verified by %(site)s", site=known.site) }}</span></p>
{% endmacro %}

{# Saved when it has changed; a morph leaves what is being typed in it alone. #}
{% macro case(chat, number) %}
<input class="input" id="case-{{ chat }}" name="number" value="{{ number }}" maxlength="60" autocomplete="off" spellcheck="false" translate="no"
       aria-describedby="case-state-{{ chat }}" data-case hx-put="/chats/{{ chat }}/case" hx-trigger="change" hx-swap="none">
{% endmacro %}

{% macro saved() %}{{ icon("check") }}<span>{{ _("Saved") }}</span>{% endmacro %}

{% macro not_saved(words) %}{{ icon("circle-alert") }}<span class="failed">{{ words }}</span>{% endmacro %}

{% macro earlier(past, chat) %}
<section class="earlier" aria-labelledby="earlier-{{ chat }}">
  <h4 id="earlier-{{ chat }}">{{ _("Earlier conversations") }}</h4>
  {% if past %}
  <ul>
    {% for each in past %}
    <li><button type="button" class="earlier-one" hx-get="/chats/{{ each.id }}/past" hx-swap="none">
      <span class="earlier-day">{{ each.started_at | short_day }} {{ each.started_at | clock_time }}</span>
      <span class="soft small" translate="no">{{ each.queue }}{% if each.agents %} · {{ each.agents | join(", ") }}{% endif %}</span>
    </button></li>
    {% endfor %}
  </ul>
  {% else %}<p class="soft small">{{ _("None with this person yet.") }}</p>{% endif %}
</section>
{% endmacro %}

{% macro past(earlier, visitor, thread) %}
<div data-ask>
  <h2 class="title" id="ask-title">{{ _("Conversation of %(day)s", day=earlier.started_at | day) }}</h2>
  <p class="soft" translate="no">{{ visitor or _("Visitor") }} · {{ earlier.queue }}{% if earlier.agents %} · {{ earlier.agents | join(", ") }}{% endif %}</p>
  <section class="so-far" tabindex="0" aria-labelledby="ask-title"><ol>{{ thread }}</ol></section>
  <div class="actions end">{{ button(_("Close"), attrs={"data-close-dialog": true, "autofocus": true}) }}</div>
</div>
{% endmacro %}
""")  # noqa: E501
