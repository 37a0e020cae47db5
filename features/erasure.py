"""Erasure: one person asks to be forgotten, or to know what is kept.

    GET  /settings/privacy/person                 by e-mail address or verified id
    POST /settings/privacy/person                 what is kept of them; not in an address: logs keep those
    POST /settings/privacy/person/question        asked before it goes
    GET  /settings/privacy/person/export          of these conversations, as a zip
    POST /settings/privacy/erasures
    GET  /settings/privacy/erasures               the receipts
    GET  /settings/privacy/erasures/{id}          and one, as a page …
    GET  /settings/privacy/erasures/{id}/text     … and as text

A receipt says when, by whom and how much: not of whom.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from litestar import MediaType, Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery
from litestar.response import Stream
from msgspec import Struct

import db
import layouts
from db.tables import Chat, Erasure, Mail
from features import audit, desk, disclosure, forgetting, holds, settings
from features.access import Person, agent_of, may
from layouts import Form, _, html, swap, template

WHO_LENGTH = 254
MOST_CHATS = 500  # at a time

settings.entry("privacy", "/settings/privacy/person", lambda: _("One person"), "user", "manage_privacy")


@dataclass(frozen=True)
class Found:
    """A conversation of the person, as far as can be told."""

    chat: int
    queue: str
    name: str
    started_at: datetime
    how: str  # verified, typed, mailed: how it is known to be theirs
    stays: str  # "", held or running


@dataclass(frozen=True)
class Receipt:
    id: int
    code: str
    name: str  # of whoever did it
    conversations: int
    files: int
    stayed: int
    erased_at: datetime
    wiped_at: datetime | None


class PersonForm(Struct):
    who: str = ""


class Choice(Struct):
    """Conversations, by id."""

    chat: list[str] | str = ""  # one alone comes as it is

    def ids(self) -> list[int]:
        given = [self.chat] if isinstance(self.chat, str) else self.chat
        numbers = (each for each in given if each.isascii() and each.isdecimal() and len(each) < 10)
        return list(dict.fromkeys(int(each) for each in numbers))[:MOST_CHATS]


@get("/settings/privacy/person", guards=[may("manage_privacy")])
async def page(request: Request[Any, Any, Any]) -> Response[str]:
    return html(ui.page(agent_of(request)))


@post("/settings/privacy/person", guards=[may("manage_privacy")], status_code=200)
async def search(request: Request[Any, Any, Any], data: Form[PersonForm]) -> Response[str]:
    who = data.who.strip()
    if not who or len(who) > WHO_LENGTH:
        words = _("Give an e-mail address, or the id by which a site vouches for this person.")
        return html(ui.form(data, {"who": words}), swap("#found", ui.nothing()), status_code=422)
    found = await conversations_of(who)
    async with db.transaction():
        await audit.note(agent_of(request).id, "looked", "person")
    return html(ui.form(data, {}), swap("#found", ui.found(found)))


@post("/settings/privacy/person/question", guards=[may("manage_privacy")], status_code=200)
async def question(data: Form[Choice]) -> Response[str]:
    return html(swap("#ask-body", ui.question(await may_go(data.ids()), data.ids()), "innerHTML"))


@post("/settings/privacy/erasures", guards=[may("manage_privacy")], status_code=200)
async def erase(request: Request[Any, Any, Any], data: Form[Choice]) -> Response[str]:
    made = await erase_all(agent_of(request), data.ids())
    if not made:
        return html(swap("#ask-body", ui.question([], []), "innerHTML"), status_code=409)
    return settings.leave_for(f"/settings/privacy/erasures/{made}")


@get("/settings/privacy/erasures", guards=[may("manage_privacy")])
async def receipts(request: Request[Any, Any, Any]) -> Response[str]:
    return html(ui.receipts(agent_of(request), await all_receipts()))


@get("/settings/privacy/erasures/{erasure:int}", guards=[may("manage_privacy")])
async def receipt(request: Request[Any, Any, Any], erasure: FromPath[int]) -> Response[str]:
    return html(ui.receipt(agent_of(request), await receipt_of(erasure)))


@get("/settings/privacy/erasures/{erasure:int}/text", guards=[may("manage_privacy")])
async def receipt_text(erasure: FromPath[int]) -> Response[str]:
    found = await receipt_of(erasure)
    lines = [_("Receipt of an erasure"), desk.facts.name, "", *(": ".join(each) for each in facts(found))]
    headers = {"Content-Disposition": f'attachment; filename="{found.code}.txt"'}
    return Response("\n".join(lines) + "\n", media_type=MediaType.TEXT, headers=headers)


@get("/settings/privacy/person/export", guards=[may("manage_privacy")])
async def export(request: Request[Any, Any, Any], chat: FromQuery[list[str] | None] = None) -> Stream:
    chats = await known(Choice(chat or []).ids())
    if not chats:
        raise NotFoundException
    async with db.transaction():
        for each in chats:
            await audit.note(agent_of(request).id, "exported", f"chat:{each}")
    return await disclosure.zipped(chats)


# ---- whose is it -----------------------------------------------------------------------------------------


async def conversations_of(who: str) -> list[Found]:
    """The surest reason counts."""
    low = who.lower()
    reasons: dict[int, str] = {}
    for how, chats in (
        ("verified", await verified_as(who, low)),
        ("typed", await ids("SELECT id FROM chat WHERE lower(visitor_email) = {}", low)),
        ("mailed", await mailed_to(low)),
    ):
        for chat in chats:
            reasons.setdefault(chat, how)
    return await told(reasons)


async def verified_as(who: str, low: str) -> list[int]:
    """All conversations of a visitor for whom a site has vouched so."""
    query = "SELECT visitor AS id FROM identity WHERE sub = {} OR lower(email) = {}"
    visitors = await ids(query, who, low)
    if not visitors:
        return []
    return [row["id"] for row in await Chat.select(Chat.id).where(Chat.visitor.is_in(visitors))]


async def mailed_to(low: str) -> list[int]:
    """The address itself has been wiped when the transcript was sent."""
    rows = await Mail.select(Mail.chat).where(Mail.address_hash == desk.keyed("mail to", low))
    return [row["chat"] for row in rows if row["chat"]]


async def ids(query: str, *args: Any) -> list[int]:
    return [row["id"] for row in await db.sql(query, *args)]


async def told(reasons: dict[int, str]) -> list[Found]:
    chats = list(reasons)
    if not chats:
        return []
    rows = await (
        Chat.select(Chat.id, Chat.queue.name.as_alias("queue"), Chat.visitor_name, Chat.ticket_at, Chat.state)
        .where(Chat.id.is_in(chats))
        .order_by(Chat.id, ascending=False)
        .limit(MOST_CHATS)
    )
    held = await holds.among(chats)
    return [
        Found(
            row["id"],
            row["queue"],
            row["visitor_name"],
            row["ticket_at"],
            reasons[row["id"]],
            "held" if row["id"] in held else "running" if row["state"] != "ended" else "",
        )
        for row in rows
    ]


# ---- it goes ---------------------------------------------------------------------------------------------


async def known(chats: Sequence[int]) -> list[int]:
    if not chats:
        return []
    return [
        row["id"] for row in await Chat.select(Chat.id).where(Chat.id.is_in(list(chats))).order_by(Chat.id)
    ]


async def may_go(chats: Sequence[int]) -> list[int]:
    async with db.transaction():
        return await forgetting.may_go(chats) if chats else []


async def erase_all(person: Person, chats: Sequence[int]) -> int:
    """All of it or nothing. The receipt, or 0 if there was nothing that may go."""
    async with db.transaction():
        stayed = await holds.among(chats)
        gone = forgetting.Gone()
        for first in range(0, len(chats), forgetting.BATCH):
            gone.add(await forgetting.erase(chats[first : first + forgetting.BATCH]))
        if not gone.conversations:
            return 0
        made = await forgetting.receipt(person.id, gone, len(stayed))
    await forgetting.finish(gone)
    return made


async def all_receipts() -> list[Receipt]:
    rows = await (
        Erasure.select(*Erasure.all_columns(), Erasure.agent.name.as_alias("name"))
        .where(Erasure.agent.is_not_null())
        .order_by(Erasure.id, ascending=False)
    )
    return [Receipt(**{each: row[each] for each in Receipt.__dataclass_fields__}) for row in rows]


async def receipt_of(erasure: int) -> Receipt:
    for each in await all_receipts():
        if each.id == erasure:
            return each
    raise NotFoundException


def facts(found: Receipt) -> list[tuple[str, str]]:
    moment = f"{layouts.day(found.erased_at)}, {layouts.clock_time(found.erased_at)}"
    wiped = (
        f"{layouts.day(found.wiped_at)}, {layouts.clock_time(found.wiped_at)}"
        if found.wiped_at
        else _("in a moment")
    )
    return [
        (_("Receipt"), found.code),
        (_("Erased at"), moment),
        (_("By"), found.name),
        (_("Conversations"), layouts.number(found.conversations)),
        (_("Files"), layouts.number(found.files)),
        (_("On hold, and so still there"), layouts.number(found.stayed)),
        (_("Wiped from the database's file"), wiped),
    ]


layouts.env.globals["receipt_facts"] = facts
routes: list[Any] = [page, search, question, erase, receipts, receipt, receipt_text, export]

ui = template("""
{% from "components.html" import button, empty, fact, field, icon, notice, status %}
{% import "settings" as settings %}

{% macro page(person) %}
{% call settings.page(person, _("One person"), _("Somebody asks what is kept of them, or to be forgotten."), "/settings/privacy/person") %}
{{ form({"who": ""}, {}) }}
{{ nothing() }}
<p><a href="/settings/privacy/erasures">{{ _("Receipts of earlier erasures") }}</a></p>
{% endcall %}
{% endmacro %}

{% macro form(person, errors) %}
<form id="person" class="stack" method="dialog" hx-post="/settings/privacy/person" hx-swap="outerHTML" novalidate>
  {{ field(_("E-mail address or verified id"), "who", person.who, errors, hint=_("As a site vouches for it, as it was typed before the chat, or where a transcript was sent."), attrs={"autocapitalize": "none", "spellcheck": "false"}) }}
  <div class="actions">{{ button(_("Search"), "primary", "search", type="submit") }}</div>
</form>
{% endmacro %}

{% macro nothing() %}<div id="found" aria-live="polite"></div>{% endmacro %}

{% macro found(chats) %}
<div id="found" class="stack" aria-live="polite">
{% if chats %}
<form class="stack" method="dialog" hx-post="/settings/privacy/person/question" hx-swap="none">
  <h2 class="title" id="found-title">{{ ngettext("%(num)s conversation", "%(num)s conversations", chats | length) }}</h2>
  <p class="soft">{{ _("What was only typed may be another person's: look before you erase, and leave out what is not theirs.") }}</p>
  <table class="cards-on-phone" aria-labelledby="found-title">
    <thead><tr><th scope="col">{{ _("Conversation") }}</th><th scope="col">{{ _("Day") }}</th><th scope="col">{{ _("Queue") }}</th><th scope="col">{{ _("Known by") }}</th></tr></thead>
    <tbody>
      {% for each in chats %}
      <tr>
        <th scope="row">{% if each.stays %}{% if each.stays == "held" %}<input type="hidden" name="chat" value="{{ each.chat }}">{% endif %}{{ each.chat }} <span translate="no">{{ each.name }}</span>{% else %}<label class="check"><input type="checkbox" name="chat" value="{{ each.chat }}" checked> {{ each.chat }} <span translate="no">{{ each.name }}</span></label>{% endif %}</th>
        <td data-label="{{ _("Day") }}">{{ each.started_at | short_day }}</td>
        <td data-label="{{ _("Queue") }}" translate="no">{{ each.queue }}</td>
        <td data-label="{{ _("Known by") }}">{{ how(each) }}</td>
      </tr>
      {% endfor %}
    </tbody>
  </table>
  <div class="actions">
    {% if chats | rejectattr("stays") | list %}{{ button(_("Erase"), "danger", "trash-2", type="submit") }}{% endif %}
    {{ button(_("Download what is kept"), "secondary", "download", attrs={"href": "/settings/privacy/person/export?chat=" ~ chats | map(attribute="chat") | join("&chat="), "download": true}) }}
  </div>
</form>
{% else %}
{{ empty(_("Nothing is kept"), _("No conversation is known by this address or id. In what people wrote it may still stand."), "user") }}
{% endif %}
</div>
{% endmacro %}

{% macro how(each) %}
{% if each.stays == "held" %}{{ status("amber", _("on hold: it stays")) }}{% elif each.stays == "running" %}{{ status("amber", _("still running: it stays")) }}{% elif each.how == "verified" %}{{ icon("lock") }} {{ _("verified") }}{% elif each.how == "mailed" %}{{ _("transcript sent there") }}{% else %}{{ _("typed") }}{% endif %}
{% endmacro %}

{% macro question(chats, chosen) %}
<div data-ask>
  {% if chats %}
  <h2 class="title" id="ask-title">{{ ngettext("Erase %(num)s conversation?", "Erase %(num)s conversations?", chats | length) }}</h2>
  <p>{{ _("Everything goes: what was written, private messages, files, ratings and who it was. This cannot be undone.") }}</p>
  <form method="dialog" class="actions end" hx-post="/settings/privacy/erasures" hx-swap="none">
    {% for chat in chosen %}<input type="hidden" name="chat" value="{{ chat }}">{% endfor %}
    {{ button(_("Cancel"), attrs={"data-close-dialog": true, "autofocus": true}) }}
    {{ button(_("Erase"), "danger", type="submit") }}
  </form>
  {% else %}
  <h2 class="title" id="ask-title">{{ _("Nothing to erase") }}</h2>
  <p>{{ _("Choose a conversation that is over and not on hold.") }}</p>
  <div class="actions end">{{ button(_("Close"), attrs={"data-close-dialog": true, "autofocus": true}) }}</div>
  {% endif %}
</div>
{% endmacro %}

{% macro receipts(person, receipts) %}
{% call settings.page(person, _("Receipts"), _("What was erased because somebody asked: when and by whom, not of whom."), "/settings/privacy/person", back=("/settings/privacy/person", _("One person"))) %}
{% if receipts %}
<table class="cards-on-phone" aria-labelledby="page-title">
  <thead><tr><th scope="col">{{ _("Receipt") }}</th><th scope="col">{{ _("Erased at") }}</th><th scope="col">{{ _("By") }}</th><th scope="col">{{ _("Conversations") }}</th></tr></thead>
  <tbody>{% for each in receipts %}<tr><th scope="row"><a href="/settings/privacy/erasures/{{ each.id }}" translate="no">{{ each.code }}</a></th><td data-label="{{ _("Erased at") }}">{{ each.erased_at | short_day }}</td><td data-label="{{ _("By") }}" translate="no">{{ each.name }}</td><td data-label="{{ _("Conversations") }}">{{ each.conversations }}</td></tr>{% endfor %}</tbody>
</table>
{% else %}
{{ empty(_("No receipts yet"), _("Each erasure that somebody asks for leaves one here."), "file-text") }}
{% endif %}
{% endcall %}
{% endmacro %}

{% macro receipt(person, found) %}
{% call settings.page(person, _("Receipt of an erasure"), _("It holds nothing of whom it was about."), "/settings/privacy/person", back=("/settings/privacy/erasures", _("Receipts"))) %}
<dl class="facts" id="receipt"{% if not found.wiped_at %} hx-get="/settings/privacy/erasures/{{ found.id }}" hx-trigger="every 2s" hx-select="#receipt" hx-swap="outerHTML"{% endif %}>{% for term, value in receipt_facts(found) %}{{ fact(term, value, name=true) }}{% endfor %}</dl>
<div class="actions">{{ button(_("Download as text"), "secondary", "download", attrs={"href": "/settings/privacy/erasures/" ~ found.id ~ "/text", "download": true}) }}</div>
<p class="soft">{{ _("Backups and archives of the database keep what they hold: let them run out, too.") }}</p>
{% endcall %}
{% endmacro %}
""")  # noqa: E501
