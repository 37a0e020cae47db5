"""House style: the settings page that takes a theme of the NL Design System.

GET    /settings/house-style
POST   /settings/house-style/reading    what a file or some properties would become; nothing is kept
PUT    /settings/house-style
DELETE /settings/house-style

Of a file only the properties that we know stay, each with a plain value; saved are those, not the file.
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from litestar import Request, Response, delete, get, post, put
from litestar.datastructures import UploadFile
from markupsafe import Markup

import db
import layouts
from db.tables import Desk, Widget
from features import desk, organisation, settings, theme_files, themes
from features.access import Person, agent_of, may
from layouts import _, html, swap, template

ROLES = {
    "accent": lambda: _("First button, own messages"),
    "on-accent": lambda: _("Letters on it"),
    "accent-strong": lambda: _("First button, pointed at"),
    "link": lambda: _("Links"),
    "link-strong": lambda: _("Links, pointed at"),
    "focus": lambda: _("Ring around what has the focus"),
    "ink": lambda: _("Text"),
    "edge": lambda: _("Edges of fields"),
    "font": lambda: _("Font"),
    "radius": lambda: _("Corners"),
}

settings.entry("desk", "/settings/house-style", lambda: _("House style"), "palette", "manage_desk")


@dataclass
class StyleForm:
    """`text`: properties, a line each, or a whole stylesheet as somebody has pasted it."""

    text: str = ""
    version: str = ""
    from_file: bool = False


@dataclass(frozen=True)
class Line:
    """What the page says of one thing that a theme can set."""

    words: str
    property: str  # "" if the theme does not say it
    given: str
    light: str  # what becomes of it; "" if ours stays
    dark: str
    why: str  # it is not used, or not as it stands


@dataclass(frozen=True)
class Reading:
    lines: list[Line]
    tokens: str  # for the preview, as JSON


# ---- routes ----------------------------------------------------------------------------------------------


@get("/settings/house-style", guards=[may("manage_desk")])
async def show(request: Request[Any, Any, Any]) -> Response[str]:
    person = agent_of(request)
    form, style = await form_now(), desk.facts.house_style
    return html(ui.page(person, form, reading_of(style) if style else None, await shown_to(person)))


@post("/settings/house-style/reading", guards=[may("manage_desk")], status_code=200)
async def read(request: Request[Any, Any, Any]) -> Response[str]:
    """While somebody types nothing that is typed changes; of a file the properties that we know appear."""
    form = await form_of(request)
    if not form.text.strip():
        return html(swap("#found", ui.found(None, 0), "outerHTML"), swap("#style-problem", ui.problem("")))
    try:
        style = await read_aside(form.text)
    except theme_files.Unusable as problem:
        parts = (
            swap("#found", ui.found(None, 0), "outerHTML"),
            swap("#style-problem", ui.problem(str(problem))),
        )
        return html(*parts, status_code=422)
    widget = await shown_to(agent_of(request))
    text = swap("#style-text", ui.text(lines(style)), "outerHTML") if form.from_file else Markup("")
    found = swap("#found", ui.found(reading_of(style), widget), "outerHTML")
    return html(found, swap("#style-problem", ui.problem("")), text)


@put("/settings/house-style", guards=[may("manage_desk")], status_code=200)
async def save(request: Request[Any, Any, Any]) -> Response[str]:
    form = await form_of(request)
    try:
        style = await read_aside(form.text) if form.text.strip() else {}
    except theme_files.Unusable as problem:
        return html(ui.form(form, str(problem)), status_code=422)
    return await put_on(request, form, style)


@delete("/settings/house-style", guards=[may("manage_desk")], status_code=200)
async def take_off(request: Request[Any, Any, Any]) -> Response[str]:
    return await put_on(request, await form_now(), {})


async def put_on(request: Request[Any, Any, Any], form: StyleForm, style: dict[str, str]) -> Response[str]:
    """The page comes back in it."""
    values = {"house_style": json.dumps(style)}
    row, version = await organisation.desk_id(), settings.version(form.version)
    try:
        async with db.transaction():
            await settings.change(agent_of(request), Desk, row, version, values)
    except settings.Outdated:
        form.version = (await form_now()).version
        return html(ui.form(form, await settings.outdated(Desk, row)), status_code=409)
    await organisation.tell()
    return settings.leave_for("/settings/house-style")


# ---- reading and judging ---------------------------------------------------------------------------------


async def read_aside(text: str) -> dict[str, str]:
    """In a thread: nobody waits for a long file, or for nonsense as long."""
    return await asyncio.to_thread(theme_files.read, text)


async def form_of(request: Request[Any, Any, Any]) -> StyleForm:
    sent = await request.form()
    form = StyleForm(str(sent.get("text", "")), str(sent.get("version", "")))
    file = sent.get("file")
    if isinstance(file, UploadFile) and (content := await file.read(theme_files.MOST_BYTES + 1)):
        form.text, form.from_file = content.decode("utf-8-sig", "replace"), True
    return form


async def form_now() -> StyleForm:
    row = await Desk.select(Desk.house_style, Desk.version).first()
    assert row
    return StyleForm(lines(json.loads(row["house_style"])), str(row["version"]))


def lines(style: theme_files.Properties) -> str:
    return "\n".join(f"{name}: {value};" for name, value in style.items())


def reading_of(style: theme_files.Properties) -> Reading:
    drawn = themes.drawn(style)
    said = [line_of(role, style, drawn) for role in ROLES]
    return Reading(said, json.dumps(themes.in_preview(drawn)))


def line_of(role: str, style: theme_files.Properties, drawn: themes.Drawn) -> Line:
    name, given = next(iter(theme_files.found(role, style)), ("", ""))
    why = next((remark.why for remark in drawn.remarks if remark.role == role), "")
    light, dark = drawn.shades.get(role, ("", "")) if name else ("", "")
    return Line(ROLES[role](), name, given, light, dark, why)


async def shown_to(person: Person) -> int:
    """The widget whose window the preview shows; 0 if there is none, or it is not for this person."""
    if "manage_widgets" not in person.permissions:
        return 0
    row = await Widget.select(Widget.id).order_by(Widget.id).first()
    return int(row["id"]) if row else 0


layouts.env.globals["theme_example"] = "--utrecht-button-primary-action-background-color: #24578f;"
layouts.env.globals["most_of_a_theme"] = lambda: layouts.file_size(theme_files.MOST_BYTES)
routes = [show, read, save, take_off]

ui = template("""
{% from "components.html" import badge, button, icon, notice, select_field %}
{% import "settings" as settings %}

{% macro page(person, data, reading, widget) %}
{% call settings.page(person, _("House style"), _("The colours and the font of your organisation, from its theme of the NL Design System, in the window of visitors and in these screens."), "/settings/house-style", wide=true) %}
<link rel="stylesheet" href="{{ asset("widgets.css") }}">
{{ form(data) }}
{{ found(reading, widget) }}
{% if reading %}
<section class="stack settings-part" aria-labelledby="own-look-title">
  <h2 class="title" id="own-look-title">{{ _("Balie's own look") }}</h2>
  <p class="soft">{{ _("Without a house style every page has Balie's own colours again. You can put the theme back at any time.") }}</p>
  <div class="actions">{{ button(_("Remove house style"), "secondary", "undo-2", attrs={"hx-delete": "/settings/house-style", "hx-swap": "none"}) }}</div>
</section>
{% endif %}
<script src="{{ asset("house_style.js") }}"></script>
{% endcall %}
{% endmacro %}

{% macro form(data, wrong="") %}
<form id="style" class="stack" method="dialog" data-guard hx-put="/settings/house-style" hx-swap="outerHTML" novalidate>
  {{ problem(wrong) }}
  <div class="field">
    <label for="style-file">{{ _("Theme file") }} <span class="optional">({{ _("optional") }})</span></label>
    <input class="input file-input" type="file" id="style-file" name="file" accept=".css,text/css" aria-describedby="style-file-hint" hx-post="/settings/house-style/reading" hx-trigger="change" hx-encoding="multipart/form-data" hx-include="closest form" hx-swap="none">
    <p class="hint" id="style-file-hint">{{ _("The stylesheet with the properties of your theme, such as theme.css; at most %(size)s.", size=most_of_a_theme()) }}</p>
  </div>
  <div class="field">
    <label for="style-text">{{ _("Properties") }}</label>
    {{ text(data.text) }}
    <p class="hint" id="style-text-hint">{{ _("Of a file only these stay: colours, font and corners. Pictures, sizes and whatever else is in it are not used. Empty: Balie's own look.") }}</p>
  </div>
  {{ settings.save_bar("/settings/house-style", data.version) }}
</form>
{% endmacro %}

{% macro text(value) %}
<textarea class="input code" id="style-text" name="text" rows="6" spellcheck="false" autocomplete="off" translate="no" aria-describedby="style-text-hint" placeholder="{{ theme_example }}" hx-post="/settings/house-style/reading" hx-trigger="input changed delay:500ms" hx-include="closest form" hx-swap="none">
{{ value }}</textarea>
{% endmacro %}

{% macro problem(words) %}
<div id="style-problem"{% if not words %} hidden{% endif %}>{{ settings.problem(words) }}</div>
{% endmacro %}

{# What was read, and how it looks; before that, what will stand here. #}
{% macro found(reading, widget) %}
<div id="found" class="stack" aria-live="polite">
{% if reading %}
<section class="stack" aria-labelledby="read-title">
  <h2 class="title" id="read-title">{{ _("What becomes of it") }}</h2>
  <p class="soft">{{ _("A theme is made for light pages. For dark ones Balie makes its colours lighter, until they can be read there. Green goes on meaning that somebody is free, and blue that nobody is; for high contrast Balie has colours of its own.") }}</p>
  <table class="cards-on-phone style-table">
    <thead><tr><th scope="col">{{ _("For") }}</th><th scope="col">{{ _("Property") }}</th><th scope="col">{{ _("Light") }}</th><th scope="col">{{ _("Dark") }}</th><th scope="col">{{ _("Used") }}</th></tr></thead>
    <tbody>{% for each in reading.lines %}{{ line(each) }}{% endfor %}</tbody>
  </table>
</section>
{{ preview(reading, widget) }}
{% endif %}
</div>
{% endmacro %}

{% macro line(each) %}
<tr>
  <th scope="row">{{ each.words }}</th>
  <td data-label="{{ _("Property") }}">{% if each.property %}<code class="code" translate="no">{{ each.property }}: {{ each.given }}</code>{% else %}<span class="soft">{{ _("not in the theme") }}</span>{% endif %}</td>
  <td data-label="{{ _("Light") }}">{{ shade(each.light) | trim }}</td>
  <td data-label="{{ _("Dark") }}">{{ shade(each.dark) | trim }}</td>
  <td data-label="{{ _("Used") }}">
    {%- if each.why %}<span class="style-said warning">{{ icon("triangle-alert") }}<span>{{ each.why }}</span></span>
    {%- elif each.property %}<span class="style-said">{{ icon("check") }}<span>{{ _("yes") }}</span></span>
    {%- else %}<span class="soft">{{ _("Balie's own") }}</span>{% endif -%}
  </td>
</tr>
{% endmacro %}

{% macro shade(colour) %}
{% if colour %}<span class="shade"><svg aria-hidden="true" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="{{ colour }}"></rect></svg><code class="code" translate="no">{{ colour }}</code></span>{% endif %}
{% endmacro %}

{% macro preview(reading, widget) %}
<section class="stack" id="preview" aria-labelledby="preview-title" data-tokens="{{ reading.tokens }}">
  <h2 class="title" id="preview-title">{{ _("Preview") }}</h2>
  <div class="two-columns">{{ select_field(_("Page"), "preview_scheme", [("light", _("Light")), ("dark", _("Dark"))], "light") }}</div>
  <div class="card style-sample" inert>
    <p class="actions">{{ button(_("Save"), "primary") }}{{ button(_("Cancel"), "secondary") }}<a href="#preview">{{ _("Information page") }}</a></p>
    <div class="field"><span class="legend">{{ _("Name") }}</span><input class="input" type="text" value="Jef Peeters" aria-label="{{ _("Name") }}" translate="no"></div>
    <div class="choice"><input type="radio" checked aria-label="{{ _("Always open") }}"><span>{{ _("Always open") }}</span></div>
  </div>
  {% if widget %}
  <div class="drawn-windows">
    {% for name, words in [("form", _("Before the chat")), ("talk", _("In conversation"))] %}
    <figure>
      <figcaption class="soft small">{{ words }}</figcaption>
      <iframe class="drawn-window" src="/settings/widgets/{{ widget }}/window?stage={{ name }}&amp;lang={{ language() }}" title="{{ _("Preview") }}: {{ words }}" tabindex="-1" inert></iframe>
    </figure>
    {% endfor %}
  </div>
  {% endif %}
</section>
{% endmacro %}
""")  # noqa: E501
