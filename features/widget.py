"""Widget: what a host page embeds, what it offers, and the info card to which its button leads otherwise.

GET /widget/{key}/info     the info card
GET /widget/{key}/theme.css    the colours of its window, if they are its own
"""

import json
import re
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from markupsafe import Markup

import layouts
from db.clock import now
from db.tables import Subject, Widget
from features import colours, desk, hours, live
from features.access import public
from layouts import _, best_language, html, language, template

THEME_AGE_S = 300
ORIGIN = re.compile(r"https?://[\w.*:\[\]-]+")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors {}"
)

T = TypeVar("T")


class WidgetChanged(live.Event, frozen=True):
    """An admin has set it otherwise."""

    widget: int


@dataclass(frozen=True)
class WidgetFacts:
    """A widget as its admin has set it. What is said per language is said in the one being spoken."""

    id: int
    key: str
    name: str
    language: str
    origins: list[str]
    form: list[str]
    privacy: dict[str, dict[str, str]]
    info_url: str
    info_card: dict[str, str]
    documents: bool = True  # docx and odt may be added to messages
    colours: dict[str, list[str]] = field(default_factory=dict)
    button: dict[str, dict[str, str]] = field(default_factory=dict)
    clear_bottom: int = 0
    clear_right: int = 0
    version: int = 1

    @property
    def theme(self) -> str:
        """The address of its own colours; "" if it has none."""
        return f"/widget/{self.key}/theme.css?v={self.version}" if self.colours else ""

    @property
    def privacy_text(self) -> str:
        return in_words(self.privacy, self.language, {}).get("text", "")

    @property
    def privacy_language(self) -> str:
        return language_of(self.privacy, self.language)

    @property
    def privacy_url(self) -> str:
        return in_words(self.privacy, self.language, {}).get("url", "")

    @property
    def card(self) -> Markup:
        return Markup(markdown.render(in_words(self.info_card, self.language, "")))  # noqa: S704 – no HTML comes through

    @property
    def card_language(self) -> str:
        return language_of(self.info_card, self.language)


@dataclass(frozen=True)
class SubjectFacts:
    id: int
    queue: int
    queue_name: str
    green: bool
    labels: dict[str, str]

    @property
    def label(self) -> str:
        return in_words(self.labels, desk.facts.language, self.queue_name)

    @property
    def label_language(self) -> str:
        return language_of(self.labels, desk.facts.language)


# ---- the info card ---------------------------------------------------------------------------------------


@get("/widget/{key:str}/info", guards=[public])
async def info(key: FromPath[str], lang: FromQuery[str] = "") -> Response[Any]:
    """Where blue leads. In the window's frame, or on a page of its own."""
    found = await widget_by_key(key)
    layouts.language.set(best_language(lang, found.language if found else language.get()))
    if found is None:
        raise NotFoundException
    if found.info_url:
        return Redirect(found.info_url)
    served = await subjects(found.id)
    green = any(subject.green for subject in served)
    page = ui.page(desk.facts.name, found, await todays_hours(served), green)
    return html(page, headers={"Content-Security-Policy": window_policy(found), "Cache-Control": "no-store"})


@get("/widget/{key:str}/theme.css", guards=[public])
async def theme(key: FromPath[str]) -> Response[str]:
    found = await widget_by_key(key)
    if found is None:
        raise NotFoundException
    headers = {"Cache-Control": f"public, max-age={THEME_AGE_S}"}
    return Response(colours.of_window(found.colours), media_type="text/css", headers=headers)


@dataclass(frozen=True)
class Today:
    """What the card says of one queue."""

    queue: str
    words: str  # its hours
    closing: hours.Closing | None  # somebody has closed it for now
    last_intake_minutes: int


async def todays_hours(served: Sequence[SubjectFacts]) -> list[Today]:
    at = now()
    found = await hours.of_queues(at)
    names = {each.queue: each.queue_name for each in served if each.queue in found}
    return [today_of(name, found[queue], at) for queue, name in names.items()]


def today_of(name: str, found: hours.Hours, at: datetime) -> Today:
    day = hours.day_of(found, at.astimezone(desk.facts.time_zone).date())
    closing = found.closing if found.closing and found.closing.shuts(at) else None
    intake = found.last_intake_minutes if day.blocks and not day.always else 0
    return Today(name, in_blocks(day), closing, intake)


def in_blocks(today: hours.Day) -> str:
    if today.always:
        return _("Always open")
    if not today.blocks and today.title:
        return _("Closed today: %(name)s") % {"name": today.title}
    return ", ".join(f"{block.opens} – {block.closes}" for block in today.blocks) or _("Closed today")


def closings(today: Sequence[Today]) -> list[tuple[str, hours.Closing]]:
    """What is said of those closed by hand, each thing once, with their names unless it is of all."""
    said: dict[str, tuple[list[str], hours.Closing]] = {}
    for each in today:
        if each.closing and (each.closing.words or each.closing.until):
            key = repr((sorted(each.closing.words.items()), each.closing.until))
            said.setdefault(key, ([], each.closing))[0].append(each.queue)
    return [
        ("" if len(names) == len(today) else ", ".join(names), closing) for names, closing in said.values()
    ]


def closed_words(closing: hours.Closing, own_language: str) -> tuple[str, str]:
    """What visitors are told, and in which language; "" if nothing."""
    return in_words(closing.words, own_language, ""), language_of(closing.words, own_language)


def reopens(closing: hours.Closing) -> str:
    if closing.until is None:
        return ""
    there = closing.until.astimezone(desk.facts.time_zone).date()
    clock = layouts.clock_time(closing.until)
    if there == now().astimezone(desk.facts.time_zone).date():
        return _("From %(time)s on you can chat again.") % {"time": clock}
    words = {"day": layouts.short_date(there), "time": clock}
    return _("From %(day)s, %(time)s on you can chat again.") % words


def window_policy(found: WidgetFacts) -> str:
    """Of the pages that a host page may frame."""
    return POLICY.format(" ".join(["'self'", *filter(ORIGIN.fullmatch, found.origins)]))


# ---- what other features ask -----------------------------------------------------------------------------


async def widget_by_key(key: str) -> WidgetFacts | None:
    row = await Widget.select().where(Widget.key == key).first()
    if row is None:
        return None
    for name in ("origins", "form", "privacy", "info_card", "colours", "button"):
        row[name] = json.loads(row[name])
    return WidgetFacts(**row)


async def subjects(widget: int) -> list[SubjectFacts]:
    """What a visitor can choose, in order, and whether there is a place for each."""
    rows = await (
        Subject.select(
            Subject.id,
            Subject.queue,
            Subject.queue.name.as_alias("queue_name"),
            Subject.queue.green.as_alias("green"),
            Subject.label.as_alias("labels"),
        )
        .where(Subject.widget == widget)
        .order_by(Subject.position)
        .order_by(Subject.id)
    )
    return [SubjectFacts(**{**row, "labels": json.loads(row["labels"])}) for row in rows]


def in_words(said: Mapping[str, T], own_language: str, otherwise: T) -> T:
    return said.get(language_of(said, own_language)) or otherwise


def subject_of(labels: Mapping[str, str]) -> tuple[str, str]:
    """What a subject is called for whoever looks, and in which language."""
    return in_words(labels, desk.facts.language, ""), language_of(labels, desk.facts.language)


def language_of(said: Mapping[str, Any], own_language: str) -> str:
    """The one being spoken, else the widget's own, else any in which there are words."""
    return next((code for code in (language.get(), own_language, *said) if said.get(code)), own_language)


def new_tab(
    renderer: Any, tokens: Sequence[Token], at: int, options: OptionsDict, env: MutableMapping[str, Any]
) -> str:
    """A link must not put another site into the window's frame."""
    if tokens[at].attrGet("href") and str(tokens[at].attrGet("href")).startswith("http"):
        tokens[at].attrSet("target", "_blank")
        tokens[at].attrSet("rel", "noopener")
    return str(renderer.renderToken(tokens, at, options, env))


markdown = MarkdownIt("commonmark", {"html": False}).disable("image")
markdown.add_render_rule("link_open", new_tab)

layouts.env.globals |= {
    "closed_words": closed_words,
    "closings": closings,
    "reopens": reopens,
    "subject_of": subject_of,
}
routes = [info, theme]

ui = template("""
{% from "base.html" import document %}
{% from "components.html" import button, icon, icon_button, in_language, languages_nav, public_links, status %}

{% macro page(desk, widget, hours, green) %}
{% call document(_("Information") ~ " – " ~ desk, "window", ["info.js"]) %}
{{ own_colours(widget) }}
<header class="window-head">
  <div class="window-title">
    <h1 id="title" tabindex="-1" translate="no">{{ desk }}</h1>
    <div role="status">
      {{ status("blue", _("Chat is not available now"), attrs={"id": "blue", "hidden": green}) }}
      {{ status("green", _("You can chat with us now"), attrs={"id": "green", "hidden": not green}) }}
    </div>
  </div>
  <div class="window-actions">{{ icon_button("x", _("Close"), attrs={"id": "close", "hidden": true}) }}</div>
</header>
<main class="window-form stack">
  {% set address = "/widget/" ~ widget.key ~ "?lang=" ~ language() %}
  {% set attrs = {"id": "chat", "href": address, "hidden": not green} %}
  {{ button(_("Chat with a member of staff"), "available large fill", "message-square-text", attrs=attrs) }}
  {{ card(widget, hours) }}
  {{ foot() }}
</main>
{% endcall %}
{% endmacro %}

{# Where there is room for it. Languages can be chosen on a page of its own: in a frame, the host page chooses. #}
{% macro foot() %}
<footer class="window-foot">{{ languages_nav("") }}{{ public_links("visitor") }}</footer>
{% endmacro %}

{# What is said while somebody has closed the chat. #}
{% macro closed(closing, own_language) %}
{% set said, lang = closed_words(closing, own_language) %}
{% if said %}<p lang="{{ lang }}">{{ said }}</p>{% endif %}
{% if reopens(closing) %}<p class="hint">{{ reopens(closing) }}</p>{% endif %}
{% endmacro %}

{% macro own_colours(widget) %}
{% if widget.theme %}<link rel="stylesheet" href="{{ widget.theme }}">{% endif %}
{% endmacro %}

{# What can be done instead of chatting. #}
{% macro card(widget, hours) %}
<div class="info-card stack">
  {% for names, closing in closings(hours) %}
  <div class="notice info closed-now">{{ icon("info") }}<div class="notice-body">
    {% if names %}<p{{ in_language(desk_language()) }}><strong>{{ names }}</strong></p>{% endif %}
    {{ closed(closing, widget.language) }}
  </div></div>
  {% endfor %}
  {% if hours %}
  <section>
    <h2 class="legend" id="hours">{{ _("Chat hours today") }}</h2>
    <table class="hours" aria-labelledby="hours">
      {% for each in hours %}
      <tr><th scope="row"{{ in_language(desk_language()) }}>{{ each.queue }}</th><td>{% if each.closing %}{{ _("Closed now") }}{% else %}{{ each.words }}{% endif %}
        {%- if each.last_intake_minutes and not each.closing %}<p class="hint">{{ ngettext("New chats until %(num)s minute before closing time", "New chats until %(num)s minutes before closing time", each.last_intake_minutes) }}</p>{% endif %}</td></tr>
      {% endfor %}
    </table>
  </section>
  {% endif %}
  <div class="prose" lang="{{ widget.card_language }}">{{ widget.card }}</div>
  {% if "112" not in widget.card %}
  <p class="way">{{ icon("siren") }}<span>{{ _("In an emergency, call 112.") }}</span></p>
  {% endif %}
</div>
{% endmacro %}
""")  # noqa: E501
