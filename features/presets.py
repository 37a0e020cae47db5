"""Presets: the ready-made answers that an agent puts into the text bar, from a list or by typing /short.

    GET /chats/{id}/presets    the list, for this chat's queue, the agent's profile and the visitor's language

Choosing puts the text at the cursor, its placeholders filled; nothing is sent before the agent sends it.
"""

import re
from dataclasses import dataclass
from typing import Any

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from db.tables import Chat, Preset, Readiness
from features.access import Person, agent_of, may
from features.participations import taking_part
from layouts import html, swap, template

PLACEHOLDER = re.compile(r"(?P<comma>,?)(?P<space>[ \t]?)\{(?P<name>\w+)\}(?P<ends>(?=\s*[.!?]|\s*$))?")


@dataclass(frozen=True)
class PresetFacts:
    """A preset as it would go into the text bar of one chat."""

    id: int
    title: str
    shortcut: str
    language: str
    text: str


@get("/chats/{chat:int}/presets", guards=[may("chat")])
async def show(request: Request[Any, Any, Any], chat: FromPath[int]) -> Response[str]:
    person = agent_of(request)
    await taking_part(person, chat)
    return html(swap(f"#tool-{chat}", ui.panel(chat, await presets_for(person, chat)), "innerHTML"))


async def presets_for(person: Person, chat: int) -> list[PresetFacts]:
    """Those of the chat's language first; within a language, as the admin ordered them."""
    row = await (
        Chat.select(
            Chat.queue,
            Chat.language,
            Chat.visitor_name,
            Chat.queue.name.as_alias("queue_name"),
        )
        .where(Chat.id == chat)
        .first()
    )
    if row is None:
        raise NotFoundException
    duty = await Readiness.select(Readiness.profile).where(Readiness.agent == person.id).first()
    presets = await (
        Preset.select()
        .where(Preset.queue.is_null() | (Preset.queue == row["queue"]))
        .where(Preset.profile.is_null() | (Preset.profile == (duty["profile"] if duty else None)))
        .order_by(Preset.position)
        .order_by(Preset.id)
    )
    words = {"visitor": row["visitor_name"], "agent": person.name, "queue": row["queue_name"]}
    return [
        PresetFacts(
            each["id"], each["title"], each["shortcut"], each["language"], filled(each["body"], words)
        )
        for each in sorted(presets, key=lambda each: each["language"] != row["language"])
    ]


def filled(body: str, words: dict[str, str]) -> str:
    """With its placeholders filled. An empty one leaves a correct sentence (no "Dag , …"); one that
    nobody knows stays, to be seen before it is sent."""

    def fill(match: re.Match[str]) -> str:
        word = words.get(match["name"])
        if word is None:
            return match[0]
        if word:
            return f"{match['comma']}{match['space']}{word}"
        return "" if match["ends"] is not None else match["comma"]

    text = PLACEHOLDER.sub(fill, body)
    if body.startswith("{"):
        text = text.lstrip(" ,;:!")
        text = text[:1].upper() + text[1:]
    return text


routes = [show]

ui = template("""
{% from "components.html" import empty, icon %}

{% macro panel(chat, presets) %}
<section class="tool-body" aria-labelledby="presets-title-{{ chat }}" data-list>
  <header class="tool-head">
    <h3 id="presets-title-{{ chat }}">{{ _("Presets") }}</h3>
    <button type="button" class="icon-button" data-close-tool aria-label="{{ _("Close") }}" title="{{ _("Close") }}">{{ icon("x") }}</button>
  </header>
  {% if presets %}
  <input class="input" type="search" data-filter aria-label="{{ _("Search presets") }}" placeholder="{{ _("Search presets") }}" autocomplete="off"
         role="combobox" aria-expanded="true" aria-autocomplete="list" aria-controls="presets-{{ chat }}">
  <ul class="options" id="presets-{{ chat }}" role="listbox" aria-label="{{ _("Presets") }}">
    {% for preset in presets %}
    <li class="option" role="option" id="preset-{{ chat }}-{{ preset.id }}" aria-selected="false" data-text="{{ preset.text }}" data-shortcut="{{ preset.shortcut }}" lang="{{ preset.language }}">
      <span class="option-title">{{ preset.title }}</span>{% if preset.shortcut %} <kbd class="kbd" translate="no">/{{ preset.shortcut }}</kbd>{% endif %}
      <span class="option-text" title="{{ preset.text }}">{{ preset.text }}</span>
    </li>
    {% endfor %}
  </ul>
  <p class="soft" data-none hidden>{{ _("No preset matches.") }}</p>
  {% else %}
  {{ empty(_("No presets yet"), _("Your administrator has not made any for this queue and profile."), "text-quote") }}
  {% endif %}
</section>
{% endmacro %}
""")  # noqa: E501
