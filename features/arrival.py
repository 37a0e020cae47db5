"""Arrival: from the press on the button to a chat that waits: the form, and the place that is held while it
is filled in.

POST  /chat/hold    the press; without a form it is the start
PATCH /chat/hold    the visitor is typing, or has chosen a subject
POST  /chat         the form is sent
"""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from litestar import Request, Response, patch, post
from litestar.exceptions import NotFoundException
from markupsafe import Markup
from msgspec import Struct

import db
from db.clock import now
from db.settings import settings
from db.tables import Message, Start, Visitor
from features import blocks, devices, hours, identity, messages, numbers, rounds, routing, visit, widget
from features.access import Caller, address_of, visitor, visitor_of
from features.desk import keyed
from features.identity import Verified
from features.tokens import BadToken
from features.visit import Facts
from features.widget import SubjectFacts, WidgetFacts
from layouts import Form, _, html, language, swap, template

EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,180}\.[^@\s.]{2,}")
NAME_LENGTH, URL_LENGTH = 80, 2000
STARTS_MINUTES = 10
FORGET_EVERY_S = 60
CHECK_IT = "Check a token, or read on: {}/guide/{}"


class TooMany(Exception):
    """Too many chats have been started from this address lately."""


class Details(Struct):
    """The form before the chat. What the widget does not ask stays empty, unless the host page knows it: then
    it comes with the press, and stands in the form. Nobody vouches for it."""

    name: str = ""
    email: str = ""
    subject: str = ""
    question: str = ""
    key: str = ""  # of the first message
    sure: str = ""  # kinds of numbers that the visitor was warned of, and sends anyway
    page: str = ""
    identity: str = ""  # with the press: the host page's signed token


@post("/chat/hold", guards=[visitor], status_code=200)
async def press(request: Request[Any, Any, Any], data: Form[Details]) -> Response[str]:
    """What is wrong with the token of the host page is told to its developer; the chat goes on without."""
    caller = visitor_of(request)
    found = await widget_of(caller)
    bad = None
    if await blocks.until(caller.id):  # whoever it says to be now
        return await shut_out(caller)
    if data.identity:
        caller, bad = await introduced(caller, found, data.identity)
    try:
        answer = await pressed(request, caller, found, data)
    except blocks.ShutOut:
        return await shut_out(caller)
    if bad:
        text = f"{bad.text} {CHECK_IT.format(settings.url, found.key)}"
        told = {"identity:refused": {"code": bad.code, "text": text}}
        answer.headers["HX-Trigger"] = json.dumps(told)
    return answer


async def introduced(caller: Caller, found: WidgetFacts, token: str) -> tuple[Caller, BadToken | None]:
    """The caller as it goes on: in the chat that the same person has already, if there is one."""
    try:
        claims = await identity.read(found, token)
    except BadToken as bad:
        return caller, bad
    if there := await devices.let_in(found, caller, claims):
        return there, None
    caller = replace(caller, id=await known(caller))
    return caller, await identity.show(found, caller.id or 0, claims)


async def pressed(
    request: Request[Any, Any, Any], caller: Caller, found: WidgetFacts, data: Details
) -> Response[str]:
    if caller.joined:
        return await as_it_is(caller)
    if not found.form:
        return await begin(request, caller, found, data)
    visitor_id = await known(caller)
    subjects = await widget.subjects(found.id)
    meant = named(subjects, data.subject)
    data.subject = str(meant.id) if meant else ""
    await hold(request, visitor_id, found, data if meant and meant.green else Details(page=data.page))
    facts = await visit.facts_of(visitor_id)
    drawn = [*await visit.screen(facts), *await panel(replace(caller, id=visitor_id), facts, data)]
    if facts.state == "none":
        drawn.append(await unavailable(meant or first_green(subjects), subjects))
    return html(*drawn)


@patch("/chat/hold", guards=[visitor], status_code=200)
async def renew(request: Request[Any, Any, Any], data: Form[Details]) -> Response[str]:
    """A place that was given up meanwhile is asked for again."""
    caller = visitor_of(request)
    if caller.joined:
        return await as_it_is(caller)
    found, visitor_id = await widget_of(caller), await known(caller)
    if not await routing.renew_hold(visitor_id):
        try:
            await hold(request, visitor_id, found, data)
        except blocks.ShutOut:
            return await shut_out(caller)
    if subject := named(await widget.subjects(found.id), data.subject):
        await routing.choose(visitor_id, subject.queue, subject.id)
    facts = await visit.facts_of(visitor_id)
    return html(*await place(caller, facts), swap("#stream", visit.ui.stream(facts, 0)))


@post("/chat", guards=[visitor], status_code=200)
async def start(request: Request[Any, Any, Any], data: Form[Details]) -> Response[str]:
    caller = visitor_of(request)
    try:
        return await begin(request, caller, await widget_of(caller), data)
    except blocks.ShutOut:
        return await shut_out(caller)


async def shut_out(caller: Caller) -> Response[str]:
    """The way on, in place of the form."""
    facts = await visit.facts_to_show(caller.id)
    return html(*await visit.screen(facts), *await panel(caller, facts), status_code=403)


async def begin(
    request: Request[Any, Any, Any], caller: Caller, found: WidgetFacts, details: Details
) -> Response[str]:
    """Start the chat, with the first question in it, or say what keeps it from starting."""
    if caller.joined:
        return await as_it_is(caller)
    subjects = await widget.subjects(found.id)
    subject = named(subjects, details.subject)
    if "subject" not in found.form:
        subject = subject or first_green(subjects)
    person = await identity.of_visitor(caller.id)
    if errors := problems_with(details, asked(found, person), subject):
        again = ui.form(found, asked(found, person), options(subjects), details, person, errors)
        return html(swap("#form", again), status_code=422)
    if kinds := await to_warn_of(caller, found, details):
        again = ui.form(found, asked(found, person), options(subjects), details, person, {}, kinds)
        return html(swap("#form", again), status_code=422)
    visitor_id = await known(caller)
    address = keyed("address", address_of(request))
    try:
        if subject is None or not await started(visitor_id, found, subject, details, person, address):
            return await refused(caller, found, await unavailable(subject, subjects), 409)
    except TooMany:
        return await refused(caller, found, swap("#place", ui.no_place("many")), 429)
    return html(swap("#panel", ui.empty_panel()), *await visit.screen(await visit.facts_of(visitor_id)))


async def as_it_is(caller: Caller) -> Response[str]:
    """Another device is in a chat, or was: it begins none."""
    facts = await visit.facts_of(caller.id)
    return html(*await visit.screen(facts), *await panel(caller, facts))


async def to_warn_of(caller: Caller, found: WidgetFacts, details: Details) -> tuple[str, ...]:
    """Of a question that is not there yet."""
    if "question" not in found.form:
        return ()
    kinds = numbers.to_warn_of(messages.cleaned(details.question), details.sure)
    sent = Message.exists().where(Message.chat.visitor == caller.id).where(Message.key == details.key)
    return () if kinds and caller.id and await sent else kinds


async def refused(caller: Caller, found: WidgetFacts, words: Markup, status_code: int) -> Response[str]:
    """Under the form, with all that was typed; without one, where the press is."""
    facts = await visit.facts_of(caller.id)
    shown = [] if found.form else [*await visit.screen(facts), *await panel(caller, facts)]
    return html(*shown, words, status_code=status_code)


async def started(
    visitor_id: int,
    found: WidgetFacts,
    subject: SubjectFacts,
    details: Details,
    person: Verified | None,
    address: str,
) -> bool:
    """What the host page has vouched for goes before whatever was typed."""
    name = (person and person.name) or line(details.name)[:NAME_LENGTH]
    email = (person and person.email) or email_in(details)
    async with db.transaction():
        chat = await routing.start(
            visitor_id,
            found.id,
            subject.queue,
            name=name,
            email=email,
            subject_id=subject.id,
            language=language.get(),
            page_url=line(details.page)[:URL_LENGTH],
        )
        await blocks.keep_out(visitor_id)
        if chat is not None:
            await count(chat, address)
        if chat is not None and "question" in found.form:
            await messages.post(chat, details.key, details.question, author="visitor", name=name)
    return chat is not None


async def count(chat: int, address: str) -> None:
    """Once per chat; one too many undoes the start. Routing's lock, which the start has taken, makes it
    exact."""
    await forget_starts()
    rows = await db.sql(
        "INSERT INTO start (chat, address_hash, started_at)"
        " SELECT id, {}, started_at FROM chat WHERE id = {} AND started_at > {}"
        " ON CONFLICT (chat) DO NOTHING RETURNING id",
        *(address, chat, now() - timedelta(minutes=STARTS_MINUTES)),
    )
    mine = Start.count().where(Start.address_hash == address)
    if rows and await mine > settings.starts_per_address:
        raise TooMany


async def forget_starts() -> None:
    """An address is known no longer than it is needed, even where nobody else comes."""
    await Start.delete().where(Start.started_at <= now() - timedelta(minutes=STARTS_MINUTES))


def line(text: str) -> str:
    """Of what is typed in a field of one line: without what no one can see."""
    return " ".join(messages.cleaned(text).split())


async def unavailable(subject: SubjectFacts | None, subjects: Sequence[SubjectFacts]) -> Markup:
    open_queues = await hours.open_queues(now())
    if subject is not None and subject.queue in open_queues:
        return swap("#place", ui.no_place("nobody"))
    verdict = await hours.verdict(subject.queue, now()) if subject else None
    others = subject is not None and any(each.queue in open_queues for each in subjects)
    return swap("#place", ui.no_place("closed", subject.label if subject and others else "", verdict))


async def hold(
    request: Request[Any, Any, Any], visitor_id: int, found: WidgetFacts, details: Details
) -> None:
    subjects = await widget.subjects(found.id)
    subject = named(subjects, details.subject) or first_green(subjects)
    if subject is None:
        return
    async with db.transaction():
        await routing.press(
            visitor_id,
            found.id,
            subject.queue,
            address_hash=keyed("address", address_of(request)),
            language=language.get(),
            page_url=line(details.page)[:URL_LENGTH],
            subject_id=subject.id,
        )
        await blocks.keep_out(visitor_id)


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
    """By its number, or as the host page calls it: in any of its languages."""
    if chosen := next((subject for subject in subjects if str(subject.id) == wanted), None):
        return chosen
    words = line(wanted).casefold()
    called = (each for each in subjects if words and words in map(str.casefold, names_of(each)))
    return next(called, None)


def names_of(subject: SubjectFacts) -> set[str]:
    return {subject.label, *subject.labels.values()}


def first_green(subjects: list[SubjectFacts]) -> SubjectFacts | None:
    return next((subject for subject in subjects if subject.green), subjects[0] if subjects else None)


def asked(found: WidgetFacts, person: Verified | None) -> list[str]:
    """The fields of the form, without what the host page has answered."""
    return [field for field in found.form if not person or field not in person.given]


def email_in(details: Details) -> str:
    """What nobody has looked at is left out, if it is none."""
    email = line(details.email)
    return email if EMAIL.fullmatch(email) else ""


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


async def panel(caller: Caller, facts: Facts, given: Details | None = None) -> list[Markup]:
    """The form, when it is its turn, with what the host page has given. What was typed in it before a reload
    is put back by the page."""
    if facts.state == "blocked" and facts.kept_out:
        return [swap("#panel", blocks.ui.panel(facts.kept_out), "outerHTML")]
    if facts.state not in ("forming", "none"):
        return [swap("#panel", ui.empty_panel())]
    found = await widget_of(caller)
    subjects = await widget.subjects(found.id)
    if not found.form:
        return [swap("#panel", ui.start_panel(found, any(each.green for each in subjects)), "outerHTML")]
    person = await identity.of_visitor(caller.id)
    shown = Details(subject=str(facts.subject or ""))
    if given:
        name, email = line(given.name)[:NAME_LENGTH], email_in(given)
        shown = Details(name, email, given.subject or shown.subject)
    drawn = ui.panel(found, asked(found, person), options(subjects), shown, person)
    return [swap("#panel", drawn, "outerHTML")]


async def place(caller: Caller, facts: Facts) -> list[Markup]:
    """Whether a place is still held, and which subjects have one, under a form that stays as it is."""
    if facts.state not in ("forming", "none"):
        return []
    held = facts.state == "forming"
    return [swap("#place", ui.held() if held else ui.no_place("gone"))]


def options(subjects: list[SubjectFacts]) -> list[tuple[int, str, str]]:
    """One without a place can still be chosen: then one waits."""
    full = _("not available right now")
    return [
        (each.id, each.label if each.green else f"{each.label} ({full})", each.label_language)
        for each in subjects
    ]


routes = [press, renew, start]
tasks = [rounds.every(FORGET_EVERY_S, forget_starts)]

ui = template("""
{% from "components.html" import button, field, icon, notice, select_field, textarea_field %}
{% import "numbers" as numbers %}
{% import "widget" as widget_ %}

{% macro empty_panel() %}<div id="panel"></div>{% endmacro %}

{% macro panel(widget, asked, subjects, details, person) %}
<div id="panel">
  {{ form(widget, asked, subjects, details, person) }}
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
    {{ widget_.foot() }}
  </div>
</div>
{% endmacro %}

{% macro privacy(widget) %}
{% if widget.privacy_text %}
<p class="privacy"><span lang="{{ widget.privacy_language }}">{{ widget.privacy_text }}</span>
  {% if widget.privacy_url %}<a href="{{ widget.privacy_url }}" target="_blank" rel="noopener">{{ _("Read how we handle your data") }}</a>{% endif %}</p>
{% endif %}
{% endmacro %}

{# `kinds`: of numbers in the question that were warned of. #}
{% macro form(widget, asked, subjects, details, person, errors={}, kinds=()) %}
<form id="form" class="window-form stack" method="dialog" novalidate>
  {% if person and person.given %}{{ known_as(person) }}{% endif %}
  {% if "name" in asked %}
  {{ field(_("Name"), "name", details.name, errors, autocomplete="name", required=true) }}
  {% endif %}
  {% if "email" in asked %}
  {{ field(_("E-mail"), "email", details.email, errors, type="email", autocomplete="email", required=false) }}
  {% endif %}
  {% if "subject" in asked %}
  {{ select_field(_("Subject"), "subject", subjects, details.subject, errors, required=true) }}
  {% endif %}
  {% if "question" in asked %}
  {{ textarea_field(_("Your question"), "question", details.question, errors, required=true) }}
  {% endif %}
  {{ privacy(widget) }}
  {{ held() }}
  {{ notice("error", _("No connection. We are trying again; your text is kept."), attrs={"id": "form-lost", "role": "alert", "hidden": true}) }}
  {{ button(_("Start conversation"), "primary", type="submit", attrs={"class": "fill large"}) }}
  {{ widget_.foot() }}
  <div role="alert">{% if kinds %}{{ numbers.warning(kinds, "form") }}{% endif %}</div>
</form>
{% endmacro %}

{# What the host page has said, and need not be asked. #}
{% macro known_as(person) %}
<p class="known-as">{{ icon("lock") }}<span>{{ _("Passed on by %(site)s:", site=person.site) }}
  <span translate="no">{{ person.name or person.email }}{% if person.name and person.email %}, {{ person.email }}{% endif %}</span></span></p>
{% endmacro %}

{% macro held() %}<div id="place" role="status"></div>{% endmacro %}

{# Why not. `subject`: when only this one is closed; `verdict`: of the hours of its queue. #}
{% macro no_place(why, subject="", verdict=none) %}
<div id="place" role="status">
  {% set words = {
    "closed": _("The chat about “%(subject)s” is closed at the moment. Choose another subject.", subject=subject) if subject else _("The chat is closed at the moment."),
    "many": _("Many conversations were started from your network in a short time. Try again in ten minutes; what you typed is kept."),
    "nobody": _("Nobody is available at the moment. What you typed is kept."),
    "gone": _("Your place is no longer held. What you typed is kept: send it and wait in line, or see the information page."),
  } %}
  {% set name = verdict.day.title if verdict and verdict.why in ("holiday", "closed_day") else "" %}
  {% set today = _("The chat about “%(subject)s” is closed today: %(name)s. Choose another subject.", subject=subject, name=name) if subject else _("The chat is closed today: %(name)s.", name=name) %}
  {% call notice("warning", today if name else words[why]) %}
  {% if verdict and verdict.closing %}<div class="closed-words">{{ widget_.closed(verdict.closing, language()) }}</div>{% endif %}
  <button type="button" class="link" data-act="info">{{ _("See the information page") }}</button>
  {% endcall %}
</div>
{% endmacro %}
""")  # noqa: E501
