"""Retention: how long the conversations and files of each queue are kept, and that they go then.

    GET /settings/privacy
    GET /settings/privacy/queues/{queue}
    PUT /settings/privacy/queues/{queue}

What has had its time goes at the start and every night, a batch at a time.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from litestar import Request, Response, get, put
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from msgspec import Struct

import db
import layouts
from db.clock import now
from db.tables import Chat, Erasure, Retention, Visitor
from features import desk, files, forgetting, holds, queues, settings
from features.access import Person, agent_of, may
from layouts import Form, _, html, template

log = structlog.get_logger(__name__)

LEAST_DAYS, MOST_DAYS = 7, 36_500  # a visitor may fetch the conversation for a week
AT_NIGHT_HOUR = 3
LOOK_EVERY_S = 300
MOST_BATCHES = 400  # in one night; the rest goes in the next
PAUSE_S = 0.05  # between batches, for whoever is talking
RECEIPTS_SHOWN = 10

settings.entry("privacy", "/settings/privacy", lambda: _("Retention"), "hourglass", "manage_privacy")


@dataclass(frozen=True)
class Kept:
    """How long a queue keeps what; 0: without limit."""

    queue: int
    name: str
    text_days: int
    file_days: int
    version: int


class RetentionForm(Struct):
    """As the page sends it."""

    text_days: str = "0"
    file_days: str = "0"
    version: str = "0"


@get("/settings/privacy", guards=[may("manage_privacy")])
async def index(request: Request[Any, Any, Any]) -> Response[str]:
    return html(ui.page(agent_of(request), await kept(), await latest()))


@get("/settings/privacy/queues/{queue:int}", guards=[may("manage_privacy")])
async def show(request: Request[Any, Any, Any], queue: FromPath[int]) -> Response[str]:
    found = await kept_in(queue)
    return html(ui.edit_page(agent_of(request), found, form_of(found)))


@put("/settings/privacy/queues/{queue:int}", guards=[may("manage_privacy")], status_code=200)
async def save(
    request: Request[Any, Any, Any], queue: FromPath[int], data: Form[RetentionForm]
) -> Response[str]:
    found = await kept_in(queue)
    if errors := problems_with(data):
        return html(ui.form(found, data, errors), status_code=422)
    values = {"text_days": int(data.text_days), "file_days": int(data.file_days)}
    try:
        await write(agent_of(request), queue, settings.version(data.version), values)
    except settings.Outdated:
        data.version = str((await kept_in(queue)).version)
        words = await settings.outdated(Retention, await row_of(queue))
        return html(ui.form(found, data, {"form": words}), status_code=409)
    return html(ui.form(found, form_of(await kept_in(queue))), settings.saved())


async def write(person: Person, queue: int, version: int, values: dict[str, int]) -> None:
    async with db.transaction():
        await db.lock("retention")  # the first who saves makes the row
        if row := await row_of(queue):
            await settings.change(person, Retention, row, version, values)
        else:
            await settings.make(person, Retention, {"queue": queue, **values})


async def row_of(queue: int) -> int:
    row = await Retention.select(Retention.id).where(Retention.queue == queue).first()
    return int(row["id"]) if row else 0


def problems_with(form: RetentionForm) -> dict[str, str]:
    errors = {}
    for name in ("text_days", "file_days"):
        text = getattr(form, name).strip()
        least = LEAST_DAYS if name == "text_days" else 1
        if text != "0" and not settings.whole_number(text, least, MOST_DAYS):
            errors[name] = _("0, or a whole number from %(least)s to %(most)s.") % {
                "least": layouts.number(least),
                "most": layouts.number(MOST_DAYS),
            }
    if not errors and 0 < int(form.text_days) < int(form.file_days):
        errors["file_days"] = _("Files go with their conversation at the latest.")
    return errors


async def kept() -> list[Kept]:
    rows = {row["queue"]: row for row in await Retention.select()}
    nothing = {"text_days": 0, "file_days": 0, "version": 0}
    return [
        Kept(queue, name, *(rows.get(queue, nothing)[each] for each in nothing))
        for queue, name in (await queues.names()).items()
    ]


async def kept_in(queue: int) -> Kept:
    for each in await kept():
        if each.queue == queue:
            return each
    raise NotFoundException


def form_of(found: Kept) -> RetentionForm:
    return RetentionForm(str(found.text_days), str(found.file_days), str(found.version))


async def latest() -> list[dict[str, Any]]:
    """What went because it was its time."""
    query = Erasure.select().where(Erasure.agent.is_null()).order_by(Erasure.id, ascending=False)
    rows: list[dict[str, Any]] = await query.limit(RECEIPTS_SHOWN)
    return rows


# ---- it goes ---------------------------------------------------------------------------------------------


async def purge_nightly(stop: asyncio.Event) -> None:
    done: datetime | None = None
    while not stop.is_set():
        if done is None or done < last_night():
            try:
                done = now()
                await purge(stop)
            except Exception:  # tomorrow again: the desk goes on
                log.exception("purge failed")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK_EVERY_S)


def last_night() -> datetime:
    here = now().astimezone(desk.facts.time_zone)
    night = here.replace(hour=AT_NIGHT_HOUR, minute=0, second=0, microsecond=0)
    return night if night <= here else night - timedelta(days=1)


async def purge(stop: asyncio.Event | None = None) -> forgetting.Gone:
    """Whatever has had its time, in every queue."""
    whole = forgetting.Gone()
    try:
        await take_all(whole, stop)
    finally:  # once for all batches: it writes the whole database anew
        if whole.conversations or whole.hashes:
            await forgetting.finish(forgetting.Gone())
    await forget_passers_by()
    return whole


async def take_all(whole: forgetting.Gone, stop: asyncio.Event | None) -> None:
    batches = 0
    for rule in await Retention.select():
        for days, past, take in (
            (rule["text_days"], conversations_past, forgetting.erase),
            (rule["file_days"], files_past, forgetting.drop_files),
        ):
            until = now() - timedelta(days=days)
            while days and batches < MOST_BATCHES and not (stop and stop.is_set()):
                batches += 1
                if not await a_batch(await past(rule["queue"], until), take, whole):
                    break
                await asyncio.sleep(PAUSE_S)


Take = Callable[[Sequence[int]], Awaitable[forgetting.Gone]]


async def a_batch(chats: list[int], take: Take, whole: forgetting.Gone) -> bool:
    """False when there is nothing more."""
    if not chats:
        return False
    async with db.transaction():
        gone = await take(chats)
        if gone.conversations or gone.hashes:
            await forgetting.receipt(None, gone)
    whole.add(gone)
    await forgetting.discard(gone)
    return bool(gone.conversations or gone.hashes)


async def conversations_past(queue: int, until: datetime) -> list[int]:
    """But for those whose visitor is still kept out by them."""
    rows = await db.sql(
        "SELECT chat.id FROM chat WHERE chat.queue = {} AND chat.state = 'ended' AND chat.ended_at < {}"
        " AND NOT EXISTS (SELECT 1 FROM legal_hold WHERE legal_hold.chat = chat.id)"
        " AND NOT EXISTS (SELECT 1 FROM block WHERE block.chat = chat.id"
        " AND block.lifted_at IS NULL AND block.until_at > {})"
        " ORDER BY chat.ended_at LIMIT {}",
        *(queue, until, now(), forgetting.BATCH),
    )
    return [row["id"] for row in rows]


async def files_past(queue: int, until: datetime) -> list[int]:
    held = " OR ".join(
        f"EXISTS (SELECT 1 FROM {name} WHERE {name}.chat = chat.id AND {name}.sha256 <> '')"  # noqa: S608
        for name in (table._meta.tablename for table in files.tables)
    )
    rows = await db.sql(
        "SELECT chat.id FROM chat WHERE chat.queue = {} AND chat.state = 'ended' AND chat.ended_at < {}"  # noqa: S608
        f" AND ({held}) AND NOT EXISTS (SELECT 1 FROM legal_hold WHERE legal_hold.chat = chat.id)"
        " ORDER BY chat.ended_at LIMIT {}",
        *(queue, until, forgetting.BATCH),
    )
    return [row["id"] for row in rows]


async def forget_passers_by() -> None:
    """Visitors without a conversation, a day later."""
    async with db.transaction():
        await db.lock(holds.LOCK)
        without = Visitor.id.not_in(Chat.select(Chat.visitor))
        await Visitor.delete().where(without).where(Visitor.created_at < now() - timedelta(days=1))


tasks = [purge_nightly]
routes = [index, show, save]

ui = template("""
{% from "components.html" import button, empty, field, notice, status %}
{% import "settings" as settings %}

{% macro page(person, queues, purges) %}
{% call settings.page(person, _("Retention"), _("How long conversations and their files are kept, per queue. What has had its time goes by itself, every night."), "/settings/privacy") %}
{% if queues %}
<table class="cards-on-phone" aria-labelledby="page-title">
  <thead><tr><th scope="col">{{ _("Queue") }}</th><th scope="col">{{ _("Conversations") }}</th><th scope="col">{{ _("Files") }}</th></tr></thead>
  <tbody>
    {% for queue in queues %}
    <tr>
      <th scope="row"><a href="/settings/privacy/queues/{{ queue.queue }}" translate="no">{{ queue.name }}</a></th>
      <td data-label="{{ _("Conversations") }}">{% if queue.text_days %}{{ ngettext("%(num)s day", "%(num)s days", queue.text_days) }}{% else %}{{ status("amber", _("without limit")) }}{% endif %}</td>
      <td data-label="{{ _("Files") }}">{% if queue.file_days %}{{ ngettext("%(num)s day", "%(num)s days", queue.file_days) }}{% else %}{{ _("as long as the conversation") }}{% endif %}</td>
    </tr>
    {% endfor %}
  </tbody>
</table>
{% else %}
{% call empty(_("No queues yet"), _("How long is set per queue, as soon as there is one."), "hourglass") %}{% if "manage_desk" in person.permissions %}{{ button(_("Add queue"), "primary", "plus", attrs={"href": "/settings/queues/new"}) }}{% endif %}{% endcall %}
{% endif %}
<section class="stack">
  <h2 class="title">{{ _("What went last") }}</h2>
  {% if purges %}
  <ul>{% for each in purges %}<li>{{ each.erased_at | day }}, {{ each.erased_at | clock_time }}: {{ ngettext("%(num)s conversation", "%(num)s conversations", each.conversations) }}, {{ ngettext("%(num)s file", "%(num)s files", each.files) }}</li>{% endfor %}</ul>
  {% else %}
  <p class="soft">{{ _("Nothing yet.") }}</p>
  {% endif %}
  <p class="soft">{{ _("Backups and archives of the database keep what they hold: let them run out, too.") }}</p>
</section>
{% endcall %}
{% endmacro %}

{% macro edit_page(person, queue, retention) %}
{% call settings.page(person, queue.name, _("How long this queue keeps its conversations, counted from their end."), "/settings/privacy", back=("/settings/privacy", _("Retention"))) %}
{{ form(queue, retention) }}
{% endcall %}
{% endmacro %}

{% macro form(queue, retention, errors={}) %}
<form id="retention" class="stack" method="dialog" data-guard hx-put="/settings/privacy/queues/{{ queue.queue }}" hx-swap="outerHTML" novalidate>
  {{ settings.problem(errors.get("form")) }}
  {{ field(_("Conversations (days)"), "text_days", retention.text_days, errors, hint=_("What was written, public and private, with who it was, ratings and how it went. 0 means: without limit."), attrs={"inputmode": "numeric", "class": "short"}) }}
  {{ field(_("Files (days)"), "file_days", retention.file_days, errors, hint=_("Their names stay in the conversation. 0 means: as long as the conversation."), attrs={"inputmode": "numeric", "class": "short"}) }}
  {{ notice("warning", _("A shorter time takes effect the next night, also for what is there already. It cannot be undone.")) }}
  {{ settings.save_bar("/settings/privacy", retention.version) }}
</form>
{% endmacro %}
""")  # noqa: E501
