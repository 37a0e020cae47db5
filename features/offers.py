"""Offers: a menu of options put before the visitor; what is chosen comes back as a message.

    GET  /chats/{id}/offers         the agent's panel: a saved menu of the queue, or one made on the spot
    POST /chats/{id}/offers         put it before the visitor
    POST /chat/offers/{id}/choice   what the visitor chose

An offer is a public message, never a private one. It can be chosen from once, while the conversation lasts;
from then on it is fixed and shows on both sides what was chosen.
"""

import json
import secrets
import unicodedata
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from litestar import Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery
from markupsafe import Markup

import db
from db.appending import Appended
from db.clock import now
from db.tables import Chat, Message, Offer, SavedOffer
from features import messages, settings, visit, withdrawal
from features.access import Caller, Person, agent_of, may, visitor, visitor_of
from features.messages import ChatIsOver, Line, Refused
from features.participations import taking_part
from layouts import _, html, number, swap, template

FEWEST, MOST = 2, 10
TITLE_LENGTH, OPTION_LENGTH = 200, 100  # characters
LARGEST_ID = 2**63 - 1


@dataclass(frozen=True)
class Menu:
    """What can be chosen from."""

    title: str = ""
    options: tuple[str, ...] = ()
    several: bool = False  # or one only


@dataclass(frozen=True)
class Saved:
    """A menu that lies ready."""

    id: int
    language: str
    menu: Menu


@dataclass(frozen=True)
class Offered:
    """A menu before a visitor. `chosen` are the places of what was chosen; none: not yet."""

    id: int
    chat: int
    key: str
    menu: Menu
    chosen: tuple[int, ...]


class AlreadyChosen(Refused):
    """A choice has been made before, or the menu was withdrawn."""


# ---- the agent offers ------------------------------------------------------------------------------------


@get("/chats/{chat:int}/offers", guards=[may("chat")])
async def show(
    request: Request[Any, Any, Any], chat: FromPath[int], saved: FromQuery[int] = 0
) -> Response[str]:
    """The panel; or only its form, filled with a saved menu."""
    await taking_part(agent_of(request), chat)
    ready = await saved_for(chat)
    if not saved:
        return html(swap(f"#tool-{chat}", ui.panel(chat, ready, new_key(), MOST), "innerHTML"))
    taken = next((each.menu for each in ready if each.id == saved), None)
    if taken is None:
        raise NotFoundException
    return html(swap(f"#offer-{chat}", ui.form(chat, taken, new_key(), {}, MOST), "outerHTML"))


@post("/chats/{chat:int}/offers", guards=[may("chat")], status_code=200)
async def send(request: Request[Any, Any, Any], chat: FromPath[int]) -> Response[str]:
    person, form = agent_of(request), await request.form()
    await taking_part(person, chat, or_did=True)
    key = str(form.get("key", ""))
    menu = Menu(
        one_line(str(form.get("title", ""))),
        tuple(option for each in form.getall("option", []) if (option := one_line(str(each)))),
        form.get("choose") == "several",
    )
    if errors := problems_with(key, menu):
        again = ui.form(chat, menu, key or new_key(), errors, MOST)
        return html(swap(f"#offer-{chat}", again, "outerHTML"), status_code=422)
    try:
        seq = await put_before(person, chat, key, menu)
    except ChatIsOver as over:
        again = ui.form(chat, menu, key, {"form": str(over)}, MOST)
        return html(swap(f"#offer-{chat}", again, "outerHTML"), status_code=409)
    new = await messages.thread(chat, seq - 1)
    drawn = messages.drawn(new, "agent", person.id, person.may_reveal)
    done = {"HX-Trigger": json.dumps({"tool:done": {"chat": chat}})}
    return html(swap(f"#thread-{chat}", drawn, "thread"), headers=done)


async def put_before(person: Person, chat: int, key: str, menu: Menu) -> int:
    """Put it before the visitor and return the number of the message that shows it; the same key again is the
    same offer."""
    async with db.transaction():
        await still_taking_part(person, chat)
        seq, is_new = await messages.write(
            chat,
            key,
            author="agent",
            agent=person.id,
            name=person.name,
            kind="offer",
            body="\n".join([menu.title, *(f"• {option}" for option in menu.options)]),
        )
        if is_new:
            row = Offer(chat=chat, key=key, agent=person.id, title=menu.title, several=menu.several)
            row.options, row.offered_at = json.dumps(menu.options), now()
            await row.save()
            await draw(Offered(row.id, chat, key, menu, ()))
        return seq


async def still_taking_part(person: Person, chat: int) -> None:
    try:
        await taking_part(person, chat)
    except NotFoundException:
        raise ChatIsOver(_("You are no longer in this conversation. The offer was not sent.")) from None


async def draw(offered: Offered) -> int:
    """Let its message know what it has to show. Returns that message's number."""
    menu = offered.menu
    data = {"offer": offered.id, "title": menu.title, "options": menu.options, "several": menu.several}
    rows = await (
        Message.update({Message.data: json.dumps({**data, "chosen": offered.chosen})})
        .where(Message.chat == offered.chat)
        .where(Message.key == offered.key)
        .returning(Message.seq)
    )
    return int(rows[0]["seq"])


def one_line(text: str) -> str:
    """Without line breaks, but with the no-break spaces of French; and what nobody would see is empty."""
    line = settings.one_line(messages.cleaned(text))
    return line if any(unicodedata.category(each)[0] not in "CZ" for each in line) else ""


def problems_with(key: str, menu: Menu) -> dict[str, str]:
    """By field; options by their place among those that are filled in."""
    errors = {}
    if not menu.title:
        errors["title"] = _("Write what the visitor chooses about.")
    elif len(menu.title) > TITLE_LENGTH:
        errors["title"] = too_long(menu.title, TITLE_LENGTH)
    if not FEWEST <= len(menu.options) <= MOST:
        errors["options"] = _("Give 2 to 10 options.")
    for place, option in enumerate(menu.options):
        if len(option) > OPTION_LENGTH:
            errors[f"option-{place}"] = too_long(option, OPTION_LENGTH)
        elif option in menu.options[:place]:
            errors[f"option-{place}"] = _("This option is there already.")
    if not messages.KEY.fullmatch(key):
        errors["form"] = _("What was sent could not be read. Reload the page and try again.")
    return errors


def too_long(text: str, limit: int) -> str:
    return _("%(n)s characters; at most %(limit)s fit.") % {"n": number(len(text)), "limit": number(limit)}


def new_key() -> str:
    """Of one form, so that it sends one offer however often it is pressed."""
    return secrets.token_urlsafe(12)


async def saved_for(chat: int) -> list[Saved]:
    """Those of the chat's language first; within a language, as the admin ordered them."""
    row = await Chat.select(Chat.queue, Chat.language).where(Chat.id == chat).first()
    if row is None:
        raise NotFoundException
    found = await (
        SavedOffer.select()
        .where(SavedOffer.queue.is_null() | (SavedOffer.queue == row["queue"]))
        .order_by(SavedOffer.position)
        .order_by(SavedOffer.id)
    )
    ready = [Saved(each["id"], each["language"], menu_of(each)) for each in found]
    return sorted(ready, key=lambda each: each.language != row["language"])


def menu_of(row: dict[str, Any]) -> Menu:
    return Menu(row["title"], tuple(json.loads(row["options"])), row["several"])


# ---- the visitor chooses ---------------------------------------------------------------------------------


@post("/chat/offers/{offer:int}/choice", guards=[visitor], status_code=200)
async def choose(request: Request[Any, Any, Any], offer: FromPath[int]) -> Response[str]:
    caller, form = visitor_of(request), await request.form()
    found = await offered_to(caller, offer)
    if found is None:
        words = _("This menu does not belong to your conversation.")
        return html(messages.refusal("", words), status_code=404)
    chosen = places_in(found.menu, [str(each) for each in form.getall("option", [])])
    if problem := problem_with(found.menu, chosen):
        return html(swap(f"#offer-said-{offer}", ui.said(offer, problem)), status_code=422)
    assert chosen
    try:
        seq = await take(found, chosen)
    except ChatIsOver:
        words = _("This conversation has ended. Your choice was not sent.")
        regions = await visit.regions(await visit.facts_of(caller.id))
        return html(*regions, messages.refusal("", words), status_code=409)
    except AlreadyChosen as refused:
        fixed = await messages.line(found.chat, await seq_of(found.chat, found.key))
        return html(in_thread([fixed] if fixed else []), messages.refusal("", str(refused)), status_code=409)
    return html(in_thread(await messages.thread(found.chat, seq - 1)))


def in_thread(lines: list[Line]) -> Markup:
    return swap("#thread", messages.drawn(lines, "visitor"), "thread")


async def offered_to(caller: Caller, id: int) -> Offered | None:
    """Only the visitor before whom it was put finds it."""
    if caller.id is None or id > LARGEST_ID:
        return None
    row = await Offer.select().where(Offer.id == id).where(Offer.chat.visitor == caller.id).first()
    if row is None:
        return None
    return Offered(id, row["chat"], row["key"], menu_of(row), tuple(json.loads(row["chosen"])))


def places_in(menu: Menu, sent: list[str]) -> tuple[int, ...] | None:
    """In the order of the menu, each once; None if one of them is not in it."""
    there = {str(place): place for place in range(len(menu.options))}
    return tuple(sorted({there[each] for each in sent})) if there.keys() >= set(sent) else None


def problem_with(menu: Menu, chosen: tuple[int, ...] | None) -> str | None:
    if chosen is None:
        return _("What you chose is not in this menu.")
    if not chosen:
        return _("Choose an option first.")
    if len(chosen) > 1 and not menu.several:
        return _("Choose one option only.")
    return None


async def take(found: Offered, chosen: tuple[int, ...]) -> int:
    """Write the choice and return the number of its message. Whoever is first decides; the same choice again
    is the same choice."""
    async with db.transaction():
        if not await is_first(found, chosen):
            return await same_choice(found, chosen)
        options = [found.menu.options[place] for place in chosen]
        row = await Chat.select(Chat.visitor_name).where(Chat.id == found.chat).first()
        assert row
        about = await draw(replace(found, chosen=chosen))
        seq, _is_new = await messages.write(
            found.chat,
            choice_key(found),
            author="visitor",
            name=row["visitor_name"],
            kind="choice",
            body="\n".join([found.menu.title, *(f"✓ {option}" for option in options)]),
            data={"about": about, "title": found.menu.title, "chosen": options},
        )
        return seq


async def is_first(found: Offered, chosen: tuple[int, ...]) -> bool:
    rows = await (
        Offer.update({Offer.chosen: json.dumps(chosen), Offer.chosen_at: now()})
        .where(Offer.id == found.id)
        .where(Offer.chosen_at.is_null())
        .where(Offer.withdrawn_at.is_null())
        .returning(Offer.id)
    )
    return bool(rows)


async def same_choice(found: Offered, chosen: tuple[int, ...]) -> int:
    row = await Offer.select(Offer.chosen, Offer.withdrawn_at).where(Offer.id == found.id).first()
    if row and row["withdrawn_at"]:
        raise AlreadyChosen(_("This menu was withdrawn. Write a message to say what you need."))
    if row is None or tuple(json.loads(row["chosen"])) != chosen:
        raise AlreadyChosen(
            _("You have already chosen from this menu. Write a message to change your choice.")
        )
    seq = await seq_of(found.chat, choice_key(found))
    db.after_commit(partial(messages.tell_of, found.chat, Appended(seq, is_new=False)))
    return seq


def choice_key(found: Offered) -> str:
    """No page can send a key with a colon, so no message of a visitor takes this place."""
    return f"choice:{found.id}"


async def seq_of(chat: int, key: str) -> int:
    row = await Message.select(Message.seq).where(Message.chat == chat).where(Message.key == key).first()
    assert row
    return int(row["seq"])


@withdrawal.asked_of("offer")
async def withdraw(data: dict[str, Any]) -> None:
    """Unless the visitor was first."""
    open_one = Offer.update({Offer.withdrawn_at: now()}).where(Offer.id == data["offer"])
    if not await open_one.where(Offer.chosen_at.is_null()).returning(Offer.id):
        raise Refused(_("The visitor has chosen from this menu already. It stays."))


# ---- in the thread ---------------------------------------------------------------------------------------


@messages.shown_by("offer")
def show_offer(line: Line, side: str) -> Markup:
    return ui.offered(line.data, side, bool(line.withdrawn_at), line.language)


@messages.shown_by("choice")
def show_choice(line: Line, side: str) -> Markup:
    return ui.choice(line.data, line.language)


routes = [show, send, choose]

ui = template("""
{% from "components.html" import button, described, field, icon, icon_button, in_language, notice, remarks %}

{# The agent's panel: what lies ready beside what is being made. #}
{% macro panel(chat, saved, key, most) %}
<section class="tool-body offers" aria-labelledby="offers-title-{{ chat }}"{% if saved %} data-list{% endif %}>
  <header class="tool-head">
    <h3 id="offers-title-{{ chat }}">{{ _("Offer") }}</h3>
    {{ icon_button("x", _("Close"), attrs={"data-close-tool": true}) }}
  </header>
  {% if saved %}
  <div class="offers-saved">
    <input class="input" type="search" data-filter aria-label="{{ _("Search saved offers") }}" placeholder="{{ _("Search saved offers") }}" autocomplete="off"
           role="combobox" aria-expanded="true" aria-autocomplete="list" aria-controls="saved-{{ chat }}">
    <ul class="options" id="saved-{{ chat }}" role="listbox" aria-label="{{ _("Saved offers") }}">
      {% for each in saved %}
      <li class="option" role="option" id="saved-{{ chat }}-{{ each.id }}" aria-selected="false" data-href="/chats/{{ chat }}/offers?saved={{ each.id }}" lang="{{ each.language }}">
        <span class="option-title">{{ each.menu.title }}</span>
        <span class="option-text" title="{{ each.menu.options | join(" · ") }}">{{ each.menu.options | join(" · ") }}</span>
      </li>
      {% endfor %}
    </ul>
    <p class="soft" data-none hidden>{{ _("No saved offer matches.") }}</p>
  </div>
  {% endif %}
  {{ form(chat, none, key, {}, most) }}
</section>
{% endmacro %}

{# Empty; or with a menu in it, saved or refused. Rows that are not needed yet are there, hidden. #}
{% macro form(chat, menu, key, errors, most) %}
{% set options = menu.options if menu else [] %}
{% set id = "offer-" ~ chat %}
<form class="offer-form" id="{{ id }}" hx-post="/chats/{{ chat }}/offers" hx-swap="none" novalidate>
  {% if errors.get("form") %}{{ notice("error", errors.form, attrs={"role": "alert"}) }}{% endif %}
  {{ field(_("Question to the visitor"), "title", menu.title if menu else "", errors, id=id ~ "-title", attrs={"dir": "auto", "autofocus": "title" in errors}) }}
  <fieldset class="offer-rows"{{ described(id ~ "-rows", "options", "", errors) }}>
    <legend class="legend">{{ _("Options") }}</legend>
    <div class="stack" data-rows>
      {% for place in range([most, options | length] | max) %}
      {% set name = "option-" ~ place %}
      <div class="offer-row"{% if place >= [2, options | length] | max %} hidden{% endif %}>
        <input class="input" id="{{ id }}-{{ name }}" name="option" value="{{ options[place] if place < options | length else "" }}" dir="auto" autocomplete="off"
               aria-label="{{ _("Option") }}"{{ described(id ~ "-" ~ name, name, "", errors) }}{% if errors and not errors.get("title") and (name in errors or ("options" in errors and place == options | length)) %} autofocus{% endif %}>
        {{ icon_button("x", _("Remove option"), attrs={"data-less": true}) }}
        {{ remarks(id ~ "-" ~ name, name, "", errors) }}
      </div>
      {% endfor %}
    </div>
    {{ remarks(id ~ "-rows", "options", "", errors) }}
    {{ button(_("Add option"), "quiet", "plus", attrs={"data-more": true}) }}
  </fieldset>
  <div class="offer-end">
    {{ how(id, "one", _("One may be chosen"), not (menu and menu.several)) }}
    {{ how(id, "several", _("Several may be chosen"), menu and menu.several) }}
    {{ button(_("Send offer"), "primary", type="submit", attrs={"class": "push", "autofocus": menu and not errors}) }}
  </div>
  <input type="hidden" name="key" value="{{ key }}">
</form>
{% endmacro %}

{% macro how(id, value, words, checked) %}
<div class="check">
  <input type="radio" id="{{ id }}-{{ value }}" name="choose" value="{{ value }}"{% if checked %} checked{% endif %}>
  <label for="{{ id }}-{{ value }}">{{ words }}</label>
</div>
{% endmacro %}

{# In the thread: to be chosen from, or fixed. What is in sight after the end of the chat is the stylesheet's. #}
{% macro offered(offer, side, withdrawn=false, lang="") %}
{% set open = not offer.chosen and not withdrawn %}
<div class="bubble offer" tabindex="-1" role="group" aria-labelledby="offer-title-{{ offer.offer }}">
  <p class="offer-title" id="offer-title-{{ offer.offer }}" dir="auto"{{ in_language(lang) }}>{{ offer.title }}</p>
  {% if open and side == "visitor" %}
  {{ menu(offer, lang) }}
  <div class="offer-over">{{ listed(offer, lang) }}<p class="soft">{{ _("Nothing was chosen.") }}</p></div>
  {% else %}
  {{ listed(offer, lang) }}
  {% if open %}
  <p class="soft offer-open">{{ _("The visitor has not chosen yet.") }}</p>
  <p class="soft offer-over">{{ _("Nothing was chosen.") }}</p>
  {% endif %}
  {% endif %}
</div>
{% endmacro %}

{% macro menu(offer, lang) %}
<form class="offer-open" hx-post="/chat/offers/{{ offer.offer }}/choice" hx-swap="none">
  {% if offer.several %}
  <div class="offer-checks">
    {% for option in offer.options %}
    <label class="choice"><input type="checkbox" name="option" value="{{ loop.index0 }}"><span dir="auto"{{ in_language(lang) }}>{{ option }}</span></label>
    {% endfor %}
  </div>
  {{ button(_("Confirm"), "primary", type="submit") }}
  {% else %}
  <div class="actions">
    {% for option in offer.options %}
    <button type="submit" class="button secondary" name="option" value="{{ loop.index0 }}"><span dir="auto"{{ in_language(lang) }}>{{ option }}</span></button>
    {% endfor %}
  </div>
  {% endif %}
  {{ said(offer.offer) }}
  <p class="field-error offer-unsent" role="alert">{{ icon("circle-alert") }}<span>{{ _("Not sent. Choose again.") }}</span></p>
</form>
{% endmacro %}

{% macro said(id, words="") %}
<div id="offer-said-{{ id }}" role="alert">{% if words %}<p class="field-error">{{ icon("circle-alert") }}<span>{{ words }}</span></p>{% endif %}</div>
{% endmacro %}

{% macro listed(offer, lang) %}
<ul class="offer-list">
  {% for option in offer.options %}
  {% if loop.index0 in offer.chosen %}<li class="chosen">{{ icon("check") }}<span><bdi{{ in_language(lang) }}>{{ option }}</bdi> ({{ _("chosen") }})</span></li>
  {% else %}<li><bdi{{ in_language(lang) }}>{{ option }}</bdi></li>{% endif %}
  {% endfor %}
</ul>
{% endmacro %}

{# The choice, as a message of the visitor. #}
{% macro choice(choice, lang="") %}
<div class="bubble offer">
  <blockquote class="offer-quote" dir="auto"{{ in_language(lang) }}>{{ choice.title }}</blockquote>
  <ul class="offer-list">
    {% for option in choice.chosen %}<li class="chosen">{{ icon("check") }}<bdi{{ in_language(lang) }}>{{ option }}</bdi></li>{% endfor %}
  </ul>
</div>
{% endmacro %}
""")  # noqa: E501
