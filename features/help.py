"""Help: the manuals, for everybody: how one chats, how one answers, how one sets it up.

GET /help            which there are
GET /help/{manual}   visitor, agent or admin; ?lang=fr as the reader likes

They are Markdown, a file per language in layouts/prose, for whoever translates. A heading ends in its own
`{#name}`, the same in every language; [[icon:eye]], [[dot:green]] and [[key:Enter]] draw what is on screen.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from markdown_it.token import Token
from markupsafe import Markup

import layouts
from features import desk, widget
from features.access import public
from layouts import _, html, language, template

PROSE = layouts.HERE / "prose"
ANCHOR = re.compile(r"\s*\{#([a-z-]+)\}$")
NO_BREAK = "\N{NO-BREAK SPACE}"  # put in here: nobody sees it while writing
FRENCH_SIGN = re.compile(" (?=[?!:;»])|(?<=«) ")
BEFORE_UNIT = re.compile(r"(?<=\d) (?=%|MB\b|Mo\b|\d{3}\b)|(?<=\bEN) (?=\d)")
SIGN = re.compile(r"\[\[(icon|dot|key):([^\]]+)\]\]")


@dataclass(frozen=True)
class Manual:
    title: Callable[[], str]
    words: Callable[[], str]
    icon: str


MANUALS = {
    "visitor": Manual(
        lambda: _("For visitors"),
        lambda: _("Chatting with a member of staff: the button, the window, what you can do in it."),
        "message-square-text",
    ),
    "agent": Manual(
        lambda: _("For agents"),
        lambda: _("Chat requests, conversations and the buttons in them."),
        "messages-square",
    ),
    "admin": Manual(
        lambda: _("For administrators"),
        lambda: _("From the first queue to retention: what the settings do."),
        "settings",
    ),
}


@get("/help", guards=[public])
async def overview() -> Response[str]:
    return html(ui.overview(desk.facts.name, MANUALS))


@get("/help/{manual:str}", guards=[public])
async def read(manual: FromPath[str]) -> Response[str]:
    if manual not in MANUALS:
        raise NotFoundException
    return html(ui.page(desk.facts.name, manual, MANUALS, prose(manual)))


# ---- what is written -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Prose:
    """In the language being spoken."""

    title: str
    contents: tuple[tuple[str, str], ...]  # the names and words of its chapters
    body: Markup


def prose(name: str) -> Prose:
    return written(name, language.get(), layouts.locale())


@cache
def written(name: str, code: str, where: str) -> Prose:
    text = (PROSE / code / f"{name}.md").read_text("utf-8")
    if where == "nl_NL":
        text = layouts.in_the_netherlands(text)
    text = BEFORE_UNIT.sub(NO_BREAK, FRENCH_SIGN.sub(NO_BREAK, text) if code == "fr" else text)
    tokens = widget.markdown.parse(text)
    headings = list(named(tokens))
    title, *_rest = (words for tag, _id, words in headings if tag == "h1")
    body = widget.markdown.renderer.render(tokens[3:], widget.markdown.options, {})  # the title stands above
    chapters = tuple((id, words) for tag, id, words in headings if tag == "h2")
    return Prose(title, chapters, Markup(SIGN.sub(sign, body)))  # noqa: S704 – ours, and no HTML comes through


def named(tokens: list[Token]) -> Any:
    """(tag, name, words) of each heading, which from now on has its name."""
    for opening, inline in pairwise(tokens):
        if opening.type != "heading_open":
            continue
        found = ANCHOR.search(inline.content)
        if found and inline.children:
            opening.attrSet("id", found[1])
            inline.children[-1].content = ANCHOR.sub("", inline.children[-1].content)
        yield opening.tag, found[1] if found else "", ANCHOR.sub("", inline.content)


def sign(found: re.Match[str]) -> str:
    return str(ui.sign(found[1], Markup(found[2])))  # noqa: S704 – escaped already


routes = [overview, read]

ui = template("""
{% from "base.html" import document %}
{% from "components.html" import dot, icon, kbd, languages_nav %}

{# The frame of every page that is there to be read: `here` is its address. #}
{% macro frame(desk, title, here) %}
{% set inner = caller() %}
{% call document(title ~ " · " ~ desk, "reading") %}
<link rel="stylesheet" href="{{ asset("help.css") }}">
<a class="skip" href="#main">{{ _("Skip to the page") }}</a>
<header class="reading-head">
  <p class="wordmark">{{ icon("messages-square") }}Balie</p>
  <p class="soft" translate="no">{{ desk }}</p>
  {{ languages_nav(here) }}
</header>
{{ inner }}
<footer class="reading-foot">
  <ul class="public-links">
    {% for path, words in [("/help", _("Help")), ("/accessibility", _("Accessibility"))] %}
    <li><a href="{{ path }}?lang={{ language() }}">{{ words }}</a></li>
    {% endfor %}
  </ul>
</footer>
{% endcall %}
{% endmacro %}

{% macro overview(desk, manuals) %}
{% call frame(desk, _("Help"), "/help") %}
<main class="reading stack" id="main">
  <h1 class="display">{{ _("Help") }}</h1>
  <ul class="manuals">
    {% for name, manual in manuals.items() %}
    <li>{{ icon(manual.icon) }}<div><a href="/help/{{ name }}?lang={{ language() }}">{{ manual.title() }}</a><p>{{ manual.words() }}</p></div></li>
    {% endfor %}
  </ul>
</main>
{% endcall %}
{% endmacro %}

{% macro page(desk, name, manuals, prose) %}
{% call frame(desk, prose.title, "/help/" ~ name) %}
<nav class="reading-nav" aria-label="{{ _("Manuals") }}">
  <ul>
    {% for each, manual in manuals.items() %}
    <li><a href="/help/{{ each }}?lang={{ language() }}"{% if each == name %} aria-current="page"{% endif %}>{{ manual.title() }}</a></li>
    {% endfor %}
  </ul>
</nav>
{{ chapters(prose) }}
{% endcall %}
{% endmacro %}

{# The text, with its table of contents. #}
{% macro chapters(prose) %}
<main class="reading-columns" id="main">
  <h1 class="display">{{ prose.title }}</h1>
  <nav class="reading-contents" aria-labelledby="contents">
    <h2 class="legend" id="contents">{{ _("On this page") }}</h2>
    <ol>{% for id, words in prose.contents %}<li><a href="#{{ id }}">{{ words }}</a></li>{% endfor %}</ol>
  </nav>
  <div class="prose">{{ prose.body }}</div>
</main>
{% endmacro %}

{% macro sign(what, name) %}
{% if what == "icon" %}{{ icon(name) }}{% elif what == "dot" %}{{ dot(name) }}{% else %}{{ kbd(name) }}{% endif %}
{% endmacro %}
""")  # noqa: E501
