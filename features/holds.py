"""Holds: a conversation that has to stay, for a complaint or a court, whatever its age and whoever asks.

    GET    /settings/privacy/holds
    POST   /settings/privacy/holds                 by its number
    PUT    /settings/privacy/holds/{chat}          the button beside a conversation
    DELETE /settings/privacy/holds/{chat}

`ui.control(chat, hold)` is that button, for whoever may manage privacy; `of` tells what it needs to know.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from litestar import Request, Response, delete, get, post, put
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from msgspec import Struct

import db
from db.clock import now
from db.tables import Chat, LegalHold
from features import audit, settings
from features.access import Person, agent_of, may
from layouts import Form, _, html, swap, template

REASON_LENGTH = 200
LOCK = "erasure"  # held by what erases, too: a conversation is put on hold before or after, not meanwhile

settings.entry("privacy", "/settings/privacy/holds", lambda: _("Legal hold"), "lock", "manage_privacy")


@dataclass(frozen=True)
class Hold:
    chat: int
    reason: str
    name: str  # of whoever said so
    held_at: datetime


class HoldForm(Struct):
    """As the page sends it."""

    chat: str = ""
    reason: str = ""


async def of(chat: int) -> Hold | None:
    return next(iter(await found([chat])), None)


async def among(chats: Sequence[int]) -> set[int]:
    """Those of them that have to stay."""
    if not chats:
        return set()
    rows = await LegalHold.select(LegalHold.chat).where(LegalHold.chat.is_in(list(chats)))
    return {row["chat"] for row in rows}


@get("/settings/privacy/holds", guards=[may("manage_privacy")])
async def index(request: Request[Any, Any, Any]) -> Response[str]:
    return html(ui.page(agent_of(request), await found(), HoldForm()))


@post("/settings/privacy/holds", guards=[may("manage_privacy")], status_code=200)
async def add(request: Request[Any, Any, Any], data: Form[HoldForm]) -> Response[str]:
    if errors := await problems_with(data):
        return html(ui.form(data, errors), status_code=422)
    await hold(agent_of(request), int(data.chat), data.reason)
    return html(ui.form(HoldForm()), swap("#holds", ui.listed(await found())), settings.saved())


@put("/settings/privacy/holds/{chat:int}", guards=[may("manage_privacy")], status_code=200)
async def put_on_hold(
    request: Request[Any, Any, Any], chat: FromPath[int], data: Form[HoldForm]
) -> Response[str]:
    data.chat = str(chat)
    errors = await problems_with(data)
    if "chat" in errors:
        raise NotFoundException
    if errors:
        return html(swap(f"#hold-{chat}", ui.control(chat, await of(chat), errors)), status_code=422)
    await hold(agent_of(request), chat, data.reason)
    return html(swap(f"#hold-{chat}", ui.control(chat, await of(chat))))


@delete("/settings/privacy/holds/{chat:int}", guards=[may("manage_privacy")], status_code=200)
async def release(request: Request[Any, Any, Any], chat: FromPath[int]) -> Response[str]:
    async with db.transaction():
        await db.lock(LOCK)
        if not await LegalHold.delete().where(LegalHold.chat == chat).returning(LegalHold.id):
            raise NotFoundException
        await audit.note(agent_of(request).id, "released", f"chat:{chat}")
    return html(
        swap(f"#hold-{chat}", ui.control(chat, None)),
        swap("#holds", ui.listed(await found())),
        settings.saved(),
    )


async def hold(person: Person, chat: int, reason: str) -> None:
    """What was said first stays."""
    async with db.transaction():
        await db.lock(LOCK)
        if not await Chat.exists().where(Chat.id == chat):
            raise NotFoundException
        await keep(person.id, chat, settings.one_line(reason))


async def keep(agent: int, chat: int, reason: str) -> int | None:
    """Within a transaction that holds the lock. The new one's id; None: it was on hold already."""
    if await LegalHold.exists().where(LegalHold.chat == chat):
        return None
    row = LegalHold(chat=chat, reason=reason, agent=agent, held_at=now())
    (made,) = await LegalHold.insert(row).returning(LegalHold.id)
    await audit.note(agent, "held", f"chat:{chat}", {"reason": None})
    return int(made["id"])


async def problems_with(form: HoldForm) -> dict[str, str]:
    errors = {}
    number = form.chat.strip()
    known = number.isascii() and number.isdecimal() and len(number) < 10
    started = Chat.exists().where(Chat.started_at.is_not_null())
    if not known or not await started.where(Chat.id == int(number)):
        errors["chat"] = _("There is no conversation with this number.")
    reason = settings.one_line(form.reason)
    if not reason:
        errors["reason"] = _("Say why it has to stay.")
    elif len(reason) > REASON_LENGTH:
        errors["reason"] = settings.too_long(len(reason), REASON_LENGTH)
    return errors


async def found(chats: Sequence[int] | None = None) -> list[Hold]:
    """The latest first."""
    query = LegalHold.select(
        LegalHold.chat, LegalHold.reason, LegalHold.agent.name.as_alias("name"), LegalHold.held_at
    )
    if chats is not None:
        query = query.where(LegalHold.chat.is_in(list(chats)))
    rows = await query.order_by(LegalHold.id, ascending=False)
    return [Hold(row["chat"], row["reason"], row["name"] or "", row["held_at"]) for row in rows]


routes = [index, add, put_on_hold, release]

ui = template("""
{% from "components.html" import button, empty, field, icon %}
{% import "settings" as settings %}

{% macro page(person, holds, hold) %}
{% call settings.page(person, _("Legal hold"), _("What has to stay for a complaint or a court: no date and no request erases it."), "/settings/privacy/holds") %}
{{ listed(holds) }}
<section class="stack">
  <h2 class="title">{{ _("Put on hold") }}</h2>
  {{ form(hold) }}
</section>
{% endcall %}
{% endmacro %}

{% macro form(hold, errors={}) %}
<form id="new-hold" class="stack" method="dialog" hx-post="/settings/privacy/holds" hx-swap="outerHTML" novalidate>
  {{ field(_("Number of the conversation"), "chat", hold.chat, errors, attrs={"inputmode": "numeric", "class": "short"}) }}
  {{ field(_("Reason"), "reason", hold.reason, errors, hint=_("Such as the number of the complaint. No names.")) }}
  <div class="actions">{{ button(_("Put on hold"), "primary", "lock", type="submit") }}</div>
</form>
{% endmacro %}

{% macro listed(holds) %}
<div id="holds">
{% if holds %}
<table class="cards-on-phone" aria-labelledby="page-title">
  <thead><tr><th scope="col">{{ _("Conversation") }}</th><th scope="col">{{ _("Reason") }}</th><th scope="col">{{ _("Since") }}</th><th scope="col">{{ _("By") }}</th><th scope="col"><span class="visually-hidden">{{ _("Release") }}</span></th></tr></thead>
  <tbody>
    {% for hold in holds %}
    <tr>
      <th scope="row">{{ hold.chat }}</th>
      <td data-label="{{ _("Reason") }}" translate="no">{{ hold.reason }}</td>
      <td data-label="{{ _("Since") }}">{{ hold.held_at | short_day }}</td>
      <td data-label="{{ _("By") }}" translate="no">{{ hold.name }}</td>
      <td>{{ button(_("Release"), "secondary", attrs={"hx-delete": "/settings/privacy/holds/" ~ hold.chat, "hx-swap": "none", "aria-label": _("Release conversation %(chat)s", chat=hold.chat | string)}) }}</td>
    </tr>
    {% endfor %}
  </tbody>
</table>
{% else %}
{{ empty(_("Nothing is on hold"), _("Every conversation goes when its time has come, or when somebody asks for it."), "lock") }}
{% endif %}
</div>
{% endmacro %}

{# Beside one conversation. #}
{% macro control(chat, hold, errors={}) %}
<div id="hold-{{ chat }}" class="stack">
{% if hold %}
<p>{{ icon("lock") }} {{ _("On hold since %(day)s: it is not erased.", day=hold.held_at | short_day) }} <span translate="no">{{ hold.reason }}</span></p>
<div class="actions">{{ button(_("Release"), "secondary", attrs={"hx-delete": "/settings/privacy/holds/" ~ chat, "hx-swap": "none"}) }}</div>
{% else %}
<form class="stack" method="dialog" hx-put="/settings/privacy/holds/{{ chat }}" hx-swap="none" novalidate>
  {{ field(_("Reason"), "reason", "", errors, hint=_("Such as the number of the complaint. No names."), id="hold-reason") }}
  <div class="actions">{{ button(_("Put on hold"), "secondary", "lock", type="submit") }}</div>
</form>
{% endif %}
</div>
{% endmacro %}
""")  # noqa: E501
