"""Arrival: from the press on the button to a chat that waits: the form, and the place that is held while it
is filled in.

POST  /chat/hold    the press; without a form it is the start
PATCH /chat/hold    the visitor is typing, or has chosen a subject
POST  /chat         the form is sent
"""

import re
from typing import Any

from litestar import Request, Response, patch, post
from litestar.exceptions import NotFoundException
from markupsafe import Markup
from msgspec import Struct

import db
from db.clock import now
from db.tables import Visitor
from features import hours, messages, routing, visit, widget
from features.access import Caller, address_of, visitor, visitor_of
from features.desk import keyed
from features.visit import Facts
from features.widget import SubjectFacts, WidgetFacts
from layouts import Form, _, html, language, swap, template

EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,180}\.[^@\s.]{2,}")
NAME_LENGTH, URL_LENGTH = 80, 2000


class Details(Struct):
    """The form before the chat. What the widget does not ask stays empty."""

    name: str = ""
    email: str = ""
    subject: str = ""
    question: str = ""
    key: str = ""  # of the first message
    page: str = ""


@post("/chat/hold", guards=[visitor], status_code=200)
async def press(request: Request[Any, Any, Any], data: Form[Details]) -> Response[str]:
    caller = visitor_of(request)
    found = await widget_of(caller)
    if not found.form:
        return await begin(caller, found, data)
    visitor_id = await known(caller)
    await hold(request, visitor_id, found, data)
    facts = await visit.facts_of(visitor_id)
    drawn = [*await visit.screen(facts), *await panel(caller, facts)]
    if facts.state == "none":
        drawn.append(await unavailable(first_green(await widget.subjects(found.id))))
    return html(*drawn)


@patch("/chat/hold", guards=[visitor], status_code=200)
async def renew(request: Request[Any, Any, Any], data: Form[Details]) -> Response[str]:
    """A place that was given up meanwhile is asked for again."""
    caller = visitor_of(request)
    found, visitor_id = await widget_of(caller), await known(caller)
    if not await routing.renew_hold(visitor_id):
        await hold(request, visitor_id, found, data)
    if subject := named(await widget.subjects(found.id), data.subject):
        await routing.choose(visitor_id, subject.queue, subject.id)
    facts = await visit.facts_of(visitor_id)
    return html(*await place(caller, facts), swap("#stream", visit.ui.stream(facts, 0)))


@post("/chat", guards=[visitor], status_code=200)
async def start(request: Request[Any, Any, Any], data: Form[Details]) -> Response[str]:
    caller = visitor_of(request)
    return await begin(caller, await widget_of(caller), data)


async def begin(caller: Caller, found: WidgetFacts, details: Details) -> Response[str]:
    """Start the chat, with the first question in it, or say what keeps it from starting."""
    subjects = await widget.subjects(found.id)
    asked = "subject" in found.form
    subject = named(subjects, details.subject) if asked else first_green(subjects)
    if errors := problems_with(details, found.form, subject):
        return html(swap("#form", ui.form(found, options(subjects), details, errors)), status_code=422)
    visitor_id = await known(caller)
    if subject is None or not await started(visitor_id, found, subject, details):
        facts = await visit.facts_of(visitor_id)
        shown = [] if found.form else [*await visit.screen(facts), *await panel(caller, facts)]
        return html(*shown, await unavailable(subject), status_code=409)
    return html(swap("#panel", ui.empty_panel()), *await visit.screen(await visit.facts_of(visitor_id)))


async def started(visitor_id: int, found: WidgetFacts, subject: SubjectFacts, details: Details) -> bool:
    name = line(details.name)[:NAME_LENGTH]
    async with db.transaction():
        chat = await routing.start(
            visitor_id,
            found.id,
            subject.queue,
            name=name,
            email=line(details.email),
            subject_id=subject.id,
            language=language.get(),
            page_url=line(details.page)[:URL_LENGTH],
        )
        if chat is not None and "question" in found.form:
            await messages.post(chat, details.key, details.question, author="visitor", name=name)
    return chat is not None


def line(text: str) -> str:
    """Of what is typed in a field of one line: without what no one can see."""
    return " ".join(messages.cleaned(text).split())


async def unavailable(subject: SubjectFacts | None) -> Markup:
    verdict = await hours.verdict(subject.queue, now()) if subject else None
    if verdict and verdict.open:
        return swap("#place", ui.no_place("nobody"))
    return swap("#place", ui.no_place("closed", verdict))


async def hold(
    request: Request[Any, Any, Any], visitor_id: int, found: WidgetFacts, details: Details
) -> None:
    subjects = await widget.subjects(found.id)
    subject = named(subjects, details.subject) or first_green(subjects)
    if subject is not None:
        await routing.press(
            visitor_id,
            found.id,
            subject.queue,
            address_hash=keyed("address", address_of(request)),
            language=language.get(),
            page_url=line(details.page)[:URL_LENGTH],
            subject_id=subject.id,
        )


async def known(caller: Caller) -> int:
    """The visitor's row is made at the first thing it starts."""
    if caller.id is not None:
        return caller.id
    try:
        row = Visitor(widget=caller.widget, token_hash=caller.token_hash, created_at=now())
        await row.save()
        return int(row.id)
    except db.UniqueViolation:  # two tabs at once
        earlier = await Visitor.select(Visitor.id).where(Visitor.token_hash == caller.token_hash).first()
        assert earlier
        return int(earlier["id"])


async def widget_of(caller: Caller) -> WidgetFacts:
    found = await widget.widget_by_key(caller.key)
    if found is None:
        raise NotFoundException
    return found


def named(subjects: list[SubjectFacts], wanted: str) -> SubjectFacts | None:
    return next((subject for subject in subjects if str(subject.id) == wanted), None)


def first_green(subjects: list[SubjectFacts]) -> SubjectFacts | None:
    return next((subject for subject in subjects if subject.green), subjects[0] if subjects else None)


def problems_with(details: Details, form: list[str], subject: SubjectFacts | None) -> dict[str, str]:
    errors = {}
    if "name" in form and not line(details.name):
        errors["name"] = _("Enter your name.")
    if "email" in form and line(details.email) and not EMAIL.fullmatch(line(details.email)):
        errors["email"] = _("Enter an e-mail address such as name@example.be, or leave this empty.")
    if "subject" in form and subject is None:
        errors["subject"] = _("Choose a subject.")
    question = messages.cleaned(details.question)
    if "question" in form and not question.strip():
        errors["question"] = _("Write your question.")
    elif "question" in form and (problem := messages.problem_with(details.key, question)):
        errors["question"] = problem
    return errors


# ---- regions ---------------------------------------------------------------------------------------------


async def panel(caller: Caller, facts: Facts) -> list[Markup]:
    """The form, when it is its turn. What was typed in it before a reload is put back by the page."""
    if facts.state not in ("forming", "none"):
        return [swap("#panel", ui.empty_panel())]
    found = await widget_of(caller)
    subjects = await widget.subjects(found.id)
    if not found.form:
        return [swap("#panel", ui.start_panel(found, any(each.green for each in subjects)), "outerHTML")]
    chosen = Details(subject=str(facts.subject or ""))
    return [swap("#panel", ui.panel(found, options(subjects), chosen), "outerHTML")]


async def place(caller: Caller, facts: Facts) -> list[Markup]:
    """Whether a place is still held, and which subjects have one, under a form that stays as it is."""
    if facts.state not in ("forming", "none"):
        return []
    held = facts.state == "forming"
    return [swap("#place", ui.held() if held else ui.no_place("gone"))]


def options(subjects: list[SubjectFacts]) -> list[tuple[int, str]]:
    """One without a place can still be chosen: then one waits."""
    full = _("not available right now")
    return [(each.id, each.label if each.green else f"{each.label} ({full})") for each in subjects]


routes = [press, renew, start]

ui = template("""
{% from "components.html" import button, field, notice, select_field, textarea_field %}
{% import "widget" as widget_ %}

{% macro empty_panel() %}<div id="panel"></div>{% endmacro %}

{% macro panel(widget, subjects, details) %}
<div id="panel">
  {{ form(widget, subjects, details) }}
</div>
{% endmacro %}

{# Without a form, on a page of its own: the press. #}
{% macro start_panel(widget, green) %}
<div id="panel">
  <div class="window-form stack">
    {{ privacy(widget) }}
    {{ held() }}
    {% if green %}{{ button(_("Chat with a member of staff"), "available", "message-square-text", attrs={"class": "fill large", "data-act": "press"}) }}
    {% else %}{{ button(_("Chat unavailable, see the information page"), "primary", "info", attrs={"class": "fill large", "data-act": "info"}) }}{% endif %}
  </div>
</div>
{% endmacro %}

{% macro privacy(widget) %}
{% if widget.privacy_text %}
<p class="privacy"><span lang="{{ widget.privacy_language }}">{{ widget.privacy_text }}</span>
  {% if widget.privacy_url %}<a href="{{ widget.privacy_url }}" target="_blank" rel="noopener">{{ _("Read how we handle your data") }}</a>{% endif %}</p>
{% endif %}
{% endmacro %}

{% macro form(widget, subjects, details, errors={}) %}
<form id="form" class="window-form stack" method="dialog" novalidate>
  {% if "name" in widget.form %}
  {{ field(_("Name"), "name", details.name, errors, autocomplete="name", required=true) }}
  {% endif %}
  {% if "email" in widget.form %}
  {{ field(_("E-mail"), "email", details.email, errors, type="email", autocomplete="email", required=false) }}
  {% endif %}
  {% if "subject" in widget.form %}
  {{ select_field(_("Subject"), "subject", subjects, details.subject, errors, required=true) }}
  {% endif %}
  {% if "question" in widget.form %}
  {{ textarea_field(_("Your question"), "question", details.question, errors, required=true) }}
  {% endif %}
  {{ privacy(widget) }}
  {{ held() }}
  {{ notice("error", _("No connection. We are trying again; your text is kept."), attrs={"id": "form-lost", "role": "alert", "hidden": true}) }}
  {{ button(_("Start conversation"), "primary", type="submit", attrs={"class": "fill large"}) }}
</form>
{% endmacro %}

{% macro held() %}<div id="place" role="status"></div>{% endmacro %}

{# `verdict` of the queue's hours, where it is closed. #}
{% macro no_place(why, verdict=none) %}
<div id="place" role="status">
  {% set words = {
    "closed": _("The chat is closed at the moment."),
    "nobody": _("Nobody is available at the moment. What you typed is kept."),
    "gone": _("Your place is no longer held. What you typed is kept: send it and wait in line, or see the information page."),
  } %}
  {% set name = verdict.day.title if verdict and verdict.why in ("holiday", "closed_day") else "" %}
  {% call notice("warning", _("The chat is closed today: %(name)s.", name=name) if name else words[why]) %}
  {% if verdict and verdict.closing %}<div class="closed-words">{{ widget_.closed(verdict.closing, language()) }}</div>{% endif %}
  <button type="button" class="link" data-act="info">{{ _("See the information page") }}</button>
  {% endcall %}
</div>
{% endmacro %}
""")  # noqa: E501
