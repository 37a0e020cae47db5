"""Widget settings: the list of widgets, and of each what it is: its sites, subjects, form and snippet.

    GET    /settings/widgets, /settings/widgets/new, /settings/widgets/{id}
    POST   /settings/widgets
    PUT    /settings/widgets/{id}
    GET    /settings/widgets/{id}/deletion    the question, or what still uses it
    DELETE /settings/widgets/{id}

Its texts, its colours and its signing keys have pages of their own beside this one.
"""

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import zip_longest
from typing import Any

from litestar import Request, Response, delete, get, post, put
from litestar.datastructures import FormMultiDict
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

import db
import layouts
from db.settings import settings as environment
from db.tables import Chat, Identity, Subject, Visitor, Widget
from features import desk, live, queues, settings, widget
from features.access import Person, agent_of, may
from features.widget import WidgetChanged, WidgetFacts
from layouts import LANGUAGES, _, html, language_name, swap, template

FIELDS = ("name", "email", "subject", "question")
NAME_LENGTH, LABEL_LENGTH, ORIGIN_LENGTH, MOST_ROWS = 60, 60, 200, 50
EXAMPLE = "https://www.example.be"
KEY_LETTERS, KEY_LENGTH = "abcdefghjkmnpqrstuvwxyz23456789", 10  # none that look like another
HOST = r"([a-z0-9_-]+\.)*[a-z0-9_-]+"
SITE = re.compile(
    rf"https://({HOST}|\*\.{HOST}\.[a-z0-9-]+)(:\d{{1,5}})?|https?://(localhost|127\.0\.0\.1|\[::1\])(:\d{{1,5}})?"
)

settings.entry("desk", "/settings/widgets", lambda: _("Widgets"), "message-square-text", "manage_widgets")


@dataclass
class Row:
    """A subject, as the page sends it."""

    id: str = ""
    queue: str = ""
    labels: dict[str, str] = field(default_factory=dict)


@dataclass
class SetupForm:
    name: str = ""
    language: str = "nl"
    origins: list[str] = field(default_factory=lambda: [""])
    subjects: list[Row] = field(default_factory=lambda: [Row()])
    form: list[str] = field(default_factory=lambda: list(FIELDS))
    documents: bool = True
    version: str = ""


@dataclass(frozen=True)
class Listed:
    id: int
    name: str
    key: str
    green: bool
    origins: list[str]
    queues: str


# ---- pages -----------------------------------------------------------------------------------------------


@get("/settings/widgets", guards=[may("manage_widgets")])
async def index(request: Request[Any, Any, Any]) -> Response[str]:
    return html(ui.page(agent_of(request), await all_widgets()))


@get("/settings/widgets/new", guards=[may("manage_widgets")])
async def blank(request: Request[Any, Any, Any]) -> Response[str]:
    known = await queues.names()
    first = [Row(queue=str(id)) for id in list(known)[:1]]
    form = SetupForm(language=desk.facts.language, subjects=first or [Row()])
    return html(ui.new_page(agent_of(request), form, known))


@get("/settings/widgets/{id:int}", guards=[may("manage_widgets")])
async def show(request: Request[Any, Any, Any], id: FromPath[int]) -> Response[str]:
    found = await widget_by_id(id)
    return html(
        ui.edit_page(agent_of(request), found, await form_of(found), await queues.names(), environment.url)
    )


@post("/settings/widgets", guards=[may("manage_widgets")], status_code=200)
async def create(request: Request[Any, Any, Any]) -> Response[str]:
    data, known = sent(await request.form()), await queues.names()
    if errors := problems_with(data, known, await names()):
        return html(ui.form(None, data, known, errors), status_code=422)
    async with db.transaction():
        id = await add(agent_of(request), data)
    return settings.leave_for(f"/settings/widgets/{id}")


async def add(person: Person, data: SetupForm) -> int:
    """Within a transaction. The new widget."""
    id = await settings.make(person, Widget, values(data) | {"key": new_key()})
    await keep_subjects(id, data.subjects)
    db.after_commit(partial(changed, id))
    return id


@put("/settings/widgets/{id:int}", guards=[may("manage_widgets")], status_code=200)
async def save(request: Request[Any, Any, Any], id: FromPath[int]) -> Response[str]:
    data, known = sent(await request.form()), await queues.names()
    others = {other: name for other, name in (await names()).items() if other != id}
    if errors := problems_with(data, known, others):
        return html(ui.form(id, data, known, errors), status_code=422)
    try:
        async with db.transaction():
            await write(agent_of(request), id, data)
    except settings.Outdated:
        data.version = str((await widget_by_id(id)).version)
        errors = {"form": await settings.outdated(Widget, id)}
        return html(ui.form(id, data, known, errors), status_code=409)
    found = await widget_by_id(id)
    return html(ui.form(id, await form_of(found), known, {}), settings.saved(found.name))


async def write(person: Person, id: int, data: SetupForm) -> None:
    before = await said_of_subjects(id)
    await keep_subjects(id, data.subjects)
    after = await said_of_subjects(id)
    more = {"subjects": (before, after)} if before != after else None
    await settings.change(person, Widget, id, settings.version(data.version), values(data), more)
    db.after_commit(partial(changed, id))


def changed(id: int) -> None:
    """Open buttons follow at once."""
    live.publish("desk", WidgetChanged(id))


async def keep_subjects(id: int, rows: Sequence[Row]) -> None:
    """In their order. One that was there stays what it is: conversations tell of it."""
    kept = {str(each["id"]) for each in await Subject.select(Subject.id).where(Subject.widget == id)}
    staying = [int(row.id) for row in rows if row.id in kept]
    gone = Subject.delete().where(Subject.widget == id)
    await (gone.where(Subject.id.not_in(staying)) if staying else gone)
    for position, row in enumerate(rows):
        label = json.dumps({code: text for code, text in row.labels.items() if text}, ensure_ascii=False)
        columns: dict[Any, Any] = {
            Subject.queue: int(row.queue),
            Subject.label: label,
            Subject.position: position,
        }
        if row.id in kept:
            await Subject.update(columns).where(Subject.id == int(row.id))
        else:
            new = Subject(widget=id, queue=int(row.queue), label=label, position=position)
            await Subject.insert(new)


async def said_of_subjects(id: int) -> list[Any]:
    """For the audit."""
    return [[each.queue, each.labels] for each in await widget.subjects(id)]


# ---- deletion --------------------------------------------------------------------------------------------


@get("/settings/widgets/{id:int}/deletion", guards=[may("manage_widgets")])
async def ask_deletion(id: FromPath[int]) -> Response[str]:
    return html(swap("#ask-body", await deletion(await widget_by_id(id)), "innerHTML"))


@delete("/settings/widgets/{id:int}", guards=[may("manage_widgets")], status_code=200)
async def destroy(request: Request[Any, Any, Any], id: FromPath[int]) -> Response[str]:
    found = await widget_by_id(id)
    async with db.transaction():
        await db.lock("routing")  # nobody presses meanwhile
        if await uses_of(id):
            return html(swap("#ask-body", await deletion(found), "innerHTML"), status_code=409)
        await Identity.delete().where(Identity.widget == id)
        await Visitor.delete().where(Visitor.widget == id)
        await settings.unmake(agent_of(request), Widget, id)
        db.after_commit(partial(changed, id))
    return settings.leave_for("/settings/widgets")


async def deletion(found: WidgetFacts) -> str:
    named = {"name": found.name}
    if uses := await uses_of(found.id):
        return settings.ui.in_use(_("The widget %(name)s cannot be deleted") % named, uses)
    words = _(
        "Its subjects and signing keys go with it, and the button disappears from every page that embeds it."
        " This cannot be undone."
    )
    return settings.ui.ask_deleting(
        _("Delete the widget %(name)s?") % named, words, f"/settings/widgets/{found.id}"
    )


async def uses_of(id: int) -> list[tuple[str, str]]:
    chats = await Chat.count().where(Chat.widget == id)
    words = layouts.ngettext("%(n)s conversation in the log", "%(n)s conversations in the log", chats)
    return [(words % {"n": layouts.number(chats)}, "")] if chats else []


# ---- reading and judging ---------------------------------------------------------------------------------


async def all_widgets() -> list[Listed]:
    rows = await Widget.select(Widget.id, Widget.name, Widget.key, Widget.origins).order_by(
        Widget.name, Widget.id
    )
    served = await (
        Subject.select(
            Subject.widget, Subject.queue.name.as_alias("queue"), Subject.queue.green.as_alias("green")
        )
        .order_by(Subject.position)
        .order_by(Subject.id)
    )
    found = []
    for row in rows:
        mine = [each for each in served if each["widget"] == row["id"]]
        in_order = dict.fromkeys(each["queue"] for each in mine)
        green = any(each["green"] for each in mine)
        origins = json.loads(row["origins"])
        found.append(Listed(row["id"], row["name"], row["key"], green, origins, layouts.all_of(in_order)))
    return found


async def names() -> dict[int, str]:
    return {row["id"]: row["name"] for row in await Widget.select(Widget.id, Widget.name)}


async def widget_by_id(id: int) -> WidgetFacts:
    row = await Widget.select(Widget.key).where(Widget.id == id).first()
    found = await widget.widget_by_key(row["key"]) if row else None
    if found is None:
        raise NotFoundException
    return found


async def form_of(found: WidgetFacts) -> SetupForm:
    rows = [Row(str(each.id), str(each.queue), dict(each.labels)) for each in await widget.subjects(found.id)]
    return SetupForm(
        found.name,
        found.language,
        found.origins or [""],
        rows or [Row()],
        found.form,
        found.documents,
        str(found.version),
    )


def sent(form: FormMultiDict) -> SetupForm:
    """The rows come column by column."""

    def column(name: str) -> list[str]:
        return [str(each) for each in form.getall(name, [])]

    ids, chosen = column("subject"), column("queue")
    labels = zip_longest(*(column(f"label_{code}") for code in LANGUAGES), fillvalue="")
    rows = [
        Row(id, queue, dict(zip(LANGUAGES, map(settings.one_line, words or [""] * 4), strict=True)))
        for id, queue, words in zip_longest(ids, chosen, labels, fillvalue="")
    ]
    return SetupForm(
        str(form.get("name", "")),
        str(form.get("language", "")),
        [origin_of(each) for each in column("origin")] or [""],
        rows[:MOST_ROWS],
        [each for each in FIELDS if each in column("asked")],
        "documents" in form,
        str(form.get("version", "")),
    )


def origin_of(typed: str) -> str:
    """As browsers write one."""
    return settings.one_line(typed).lower().removesuffix("/")


def values(data: SetupForm) -> dict[str, Any]:
    return {
        "name": settings.one_line(data.name),
        "language": data.language,
        "origins": json.dumps([each for each in dict.fromkeys(data.origins) if each]),
        "form": json.dumps(data.form),
        "documents": data.documents,
    }


def new_key() -> str:
    return "".join(secrets.choice(KEY_LETTERS) for _place in range(KEY_LENGTH))


def problems_with(data: SetupForm, known: Mapping[int, str], others: Mapping[int, str]) -> dict[str, str]:
    errors = {}
    name = settings.one_line(data.name)
    if not name:
        errors["name"] = _("Give it a name.")
    elif len(name) > NAME_LENGTH:
        errors["name"] = settings.too_long(len(name), NAME_LENGTH)
    elif name.lower() in [each.lower() for each in others.values()]:
        errors["name"] = _("There is a widget with this name already.")
    if data.language not in LANGUAGES:
        errors["language"] = _("Choose a language.")
    for at, origin in enumerate(data.origins):
        if origin and (problem := problem_with_origin(origin)):
            errors[f"origin-{at}"] = problem
    if not data.subjects:
        errors["subjects"] = _("Give at least one subject: it says in which queue a conversation waits.")
    for at, row in enumerate(data.subjects):
        if not (row.queue.isdecimal() and int(row.queue) in known):
            errors[f"queue-{at}"] = _("Choose a queue.")
        longest = max(map(len, row.labels.values()), default=0)
        if longest > LABEL_LENGTH:
            errors[f"label-{at}"] = settings.too_long(longest, LABEL_LENGTH)
    return errors


def problem_with_origin(origin: str) -> str:
    if len(origin) > ORIGIN_LENGTH:
        return settings.too_long(len(origin), ORIGIN_LENGTH)
    if SITE.fullmatch(origin) and widget.ORIGIN.fullmatch(origin):
        return ""
    if origin.startswith("http://"):
        return _("The address has to begin with %(start)s.") % {"start": "https://"}
    return _("Only the beginning of an address, such as %(example)s, without what comes after it.") % {
        "example": EXAMPLE
    }


layouts.env.globals["empty_row"] = Row()
routes: list[Any] = [index, blank, show, create, save, ask_deletion, destroy]

layouts.env.globals["language_names"] = lambda: {code: language_name(code) for code in LANGUAGES}

ui = template("""
{% from "components.html" import button, checkbox, empty, field, icon, icon_button, remarks, select_field, status %}
{% import "settings" as settings %}

{% macro page(person, widgets) %}
{% call settings.page(person, _("Widgets"), _("A widget is the button on your site, with its subjects, its texts and its colours. Each site or form may have one of its own."), "/settings/widgets", wide=true) %}
{% if widgets %}
<div class="actions">{{ button(_("Add widget"), "primary", "plus", attrs={"href": "/settings/widgets/new"}) }}</div>
<table class="cards-on-phone" aria-labelledby="page-title">
  <thead><tr><th scope="col">{{ _("Name") }}</th><th scope="col">{{ _("Now") }}</th><th scope="col">{{ _("Queues") }}</th><th scope="col">{{ _("Sites") }}</th></tr></thead>
  <tbody>
    {% for each in widgets %}
    <tr>
      <th scope="row"><a href="/settings/widgets/{{ each.id }}" translate="no">{{ each.name }}</a></th>
      <td data-label="{{ _("Now") }}">{{ status("green", _("Green")) if each.green else status("blue", _("Blue")) }}</td>
      <td data-label="{{ _("Queues") }}"><span translate="no">{{ each.queues }}</span></td>
      <td data-label="{{ _("Sites") }}">{% if each.origins %}<span translate="no">{{ each.origins | join(", ") }}</span>{% else %}{{ status("amber", _("none yet")) }}{% endif %}</td>
    </tr>
    {% endfor %}
  </tbody>
</table>
{% else %}
{% call empty(_("No widgets yet"), _("Make the first one, then paste its line into your site: the button appears at once."), "message-square-text") %}{{ button(_("Add widget"), "primary", "plus", attrs={"href": "/settings/widgets/new"}) }}{% endcall %}
{% endif %}
{% endcall %}
{% endmacro %}

{# {% call widgets.frame(person, widget, "texts", words) %}…{% endcall %}: a page of one widget, with the way to its others. #}
{% macro frame(person, widget, here, words) %}
{% set inner = caller() %}
{% set rooms = [("", _("Set-up")), ("/texts", _("Texts")), ("/looks", _("Colours and preview")), ("/keys", _("Signed data"))] %}
{% set part = dict(rooms)["/" ~ here if here else ""] %}
{% call settings.page(person, widget.name, words, "/settings/widgets", back=("/settings/widgets", _("Widgets")), wide=true, part=part) %}
<link rel="stylesheet" href="{{ asset("widgets.css") }}">
<nav class="rooms" aria-label="{{ _("Widget") }}">
  {% set path = "/settings/widgets/" ~ widget.id %}
  {% for room, words in rooms %}
  <a href="{{ path ~ room }}"{% if "/" ~ here == room or here == room %} aria-current="page"{% endif %}>{{ words }}</a>
  {% endfor %}
</nav>
{{ inner }}
<script src="{{ asset("widgets.js") }}"></script>
{% endcall %}
{% endmacro %}

{% macro new_page(person, data, queues) %}
{% call settings.page(person, _("Add widget"), _("You choose its texts and colours afterwards."), "/settings/widgets", back=("/settings/widgets", _("Widgets"))) %}
<link rel="stylesheet" href="{{ asset("widgets.css") }}">
{{ form(none, data, queues) }}
<script src="{{ asset("widgets.js") }}"></script>
{% endcall %}
{% endmacro %}

{% macro edit_page(person, widget, data, queues, url) %}
{% call frame(person, widget, "", _("Where the button stands, what visitors can choose, and what they are asked first.")) %}
{{ snippet(widget, url) }}
<div class="actions">{{ button(_("See it work"), "secondary", "external-link", attrs={"href": "/settings/widgets/" ~ widget.id ~ "/trial", "target": "_blank", "rel": "noopener"}) }}</div>
{{ form(widget.id, data, queues) }}
<section class="stack danger-zone">
  <h2 class="title">{{ _("Delete") }}</h2>
  <p class="soft">{{ _("Only what nothing else uses can be deleted.") }}</p>
  <div class="actions">{{ button(_("Delete widget"), "secondary", "trash-2", attrs={"hx-get": "/settings/widgets/" ~ widget.id ~ "/deletion", "hx-swap": "none"}) }}</div>
</section>
{% endcall %}
{% endmacro %}

{# What makes the button appear. #}
{% macro snippet(widget, url) %}
<section class="stack" aria-labelledby="snippet-title">
  <h2 class="title" id="snippet-title">{{ _("Put it on your site") }}</h2>
  <p class="soft">{{ _("Paste this line into every page that has to show the button. The page may say data-lang=\\"fr\\" to choose the language; otherwise that of the page counts.") }}</p>
  {{ copied("snippet", '<script async src="' ~ url ~ '/embed.js" data-widget="' ~ widget.key ~ '"></script>') }}
  <p class="soft">{{ _("Does your site have a content security policy? It has to allow %(url)s in script-src, connect-src and frame-src.", url=url) }}</p>
  <div class="field">
    <p class="legend" id="direct-words">{{ _("Or link to the chat on a page of its own") }}</p>
    {{ copied("direct", url ~ "/widget/" ~ widget.key) }}
  </div>
  <div class="field">
    <p class="legend">{{ _("For whoever builds your site: the guide, which needs no account") }}</p>
    {{ copied("guide", url ~ "/guide/" ~ widget.key) }}
  </div>
</section>
{% endmacro %}

{# Code or an address, and a button that copies it. #}
{% macro copied(id, text) %}
<div class="copied">
  <pre id="{{ id }}" class="code" translate="no" tabindex="0">{{ text }}</pre>
  {{ button(_("Copy"), "secondary", "copy", attrs={"data-copy": id, "data-copied": _("Copied")}) }}
</div>
{% endmacro %}

{% macro form(id, data, queues, errors={}) %}
<form id="widget" class="stack" method="dialog" data-guard {% if id %}hx-put="/settings/widgets/{{ id }}"{% else %}hx-post="/settings/widgets"{% endif %} hx-swap="outerHTML" novalidate>
  {{ settings.problem(errors.get("form")) }}
  {{ field(_("Name"), "name", data.name, errors, hint=_("For your colleagues, and before what your site vouches for.")) }}
  {{ select_field(_("Language"), "language", language_names().items(), data.language, errors, hint=_("When the page asks for none that we have.")) }}
  <fieldset class="stack">
    <legend class="title">{{ _("Sites that may show it") }}</legend>
    <p class="hint">{{ _("The beginning of the address, such as %(example)s. %(wild)s stands for all its subdomains.", example="https://www.example.be", wild="https://*.example.be") }}</p>
    <div class="stack rows" id="origins">{% for each in data.origins %}{{ origin(loop.index0, each, errors) }}{% endfor %}</div>
    <template id="origins-row">{{ origin("new", "", {}) }}</template>
    <div class="actions">{{ button(_("Add site"), "secondary", "plus", attrs={"data-add-row": "origins"}) }}</div>
  </fieldset>
  <fieldset class="stack">
    <legend class="title">{{ _("Subjects") }}</legend>
    <p class="hint">{{ _("A subject says in which queue a conversation waits. Without the question for a subject, the first one counts whose queue is open.") }}</p>
    {{ remarks("subjects", "subjects", "", errors) }}
    {% if queues %}
    <div class="stack rows" id="subjects">{% for row in data.subjects %}{{ subject(loop.index0, row, queues, errors) }}{% endfor %}</div>
    <template id="subjects-row">{{ subject("new", empty_row, queues, {}) }}</template>
    <div class="actions">{{ button(_("Add subject"), "secondary", "plus", attrs={"data-add-row": "subjects"}) }}</div>
    {% else %}<p>{{ _("There is no queue yet.") }} <a href="/settings/queues/new">{{ _("Add queue") }}</a></p>{% endif %}
  </fieldset>
  <fieldset class="stack">
    <legend class="title">{{ _("Asked before the chat") }}</legend>
    <p class="hint">{{ _("Nothing ticked: the press on the button itself starts the chat.") }}</p>
    {% for value, words in [("name", _("Name")), ("email", _("E-mail")), ("subject", _("Subject")), ("question", _("Question"))] %}
    {{ checkbox(words, "asked", value in data.form, value, id="asked-" ~ value) }}
    {% endfor %}
  </fieldset>
  <fieldset class="stack">
    <legend class="title">{{ _("Attachments") }}</legend>
    {{ checkbox(_("Word and OpenDocument files may be added"), "documents", data.documents, hint=_("Pictures and PDF files always may.")) }}
  </fieldset>
  {{ settings.save_bar("/settings/widgets", data.version if id else "", "" if id else _("Add widget")) }}
</form>
{% endmacro %}

{% macro origin(at, value, errors) %}
{% set id = "origin-" ~ at %}
<div data-row class="field">
  <div class="row-line">
    <input class="input" id="{{ id }}" name="origin" value="{{ value }}" type="url" aria-label="{{ _("Site") }}" autocomplete="off" spellcheck="false"{% if id in errors %} aria-invalid="true" aria-describedby="{{ id }}-error"{% endif %}>
    {{ icon_button("x", _("Remove site"), attrs={"data-remove-row": true}) }}
  </div>
  {{ remarks(id, id, "", errors) }}
</div>
{% endmacro %}

{% macro subject(at, row, queues, errors) %}
<div data-row class="subject-row stack" role="group" aria-label="{{ _("Subject") }}">
  <input type="hidden" name="subject" value="{{ row.id }}">
  <div class="row-line">
    {% set id = "queue-" ~ at %}
    <div class="field">
      <label for="{{ id }}">{{ _("Queue") }}</label>
      <div class="select">
        <select class="input" id="{{ id }}" name="queue"{% if id in errors %} aria-invalid="true" aria-describedby="{{ id }}-error"{% endif %}>
          {% for queue, name in queues.items() %}<option value="{{ queue }}"{% if queue | string == row.queue %} selected{% endif %}>{{ name }}</option>{% endfor %}
        </select>
        {{ icon("chevron-down") }}
      </div>
      {{ remarks(id, id, "", errors) }}
    </div>
    <div class="actions tight">
      {{ icon_button("arrow-up", _("Move subject up"), attrs={"data-move-row": "up"}) }}
      {{ icon_button("arrow-down", _("Move subject down"), attrs={"data-move-row": "down"}) }}
      {{ icon_button("x", _("Remove subject"), attrs={"data-remove-row": true}) }}
    </div>
  </div>
  <div class="two-columns">
    {% for code, words in language_names().items() %}
    {% set id = "label-" ~ code ~ "-" ~ at %}
    <div class="field">
      <label for="{{ id }}">{{ words }}</label>
      <input class="input" id="{{ id }}" name="label_{{ code }}" lang="{{ code }}" value="{{ row.labels.get(code, "") }}" autocomplete="off"{% if "label-" ~ at in errors %} aria-invalid="true" aria-describedby="label-{{ at }}-error"{% endif %}>
    </div>
    {% endfor %}
  </div>
  {{ remarks("label-" ~ at, "label-" ~ at, "", errors) }}
</div>
{% endmacro %}
""")  # noqa: E501
