"""Queues: where chats wait. The line itself is routing's; when one is open, `hours`'s.

GET    /settings/queues, /settings/queues/new, /settings/queues/{id}
POST   /settings/queues
PUT    /settings/queues/{id}
GET    /settings/queues/{id}/deletion    the question, or what still uses it
DELETE /settings/queues/{id}
"""

from dataclasses import dataclass
from typing import Any

from litestar import Request, Response, delete, get, post, put
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from msgspec import Struct

import db
import layouts
from db.tables import Queue
from features import live, settings
from features.access import Person, agent_of, may
from layouts import Form, _, html, swap, template

NAME_LENGTH = 60


class QueueChanged(live.Event, frozen=True):
    """An admin has changed the queue: its name, its limits or its hours."""

    queue: int


@dataclass(frozen=True)
class Limit:
    """A span of time that an admin sets; kept in seconds or minutes, shown in its own unit."""

    column: str
    per: int  # of what is kept, in one of what is shown
    least: int  # as shown
    most: int


LIMITS = (
    Limit("answer_s", 1, 10, 300),
    Limit("grace_s", 1, 15, 600),
    Limit("overdue_s", 60, 1, 120),
    Limit("away_s", 60, 1, 120),
    Limit("idle_minutes", 1, 0, 240),
)


@dataclass(frozen=True)
class QueueFacts:
    id: int
    name: str
    waiting: int
    green: bool
    profiles: int  # that serve it


# ---- what other features ask -----------------------------------------------------------------------------


async def names() -> dict[int, str]:
    """Every queue, in order of name."""
    rows = await Queue.select(Queue.id, Queue.name).order_by(Queue.name, Queue.id)
    return {row["id"]: row["name"] for row in rows}


async def name_of(queue: int) -> str:
    """ "" if there is no such queue."""
    return (await names()).get(queue, "")


async def waiting_counts() -> dict[int, int]:
    """How many chats wait in each queue; whoever is still filling in the form is not counted."""
    rows = await db.sql(
        "SELECT queue.id, count(chat.id) AS waiting FROM queue"
        " LEFT JOIN chat ON chat.queue = queue.id AND chat.state = 'waiting' GROUP BY queue.id"
    )
    return {row["id"]: row["waiting"] for row in rows}


# ---- settings --------------------------------------------------------------------------------------------

settings.entry("desk", "/settings/queues", lambda: _("Queues"), "list", "manage_desk")


class QueueForm(Struct):
    """As the page sends it: all of it text, so that what is wrong can be shown as it was typed."""

    name: str = ""
    answer_s: str = "30"
    grace_s: str = "60"
    overdue_s: str = "5"
    away_s: str = "10"
    idle_minutes: str = "10"
    version: str = ""


@get("/settings/queues", guards=[may("manage_desk")])
async def index(request: Request[Any, Any, Any]) -> Response[str]:
    return html(ui.page(agent_of(request), await all_queues()))


@get("/settings/queues/new", guards=[may("manage_desk")])
async def blank(request: Request[Any, Any, Any]) -> Response[str]:
    return html(ui.edit_page(agent_of(request), None, QueueForm()))


@get("/settings/queues/{queue:int}", guards=[may("manage_desk")])
async def show(request: Request[Any, Any, Any], queue: FromPath[int]) -> Response[str]:
    return html(ui.edit_page(agent_of(request), queue, await form_of(queue)))


@post("/settings/queues", guards=[may("manage_desk")], status_code=200)
async def create(request: Request[Any, Any, Any], data: Form[QueueForm]) -> Response[str]:
    if errors := await problems_with(data, None):
        return html(ui.form(None, data, errors), status_code=422)
    async with db.transaction():
        await add(agent_of(request), data)
    return settings.leave_for("/settings/queues")


async def add(person: Person, data: QueueForm) -> int:
    """Within a transaction. The new queue."""
    queue = await settings.make(person, Queue, values(data))
    db.after_commit(lambda: live.publish("desk", QueueChanged(queue)))
    return queue


@put("/settings/queues/{queue:int}", guards=[may("manage_desk")], status_code=200)
async def save(request: Request[Any, Any, Any], queue: FromPath[int], data: Form[QueueForm]) -> Response[str]:
    if errors := await problems_with(data, queue):
        return html(ui.form(queue, data, errors), status_code=422)
    try:
        async with db.transaction():
            await settings.change(
                agent_of(request), Queue, queue, settings.version(data.version), values(data)
            )
            db.after_commit(lambda: publish_change(queue))
    except settings.Outdated:
        data.version = (await form_of(queue)).version
        words = await settings.outdated(Queue, queue)
        return html(ui.form(queue, data, {"form": words}), status_code=409)
    now_saved = await form_of(queue)
    return html(ui.form(queue, now_saved, {}), settings.saved(now_saved.name))


@get("/settings/queues/{queue:int}/deletion", guards=[may("manage_desk")])
async def ask_deletion(queue: FromPath[int]) -> Response[str]:
    return html(swap("#ask-body", await deletion(queue), "innerHTML"))


@delete("/settings/queues/{queue:int}", guards=[may("manage_desk")], status_code=200)
async def destroy(request: Request[Any, Any, Any], queue: FromPath[int]) -> Response[str]:
    async with db.transaction():
        await db.lock("routing")  # nobody is put into it meanwhile
        if await uses_of(queue):
            return html(swap("#ask-body", await deletion(queue), "innerHTML"), status_code=409)
        await settings.unmake(agent_of(request), Queue, queue)
        db.after_commit(lambda: publish_change(queue))
    return settings.leave_for("/settings/queues")


def publish_change(queue: int) -> None:
    for topic in ("desk", f"queue:{queue}"):
        live.publish(topic, QueueChanged(queue))


async def deletion(queue: int) -> str:
    name, uses = await name_of(queue), await uses_of(queue)
    title = _("Delete the queue %(name)s?") % {"name": name}
    if uses:
        return settings.ui.in_use(_("The queue %(name)s cannot be deleted") % {"name": name}, uses)
    words = _("Its opening hours go with it. This cannot be undone.")
    return settings.ui.ask_deleting(title, words, f"/settings/queues/{queue}")


async def all_queues() -> list[QueueFacts]:
    rows = await db.sql(
        "SELECT queue.id, queue.name, queue.green,"
        " (SELECT count(*) FROM chat WHERE chat.queue = queue.id AND chat.state = 'waiting') AS waiting,"
        " (SELECT count(*) FROM profile_queue WHERE profile_queue.queue = queue.id) AS profiles"
        " FROM queue ORDER BY queue.name, queue.id"
    )
    return [QueueFacts(**row) for row in rows]


async def form_of(queue: int) -> QueueForm:
    row = await Queue.select().where(Queue.id == queue).first()
    if row is None:
        raise NotFoundException
    spans = {limit.column: str(row[limit.column] // limit.per) for limit in LIMITS}
    return QueueForm(name=row["name"], version=str(row["version"]), **spans)


def values(form: QueueForm) -> dict[str, Any]:
    spans = {limit.column: int(getattr(form, limit.column)) * limit.per for limit in LIMITS}
    return {"name": settings.one_line(form.name), **spans}


async def problems_with(form: QueueForm, queue: int | None) -> dict[str, str]:
    errors = {}
    name = settings.one_line(form.name)
    if not name:
        errors["name"] = _("Give it a name.")
    elif len(name) > NAME_LENGTH:
        errors["name"] = settings.too_long(len(name), NAME_LENGTH)
    elif any(each.lower() == name.lower() and id != queue for id, each in (await names()).items()):
        errors["name"] = _("There is a queue with this name already.")
    for limit in LIMITS:
        if not settings.whole_number(getattr(form, limit.column), limit.least, limit.most):
            errors[limit.column] = _("A whole number from %(least)s to %(most)s.") % {
                "least": layouts.number(limit.least),
                "most": layouts.number(limit.most),
            }
    return errors


async def uses_of(queue: int) -> list[tuple[str, str]]:
    """What would be lost with it, in words, and where to change that."""
    found = [
        (_("Profile %(name)s") % row, f"/settings/profiles/{row['id']}")
        for row in await db.sql(
            "SELECT profile.id, profile.name FROM profile"
            " JOIN profile_queue ON profile_queue.profile = profile.id"
            " WHERE profile_queue.queue = {} ORDER BY profile.name",
            queue,
        )
    ]
    found += [
        (_("Widget %(name)s") % row, f"/settings/widgets/{row['id']}")
        for row in await db.sql(
            "SELECT DISTINCT widget.id, widget.name FROM widget JOIN subject ON subject.widget = widget.id"
            " WHERE subject.queue = {} ORDER BY widget.name",
            queue,
        )
    ]
    (chats,) = await db.sql("SELECT count(*) AS n FROM chat WHERE queue = {}", queue)
    if chats["n"]:
        words = layouts.ngettext(
            "%(n)s conversation in the log", "%(n)s conversations in the log", chats["n"]
        )
        found.append((words % {"n": layouts.number(chats["n"])}, ""))
    return found


routes: list[Any] = [index, blank, show, create, save, ask_deletion, destroy]

ui = template("""
{% from "components.html" import button, dot, empty, field, icon, status %}
{% import "settings" as settings %}

{% macro page(person, queues) %}
{% call settings.page(person, _("Queues"), _("A queue is where chats wait until somebody takes them. Visitors choose it by its subject."), "/settings/queues") %}
{% if queues %}
<div class="actions">{{ button(_("Add queue"), "primary", "plus", attrs={"href": "/settings/queues/new"}) }}</div>
<table class="cards-on-phone" aria-labelledby="page-title">
  <thead><tr><th scope="col">{{ _("Name") }}</th><th scope="col">{{ _("Now") }}</th><th scope="col">{{ _("Waiting") }}</th><th scope="col">{{ _("Served by") }}</th></tr></thead>
  <tbody>
    {% for queue in queues %}
    <tr>
      <th scope="row"><a href="/settings/queues/{{ queue.id }}" translate="no">{{ queue.name }}</a></th>
      <td data-label="{{ _("Now") }}">{{ status("green", _("Somebody is free")) if queue.green else status("blue", _("Nobody is free")) }}</td>
      <td data-label="{{ _("Waiting") }}">{{ queue.waiting | number }}</td>
      <td data-label="{{ _("Served by") }}">{% if queue.profiles %}{{ ngettext("%(num)s profile", "%(num)s profiles", queue.profiles) }}{% else %}{{ status("amber", _("no profile yet")) }}{% endif %}</td>
    </tr>
    {% endfor %}
  </tbody>
</table>
{% else %}
{% call empty(_("No queues yet"), _("Make the first one: “General”, for example. Chats wait in it until an agent takes them."), "list") %}{{ button(_("Add queue"), "primary", "plus", attrs={"href": "/settings/queues/new"}) }}{% endcall %}
{% endif %}
{% endcall %}
{% endmacro %}

{% macro edit_page(person, id, queue) %}
{% call settings.page(person, queue.name if id else _("Add queue"), _("What happens in this queue, and how long it takes."), "/settings/queues", back=("/settings/queues", _("Queues"))) %}
{{ form(id, queue) }}
{% if id %}
<section class="stack danger-zone">
  <h2 class="title">{{ _("Delete") }}</h2>
  <p class="soft">{{ _("Only what nothing else uses can be deleted.") }}</p>
  <div class="actions">{{ button(_("Delete queue"), "secondary", "trash-2", attrs={"hx-get": "/settings/queues/" ~ id ~ "/deletion", "hx-swap": "none"}) }}</div>
</section>
{% endif %}
{% endcall %}
{% endmacro %}

{% macro form(id, queue, errors={}) %}
<form id="queue" class="stack" method="dialog" data-guard {% if id %}hx-put="/settings/queues/{{ id }}"{% else %}hx-post="/settings/queues"{% endif %} hx-swap="outerHTML" novalidate>
  {{ settings.problem(errors.get("form")) }}
  {{ field(_("Name"), "name", queue.name, errors, hint=_("Visitors see it when they are transferred.")) }}
  <fieldset class="stack">
    <legend class="title">{{ _("Times") }}</legend>
    {{ span(_("An agent who is asked has to answer within"), "answer_s", _("seconds"), queue, errors, _("Then the chat goes to the next agent, and this one is paused.")) }}
    {{ span(_("A conversation waits for an agent whose line is gone"), "grace_s", _("seconds"), queue, errors, _("Then it goes back to the head of the queue.")) }}
    {{ span(_("From then on, the longest waiting comes first"), "overdue_s", _("minutes"), queue, errors, _("Even before chats of a queue with a higher priority.")) }}
    {{ span(_("A conversation waits for a visitor who is gone"), "away_s", _("minutes"), queue, errors, _("Then it ends.")) }}
    {{ span(_("A silent visitor is asked “Are you still there?” after"), "idle_minutes", _("minutes"), queue, errors, _("0 means: never.")) }}
  </fieldset>
  {{ settings.save_bar("/settings/queues", queue.version if id else "", "" if id else _("Add queue")) }}
</form>
{% endmacro %}

{% macro span(label, name, unit, queue, errors, hint) %}
<div class="with-unit">{{ field(label ~ " (" ~ unit ~ ")", name, queue[name], errors, hint=hint, attrs={"inputmode": "numeric", "class": "short"}) }}</div>
{% endmacro %}
""")  # noqa: E501
