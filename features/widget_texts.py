"""Widget texts: what a widget says in each language: the info card, the privacy notice, its button.

GET  /settings/widgets/{id}/texts
PUT  /settings/widgets/{id}/texts
POST /settings/widgets/card    how an info card will look that is being written
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from litestar import Request, Response, get, post, put
from litestar.params import FromPath
from markupsafe import Markup
from msgspec import Struct

import db
from db.tables import Widget
from features import button, settings, widget, widget_settings
from features.access import agent_of, may
from features.widget import WidgetFacts
from layouts import LANGUAGES, Form, _, html, template

CARD_LENGTH, NOTICE_LENGTH, ADDRESS_LENGTH, BUTTON_LENGTH = 5_000, 500, 500, 60
LENGTHS = {"card": CARD_LENGTH, "privacy": NOTICE_LENGTH, "green": BUTTON_LENGTH, "info": BUTTON_LENGTH}
ADDRESS = re.compile(r"https?://[^\s/]+\S*")


@dataclass
class TextsForm:
    """`said`: by the name of the field, which ends in its language."""

    info_url: str = ""
    said: dict[str, str] = field(default_factory=dict)
    version: str = ""


@get("/settings/widgets/{id:int}/texts", guards=[may("manage_widgets")])
async def show(request: Request[Any, Any, Any], id: FromPath[int]) -> Response[str]:
    found = await widget_settings.widget_by_id(id)
    return html(ui.page(agent_of(request), found, form_of(found), drawn(form_of(found)), button.texts({})))


@put("/settings/widgets/{id:int}/texts", guards=[may("manage_widgets")], status_code=200)
async def save(request: Request[Any, Any, Any], id: FromPath[int]) -> Response[str]:
    found, data = await widget_settings.widget_by_id(id), sent(await request.form())
    if errors := problems_with(data):
        return html(ui.form(found, data, drawn(data), button.texts({}), errors), status_code=422)
    try:
        async with db.transaction():
            version = settings.version(data.version)
            await settings.change(agent_of(request), Widget, id, version, values(data))
            db.after_commit(partial(widget_settings.changed, id))
    except settings.Outdated:
        data.version = str((await widget_settings.widget_by_id(id)).version)
        errors = {"form": await settings.outdated(Widget, id)}
        return html(ui.form(found, data, drawn(data), button.texts({}), errors), status_code=409)
    found = await widget_settings.widget_by_id(id)
    kept = form_of(found)
    return html(ui.form(found, kept, drawn(kept), button.texts({}), {}), settings.saved())


class Card(Struct):
    text: str = ""


@post("/settings/widgets/card", guards=[may("manage_widgets")], status_code=200)
async def preview(data: Form[Card]) -> Response[str]:
    return html(rendered(data.text[:CARD_LENGTH]))


def rendered(text: str) -> Markup:
    """As the card itself does it: Markdown, and no HTML comes through."""
    return Markup(widget.markdown.render(text))  # noqa: S704 – no HTML comes through


def drawn(data: TextsForm) -> dict[str, Markup]:
    return {code: rendered(data.said[f"card_{code}"]) for code in LANGUAGES}


# ---- reading and judging ---------------------------------------------------------------------------------


def form_of(found: WidgetFacts) -> TextsForm:
    said = {}
    for code in LANGUAGES:
        notice, button = found.privacy.get(code, {}), found.button.get(code, {})
        said[f"card_{code}"] = found.info_card.get(code, "")
        said[f"privacy_{code}"], said[f"address_{code}"] = notice.get("text", ""), notice.get("url", "")
        said[f"green_{code}"], said[f"info_{code}"] = button.get("green", ""), button.get("info", "")
    return TextsForm(found.info_url, said, str(found.version))


def sent(form: Mapping[str, Any]) -> TextsForm:
    said = {}
    for code in LANGUAGES:
        said[f"card_{code}"] = str(form.get(f"card_{code}", "")).replace("\r\n", "\n").strip("\n")
        for name in ("privacy", "address", "green", "info"):
            said[f"{name}_{code}"] = settings.one_line(str(form.get(f"{name}_{code}", "")))
    return TextsForm(str(form.get("info_url", "")).strip(), said, str(form.get("version", "")))


def values(data: TextsForm) -> dict[str, Any]:
    said = data.said
    cards = {code: said[f"card_{code}"] for code in LANGUAGES}
    notices = {
        code: {"text": said[f"privacy_{code}"], "url": said[f"address_{code}"]}
        for code in LANGUAGES
        if said[f"privacy_{code}"]
    }
    buttons = {
        code: {name: said[f"{name}_{code}"] for name in ("green", "info") if said[f"{name}_{code}"]}
        for code in LANGUAGES
    }
    return {
        "info_url": data.info_url,
        "info_card": as_json({code: text for code, text in cards.items() if text}),
        "privacy": as_json(notices),
        "button": as_json({code: words for code, words in buttons.items() if words}),
    }


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def problems_with(data: TextsForm) -> dict[str, str]:
    errors = {}
    if data.info_url and (problem := problem_with_address(data.info_url)):
        errors["info_url"] = problem
    for name, text in data.said.items():
        kind, _separator, code = name.partition("_")
        if kind == "address":
            if text and (problem := problem_with_address(text)):
                errors[name] = problem
            elif text and not data.said[f"privacy_{code}"]:
                errors[f"privacy_{code}"] = _("Write what the link is about.")
        elif len(text) > LENGTHS[kind]:
            errors[name] = settings.too_long(len(text), LENGTHS[kind])
    return errors


def problem_with_address(text: str) -> str:
    if len(text) > ADDRESS_LENGTH:
        return settings.too_long(len(text), ADDRESS_LENGTH)
    if ADDRESS.fullmatch(text):
        return ""
    return _("A whole address, such as %(example)s.") % {"example": f"{widget_settings.EXAMPLE}/contact"}


routes: list[Any] = [show, save, preview]

ui = template("""
{% from "components.html" import button, field, label_for, remarks, textarea_field %}
{% import "settings" as settings %}
{% import "widget_settings" as widgets %}

{% macro page(person, widget, data, cards, standard) %}
{% call widgets.frame(person, widget, "texts", _("What the widget says. A language without a text uses the one in %(name)s.", name=language_names()[widget.language])) %}
{{ form(widget, data, cards, standard) }}
{% endcall %}
{% endmacro %}

{% macro form(widget, data, cards, standard, errors={}) %}
<form id="texts" class="stack" method="dialog" data-guard hx-put="/settings/widgets/{{ widget.id }}/texts" hx-swap="outerHTML" novalidate>
  {{ settings.problem(errors.get("form")) }}
  {{ field(_("Address of your own information page"), "info_url", data.info_url, errors, type="url", required=false, hint=_("The blue button opens it instead of the information page that you write below.")) }}
  {% for code, words in language_names().items() %}
  {% set wrong = errors | select("in", ["card_" ~ code, "privacy_" ~ code, "address_" ~ code, "green_" ~ code, "info_" ~ code]) | list %}
  <details class="part"{% if wrong or (not errors and code == widget.language) %} open{% endif %}>
    <summary class="title">{{ words }}{% if data.said["card_" ~ code] %}{% else %} <span class="soft small">{{ _("no information page yet") }}</span>{% endif %}</summary>
    <div class="stack">
      {{ editor(code, data.said["card_" ~ code], cards[code], errors) }}
      {{ textarea_field(_("Privacy notice"), "privacy_" ~ code, data.said["privacy_" ~ code], errors, required=false, hint=_("Stands before the first message."), attrs={"lang": code}) }}
      {{ field(_("Address of the privacy statement"), "address_" ~ code, data.said["address_" ~ code], errors, type="url", required=false) }}
      {{ field(_("Green button"), "green_" ~ code, data.said["green_" ~ code], errors, required=false, hint=_("Left empty, it says: %(words)s", words=standard[code]["green"]), attrs={"lang": code}) }}
      {{ field(_("Blue button"), "info_" ~ code, data.said["info_" ~ code], errors, required=false, hint=_("Left empty, it says: %(words)s", words=standard[code]["info"]), attrs={"lang": code}) }}
    </div>
  </details>
  {% endfor %}
  {{ settings.save_bar("/settings/widgets", data.version) }}
</form>
{% endmacro %}

{# The info card being written, and how it will look. #}
{% macro editor(code, text, card, errors) %}
{% set id = "card_" ~ code %}
<div class="field">
  {{ label_for(id, _("Information page"), false) }}
  <div class="editor">
    <div class="editor-side">
      <div class="actions tight" role="toolbar" aria-label="{{ _("Layout") }}" aria-controls="{{ id }}">
        {% for mark, words in [("bold", _("Bold")), ("heading", _("Heading")), ("link", _("Link")), ("list", _("List"))] %}
        {{ button(words, "quiet", attrs={"data-mark": mark, "data-for": id}) }}
        {% endfor %}
      </div>
      <textarea class="input" id="{{ id }}" name="{{ id }}" rows="12" lang="{{ code }}" dir="auto" data-previews="{{ id }}-preview" data-link="{{ _("words of the link") }}"{% if id in errors %} aria-invalid="true" aria-describedby="{{ id }}-error"{% endif %}>
{{ text }}</textarea>
    </div>
    <section class="editor-side" aria-label="{{ _("Preview") }}">
      <p class="soft small">{{ _("Preview") }}</p>
      <div class="prose card-preview" id="{{ id }}-preview" lang="{{ code }}">{{ card }}</div>
    </section>
  </div>
  {{ remarks(id, id, _("What can be done instead of chatting. Today's chat hours stand above it, and 112 below it, by themselves. Whoever is kept out sees it too: say where to complain."), errors) }}
</div>
{% endmacro %}
""")  # noqa: E501
