"""Preset settings: the list of presets as admins keep it: order, versions, and as a table.

    GET    /settings/presets, /settings/presets/new, /settings/presets/{id}
    POST   /settings/presets, /settings/presets/example
    PUT    /settings/presets/{id}
    DELETE /settings/presets/{id}
    POST   /settings/presets/{id}/position, /settings/presets/{id}/earlier, /settings/presets/return
    GET    /settings/presets/table    as CSV; POST takes one

A change of a preset touches nothing that was typed or sent. What was deleted or changed can be brought
back, for the audit has kept it.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any

from litestar import Request, Response, delete, get, post, put
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.exceptions import NotFoundException
from litestar.params import Body, FromPath
from msgspec import Struct

import db
from db.tables import Preset
from features import profiles, queues, settings, spreadsheets, versions
from features.access import Person, agent_of, may
from features.presets import filled
from features.spreadsheets import Told
from features.versions import Back, Move, State
from layouts import LANGUAGES, Form, _, html, language_name, swap, template

TITLE_LENGTH, BODY_LENGTH = 80, 4000  # characters
SHORTCUT = re.compile(r"[\w-]{1,30}")
KNOWN = ("visitor", "agent", "queue")  # placeholders
COLUMNS = ("title", "shortcut", "language", "queue", "profile", "text")
Places = dict[str, dict[int, str]]  # "queue" and "profile": id → name
KEPT = ("title", "shortcut", "body", "language", "queue", "profile")

settings.entry("words", "/settings/presets", lambda: _("Presets"), "text-quote", "manage_presets")


class PresetForm(Struct):
    title: str = ""
    shortcut: str = ""
    body: str = ""
    language: str = "nl"
    queue: str = ""
    profile: str = ""
    version: str = ""


@dataclass(frozen=True)
class Listed:
    id: int
    title: str
    shortcut: str
    body: str
    language: str
    queue: str
    profile: str


@get("/settings/presets", guards=[may("manage_presets")])
async def index(request: Request[Any, Any, Any]) -> Response[str]:
    return html(ui.page(agent_of(request), await all_presets(), await gone()))


@get("/settings/presets/new", guards=[may("manage_presets")])
async def blank(request: Request[Any, Any, Any]) -> Response[str]:
    form = PresetForm(language=agent_of(request).language)
    return html(ui.edit_page(agent_of(request), None, form, await choices(), []))


@get("/settings/presets/{preset:int}", guards=[may("manage_presets")])
async def edit(request: Request[Any, Any, Any], preset: FromPath[int]) -> Response[str]:
    form = await form_of(preset)
    return html(ui.edit_page(agent_of(request), preset, form, await choices(), await earlier(preset)))


@post("/settings/presets", guards=[may("manage_presets")], status_code=200)
async def create(request: Request[Any, Any, Any], data: Form[PresetForm]) -> Response[str]:
    if errors := await problems_with(data, None, await places()):
        return html(ui.form(None, data, await choices(), errors), status_code=422)
    async with db.transaction():
        await add(agent_of(request), data)
    return settings.leave_for("/settings/presets")


async def add(person: Person, form: PresetForm) -> None:
    await settings.make(person, Preset, values(form) | {"position": await versions.last_place(Preset)})


@put("/settings/presets/{preset:int}", guards=[may("manage_presets")], status_code=200)
async def save(
    request: Request[Any, Any, Any], preset: FromPath[int], data: Form[PresetForm]
) -> Response[str]:
    if errors := await problems_with(data, preset, await places()):
        return html(ui.form(preset, data, await choices(), errors), status_code=422)
    try:
        async with db.transaction():
            version = settings.version(data.version)
            await settings.change(agent_of(request), Preset, preset, version, values(data))
    except settings.Outdated:
        data.version = (await form_of(preset)).version
        errors = {"form": await settings.outdated(Preset, preset)}
        return html(ui.form(preset, data, await choices(), errors), status_code=409)
    return await redrawn(preset, agent_of(request))


async def redrawn(preset: int, person: Person) -> Response[str]:
    """The form as it is saved now, and what it was before."""
    form = await form_of(preset)
    return html(
        swap("#preset", ui.form(preset, form, await choices(), {})),
        swap("#example", ui.example(*examples(form.body, person.name)), "innerHTML"),
        swap("#earlier", ui.earlier(preset, await earlier(preset))),
        settings.saved(form.title),
    )


@delete("/settings/presets/{preset:int}", guards=[may("manage_presets")], status_code=200)
async def destroy(request: Request[Any, Any, Any], preset: FromPath[int]) -> Response[str]:
    """Without a question: it can be brought back."""
    async with db.transaction():
        await settings.unmake(agent_of(request), Preset, preset)
    return settings.leave_for("/settings/presets")


@post("/settings/presets/{preset:int}/position", guards=[may("manage_presets")], status_code=200)
async def move(preset: FromPath[int], data: Form[Move]) -> Response[str]:
    """One place up or down in the list."""
    await versions.move(Preset, preset, data.to == "up")
    return html(swap("#presets", ui.table(await all_presets())))


@post("/settings/presets/{preset:int}/earlier", guards=[may("manage_presets")], status_code=200)
async def bring_back(
    request: Request[Any, Any, Any], preset: FromPath[int], data: Form[Back]
) -> Response[str]:
    """As it was before one of its changes."""
    async with db.transaction():
        state = versions.chosen(await earlier(preset), data.audit)
        version = settings.version((await form_of(preset)).version)
        await settings.change(agent_of(request), Preset, preset, version, state.values)
    return await redrawn(preset, agent_of(request))


@post("/settings/presets/return", guards=[may("manage_presets")], status_code=200)
async def return_deleted(request: Request[Any, Any, Any], data: Form[Back]) -> Response[str]:
    async with db.transaction():
        was = versions.chosen(await gone(), data.audit).values
        lost = {name: None for name, there in (await places()).items() if was[name] not in there}
        again = was | lost | {"position": await versions.last_place(Preset)}
        await settings.make(agent_of(request), Preset, again)
    return settings.leave_for("/settings/presets")


class Example(Struct):
    body: str = ""


@post("/settings/presets/example", guards=[may("manage_presets")], status_code=200)
async def show_example(request: Request[Any, Any, Any], data: Form[Example]) -> Response[str]:
    """How it reads with a visitor's name, and without."""
    return html(swap("#example", ui.example(*examples(data.body, agent_of(request).name)), "innerHTML"))


def examples(body: str, agent: str) -> tuple[str, str]:
    words = {"visitor": "Jef Peeters", "agent": agent, "queue": _("General")}
    return filled(body, words), filled(body, words | {"visitor": ""})


# ---- as a table ------------------------------------------------------------------------------------------


@get("/settings/presets/table", guards=[may("manage_presets")])
async def export() -> Response[bytes]:
    rows = [
        (each.title, each.shortcut, each.language, each.queue, each.profile, each.body)
        for each in await all_presets()
    ]
    return spreadsheets.download("presets", COLUMNS, rows)


@post("/settings/presets/table", guards=[may("manage_presets")], status_code=200)
async def take_table(
    request: Request[Any, Any, Any],
    data: Annotated[dict[str, UploadFile], Body(media_type=RequestEncodingType.MULTI_PART)],
) -> Response[str]:
    """Each line by itself: what is right is taken, what is wrong is told."""
    try:
        lines = spreadsheets.read(await data["table"].read(), COLUMNS) if "table" in data else []
    except spreadsheets.Unreadable as problem:
        return html(swap("#report", spreadsheets.ui.unreadable(str(problem))), status_code=422)
    there = await places()
    told = [await take(agent_of(request), at, line, there) for at, line in lines]
    return html(
        swap("#report", spreadsheets.ui.report(told)), swap("#presets", ui.table(await all_presets()))
    )


async def take(person: Person, at: int, line: dict[str, str], there: Places) -> Told:
    """One with the same shortcut, or without one the same title, in the same language is changed. In a
    transaction of its own: conversations go on between two lines of a long table."""
    form = PresetForm(
        line["title"], line["shortcut"].removeprefix("/"), line["text"], line["language"] or "nl"
    )
    missing = {}
    form.queue = settings.id_of(line["queue"], there["queue"])
    if line["queue"] and not form.queue:
        missing["queue"] = _("There is no queue “%(name)s”.") % {"name": line["queue"]}
    form.profile = settings.id_of(line["profile"], there["profile"])
    if line["profile"] and not form.profile:
        missing["profile"] = _("There is no profile “%(name)s”.") % {"name": line["profile"]}
    same = (Preset.shortcut == form.shortcut) if form.shortcut else (Preset.title == form.title)
    async with db.transaction():
        row = await Preset.select().where(same).where(Preset.language == form.language).first()
        if errors := {**await problems_with(form, row["id"] if row else None, there), **missing}:
            return Told(at, "refused", " ".join(errors.values()))
        if row is None:
            await add(person, form)
            return Told(at, "added", form.title)
        changed = await settings.change(person, Preset, row["id"], row["version"], values(form))
    return Told(at, "changed" if changed else "same", form.title)


# ---- reading and judging ---------------------------------------------------------------------------------


async def all_presets() -> list[Listed]:
    rows = await (
        Preset.select(
            Preset.id,
            Preset.title,
            Preset.shortcut,
            Preset.body,
            Preset.language,
            Preset.queue.name.as_alias("queue"),
            Preset.profile.name.as_alias("profile"),
        )
        .order_by(Preset.position)
        .order_by(Preset.id)
    )
    return [Listed(**{**row, "queue": row["queue"] or "", "profile": row["profile"] or ""}) for row in rows]


async def form_of(preset: int) -> PresetForm:
    row = await Preset.select().where(Preset.id == preset).first()
    if row is None:
        raise NotFoundException
    return PresetForm(**{name: str(row[name] or "") for name in PresetForm.__struct_fields__})


async def places() -> Places:
    """What a preset may be of."""
    return {"queue": await queues.names(), "profile": await profiles.names()}


async def choices() -> dict[str, list[tuple[str, str]]]:
    """What the form offers to choose from."""
    there = {
        kind: [(str(id), name) for id, name in names.items()] for kind, names in (await places()).items()
    }
    return {
        "language": [(code, language_name(code)) for code in LANGUAGES],
        "queue": [("", _("All queues")), *there["queue"]],
        "profile": [("", _("All profiles")), *there["profile"]],
    }


async def earlier(preset: int) -> list[State]:
    form = await form_of(preset)
    return await versions.before(Preset, preset, {"title": form.title, "body": form.body})


async def gone() -> list[State]:
    return await versions.deleted(Preset, KEPT)


def values(form: PresetForm) -> dict[str, Any]:
    return {
        "title": settings.one_line(form.title),
        "shortcut": form.shortcut.strip().lower(),
        "body": form.body.replace("\r\n", "\n").strip(),
        "language": form.language,
        "queue": int(form.queue) if form.queue else None,
        "profile": int(form.profile) if form.profile else None,
    }


async def problems_with(form: PresetForm, preset: int | None, there: Places) -> dict[str, str]:
    errors = {}
    title, shortcut, body = settings.one_line(form.title), form.shortcut.strip().lower(), form.body.strip()
    if not title:
        errors["title"] = _("Give it a title.")
    elif len(title) > TITLE_LENGTH:
        errors["title"] = settings.too_long(len(title), TITLE_LENGTH)
    if shortcut and not SHORTCUT.fullmatch(shortcut):
        errors["shortcut"] = _("Use 1 to 30 letters, digits, hyphens or underscores.")
    elif shortcut and await taken(shortcut, form.language, preset):
        errors["shortcut"] = _("This shortcut is used already, in the same language.")
    unknown = [name for name in re.findall(r"\{(\w+)\}", body) if name not in KNOWN]
    if not body:
        errors["body"] = _("Write the answer.")
    elif len(body) > BODY_LENGTH:
        errors["body"] = settings.too_long(len(body), BODY_LENGTH)
    elif unknown:
        known = ", ".join(f"{{{name}}}" for name in KNOWN)
        words = _("There is no placeholder {%(name)s}. There are: %(known)s.")
        errors["body"] = words % {"name": unknown[0], "known": known}
    if form.language not in LANGUAGES:
        errors["language"] = _("Choose a language.")
    for kind, names in there.items():
        chosen = getattr(form, kind)
        if chosen and not (chosen.isdecimal() and int(chosen) in names):
            errors[kind] = _("Choose from the list.")
    return errors


async def taken(shortcut: str, language: str, preset: int | None) -> bool:
    query = Preset.exists().where(Preset.shortcut == shortcut).where(Preset.language == language)
    return bool(await (query.where(Preset.id != preset) if preset else query))


routes: list[Any] = [
    index,
    blank,
    edit,
    create,
    save,
    destroy,
    move,
    bring_back,
    return_deleted,
    show_example,
    export,
    take_table,
]

ui = template("""
{% from "components.html" import button, empty, field, select_field, textarea_field %}
{% import "settings" as settings %}
{% import "spreadsheets" as spreadsheets %}
{% import "versions" as versions %}

{% macro page(person, presets, gone) %}
{% call settings.page(person, _("Presets"), _("Ready-made answers that agents choose from a list, or by typing / and the shortcut."), "/settings/presets", wide=true) %}
<div class="actions">
  {{ button(_("Add preset"), "primary", "plus", attrs={"href": "/settings/presets/new"}) }}
  {{ button(_("Download as a table"), "secondary", "download", attrs={"href": "/settings/presets/table"}) }}
</div>
{% if presets | length > 8 %}<input class="input" type="search" data-narrows="presets" aria-label="{{ _("Search presets") }}" placeholder="{{ _("Search presets") }}" autocomplete="off">{% endif %}
{{ table(presets) }}
<p class="soft" id="presets-none" hidden>{{ _("No preset matches.") }}</p>
{{ versions.gone(gone, "/settings/presets/return") }}
{{ spreadsheets.taking("/settings/presets/table", _("A CSV file with the columns %(names)s. One with the same shortcut, or title, and language is changed; the others are added. Nothing is deleted.", names="title; shortcut; language; queue; profile; text")) }}
{% endcall %}
{% endmacro %}

{% macro table(presets) %}
<div id="presets">
  {% if presets %}
  <table class="cards-on-phone" aria-labelledby="page-title">
    <thead><tr><th scope="col">{{ _("Title") }}</th><th scope="col">{{ _("Shortcut") }}</th><th scope="col">{{ _("Text") }}</th><th scope="col">{{ _("For") }}</th><th scope="col"><span class="visually-hidden">{{ _("Order") }}</span></th></tr></thead>
    <tbody>
      {% for preset in presets %}
      <tr data-row id="preset-{{ preset.id }}">
        <th scope="row"><a href="/settings/presets/{{ preset.id }}">{{ preset.title }}</a></th>
        <td data-label="{{ _("Shortcut") }}">{% if preset.shortcut %}<kbd class="kbd" translate="no">/{{ preset.shortcut }}</kbd>{% endif %}</td>
        <td data-label="{{ _("Text") }}" lang="{{ preset.language }}"><span class="two-lines">{{ preset.body }}</span></td>
        <td data-label="{{ _("For") }}"><span>{{ preset.language | language_name }}{% if preset.queue %} · <span translate="no">{{ preset.queue }}</span>{% endif %}{% if preset.profile %} · <span translate="no">{{ preset.profile }}</span>{% endif %}</span></td>
        <td class="number">{{ versions.movers(preset.id, preset.title, "/settings/presets/" ~ preset.id ~ "/position", loop.first, loop.last) }}</td>
      </tr>
      {% endfor %}
    </tbody>
  </table>
  {% else %}
  {{ empty(_("No presets yet"), _("Begin with a greeting: “Good morning {visitor}, you are talking with {agent}.”"), "text-quote") }}
  {% endif %}
</div>
{% endmacro %}

{% macro edit_page(person, id, preset, choices, states) %}
{% call settings.page(person, preset.title if id else _("Add preset"), _("A change touches nothing that was typed or sent before."), "/settings/presets", back=("/settings/presets", _("Presets"))) %}
{{ form(id, preset, choices) }}
{% if id %}
{{ earlier(id, states) }}
<section class="stack danger-zone">
  <h2 class="title">{{ _("Delete") }}</h2>
  <p class="soft">{{ _("It can be brought back from the list of presets.") }}</p>
  <div class="actions">{{ button(_("Delete preset"), "secondary", "trash-2", attrs={"hx-delete": "/settings/presets/" ~ id, "hx-swap": "none"}) }}</div>
</section>
{% endif %}
{% endcall %}
{% endmacro %}

{% macro form(id, preset, choices, errors={}) %}
<form id="preset" class="stack" method="dialog" data-guard {% if id %}hx-put="/settings/presets/{{ id }}"{% else %}hx-post="/settings/presets"{% endif %} hx-swap="outerHTML" novalidate>
  {{ settings.problem(errors.get("form")) }}
  {{ field(_("Title"), "title", preset.title, errors, hint=_("What agents look for in the list.")) }}
  {{ field(_("Shortcut"), "shortcut", preset.shortcut, errors, required=false, hint=_("Typed after a / in the text bar: /hello"), attrs={"autocapitalize": "none", "class": "short"}) }}
  {{ textarea_field(_("Answer"), "body", preset.body, errors, hint=_("Placeholders: {visitor}, {agent}, {queue}. Without a name the sentence stays correct."), attrs={"hx-post": "/settings/presets/example", "hx-trigger": "input changed delay:400ms, load", "hx-swap": "none"}) }}
  <div id="example" hx-morph-skip></div>
  {{ select_field(_("Language"), "language", choices.language, preset.language, errors) }}
  {{ select_field(_("Queue"), "queue", choices.queue, preset.queue, errors) }}
  {{ select_field(_("Profile"), "profile", choices.profile, preset.profile, errors) }}
  {{ settings.save_bar("/settings/presets", preset.version if id else "", "" if id else _("Add preset")) }}
</form>
{% endmacro %}

{% macro example(named, unnamed) %}
{% if named %}
<dl class="facts example">
  <div><dt>{{ _("With a name") }}</dt><dd>{{ named }}</dd></div>
  {% if unnamed != named %}<div><dt>{{ _("Without a name") }}</dt><dd>{{ unnamed }}</dd></div>{% endif %}
</dl>
{% endif %}
{% endmacro %}

{% macro earlier(id, states) %}
{% call(values) versions.earlier(states, "/settings/presets/" ~ id ~ "/earlier") %}
<p><strong>{{ values.title }}</strong></p>
<p class="two-lines">{{ values.body }}</p>
{% endcall %}
{% endmacro %}
""")  # noqa: E501
