"""Organisation: the settings page of the desk itself: its name, its time zone, its language; how long whoever
behaves badly is kept out, what can be called when somebody is in danger, with which numbers it is careful,
and what the public pages say of it.

GET /settings/desk
PUT /settings/desk
"""

import asyncio
import contextlib
import re
from datetime import date, datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from litestar import Request, Response, get, put
from msgspec import Struct

import db
import layouts
from db.clock import now
from db.tables import Desk
from features import desk, emergency, live, numbers, settings
from features.access import Person, agent_of, may
from layouts import LANGUAGES, Form, _, html, template

NAME_LENGTH = 60
MOST_BLOCK_DAYS = 365
MOST_NUMBERS, NUMBER_LENGTH = 6, 60
CONTACT_LENGTH = 200
CONTACT = re.compile(r"[^\s@<>\"]+@[^\s@<>\"]+\.[^\s@<>\"]+|https://[^\s/<>\"]+\.[^\s<>\"]*")
DUTCH = ("nl_BE", "nl_NL")
AREAS = {"Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian"}

settings.entry("desk", "/settings/desk", lambda: _("Organisation"), "landmark", "manage_desk")


class DeskChanged(live.Event, frozen=True):
    """Its name, time zone or language: every process reads them anew."""


PUBLIC = ("accessibility_contact", "accessibility_body", "accessibility_on", "security_contact")


class DeskForm(Struct):
    """As the page sends it."""

    name: str = ""
    time_zone: str = ""
    language: str = ""
    block_days: str = "7"
    emergency_numbers: str = ""
    dutch: str = "nl_BE"
    accessibility_contact: str = ""
    accessibility_body: str = ""
    accessibility_on: str = ""
    security_contact: str = ""
    bsn: str = ""  # "yes": visitors are warned of such a number, and agents see it hidden
    rrn: str = ""
    iban: str = ""
    card: str = ""
    version: str = ""


@get("/settings/desk", guards=[may("manage_desk")])
async def show(request: Request[Any, Any, Any]) -> Response[str]:
    return html(ui.page(agent_of(request), await form_now(), zones(), languages(), now()))


@put("/settings/desk", guards=[may("manage_desk")], status_code=200)
async def save(request: Request[Any, Any, Any], data: Form[DeskForm]) -> Response[str]:
    if errors := problems_with(data):
        return html(ui.form(data, zones(), languages(), now(), errors), status_code=422)
    try:
        async with db.transaction():
            await change(agent_of(request), data)
    except settings.Outdated:
        data.version = (await form_now()).version
        errors = {"form": await settings.outdated(Desk, await desk_id())}
        return html(ui.form(data, zones(), languages(), now(), errors), status_code=409)
    await tell()
    return html(ui.form(await form_now(), zones(), languages(), now()), settings.saved())


async def change(person: Person, data: DeskForm) -> None:
    """Within a transaction; `tell` after it."""
    values = {
        "name": tidy(data.name),
        "time_zone": data.time_zone,
        "language": data.language,
        "block_days": int(data.block_days),
        "emergency_numbers": "\n".join(numbers_in(data)),
        "dutch": data.dutch,
        **{name: tidy(getattr(data, name)) for name in PUBLIC},
        "numbers": " ".join(kind for kind in numbers.KINDS if getattr(data, kind)),
    }
    await settings.change(person, Desk, await desk_id(), settings.version(data.version), values)


async def guide(person: Person, guided: bool) -> None:
    """Whether the first steps are in the menu."""
    async with db.transaction():
        version = settings.version((await form_now()).version)
        await settings.change(person, Desk, await desk_id(), version, {"guided": guided})
    await tell()


async def tell() -> None:
    """Every process."""
    await desk.load()
    live.publish("desk", DeskChanged())


async def keep_current(stop: asyncio.Event) -> None:
    """What another process has changed is read anew here."""
    with live.subscribed("desk") as news:
        stopping = asyncio.create_task(stop.wait())
        stopping.add_done_callback(lambda _stopping: news.put(live.Connected()))
        while not stop.is_set():
            changed = any(isinstance(event, DeskChanged | live.Connected) for event in await news.batch())
            if changed and not stop.is_set():
                with contextlib.suppress(Exception):  # the next change may succeed
                    await desk.load()


def problems_with(form: DeskForm) -> dict[str, str]:
    errors = {}
    name = tidy(form.name)
    if not name:
        errors["name"] = _("Give it a name.")
    elif len(name) > NAME_LENGTH:
        errors["name"] = settings.too_long(len(name), NAME_LENGTH)
    if form.time_zone not in zones():
        errors["time_zone"] = _("Choose a time zone from the list.")
    if form.language not in LANGUAGES:
        errors["language"] = _("Choose a language from the list.")
    if form.dutch not in DUTCH:
        errors["dutch"] = _("Choose a country from the list.")
    if not settings.whole_number(form.block_days, 1, MOST_BLOCK_DAYS):
        errors["block_days"] = _("Give a number of days from 1 to %(most)s.") % {"most": MOST_BLOCK_DAYS}
    lines = numbers_in(form)
    if len(lines) > MOST_NUMBERS or any(
        len(line) > NUMBER_LENGTH or not emergency.number_in(line) for line in lines
    ):
        errors["emergency_numbers"] = _(
            "On each line a number of a telephone comes first, then whose it is; at most six lines."
        )
    return errors | problems_in_public(form)


def problems_in_public(form: DeskForm) -> dict[str, str]:
    errors = {}
    for name in PUBLIC:
        if len(text := tidy(getattr(form, name))) > CONTACT_LENGTH:
            errors[name] = settings.too_long(len(text), CONTACT_LENGTH)
        elif text and name.endswith("_contact") and not CONTACT.fullmatch(text):
            errors[name] = _("An e-mail address, or the address of a page, with %(start)s before it.") % {
                "start": "https://"
            }
    if (on := tidy(form.accessibility_on)) and not is_past_day(on):
        errors.setdefault("accessibility_on", _("A date that is not in the future."))
    return errors


def is_past_day(text: str) -> bool:
    try:
        return date.fromisoformat(text) <= now().astimezone(desk.facts.time_zone).date()
    except ValueError:
        return False


def numbers_in(form: DeskForm) -> list[str]:
    return [tidy(line) for line in form.emergency_numbers.splitlines() if line.strip()]


def tidy(text: str) -> str:
    return settings.one_line(text)


async def desk_id() -> int:
    row = await Desk.select(Desk.id).first()
    assert row
    return int(row["id"])


async def form_now() -> DeskForm:
    row = await Desk.select().first()
    assert row
    return DeskForm(
        row["name"],
        row["time_zone"],
        row["language"],
        str(row["block_days"]),
        row["emergency_numbers"],
        row["dutch"],
        version=str(row["version"]),
        **{name: row[name] for name in PUBLIC},
        **dict.fromkeys(row["numbers"].split(), "yes"),
    )


@cache
def zones() -> tuple[str, ...]:
    """Europe first."""
    known = {zone for zone in available_timezones() if "/" in zone and zone.split("/")[0] in AREAS}
    known |= {zone for zone in available_timezones() if zone.startswith("Pacific/")} | {"UTC"}
    return tuple(sorted(known, key=lambda zone: (not zone.startswith("Europe/"), zone)))


def languages() -> list[tuple[str, str]]:
    return [(code, layouts.language_name(code)) for code in LANGUAGES]


def time_in(zone: str, at: datetime) -> str:
    """What the clock shows there."""
    return layouts.clock_time(at, ZoneInfo(zone) if zone in zones() else None)


layouts.env.globals["time_in"] = time_in
tasks = [keep_current]
routes = [show, save]

ui = template("""
{% from "components.html" import checkbox, field, select_field, textarea_field %}
{% import "settings" as settings %}

{% macro page(person, form_, zones, languages, at) %}
{% call settings.page(person, _("Organisation"), _("What the desk is called, and by which clock it works."), "/settings/desk") %}
{{ form(form_, zones, languages, at) }}
{% endcall %}
{% endmacro %}

{% macro form(desk, zones, languages, at, errors={}) %}
<form id="desk" class="stack" method="dialog" data-guard hx-put="/settings/desk" hx-swap="outerHTML" novalidate>
  {{ settings.problem(errors.get("form")) }}
  {{ field(_("Name of the organisation"), "name", desk.name, errors, hint=_("At the top of every window, and in each transcript.")) }}
  {% set options = [] %}{% for zone in zones %}{{ options.append((zone, zone | replace("_", " "))) or "" }}{% endfor %}
  {{ select_field(_("Time zone"), "time_zone", options, desk.time_zone, errors, hint=_("Opening hours and all times on screen. There it is now %(time)s.", time=time_in(desk.time_zone, at))) }}
  {{ select_field(_("Default language"), "language", languages, desk.language, errors, hint=_("For whoever has not chosen one of ours.")) }}
  {{ field(_("Keeping out (days)"), "block_days", desk.block_days, errors, hint=_("For how long whoever behaves badly cannot chat; a supervisor can let them in sooner."), attrs={"inputmode": "numeric", "class": "short"}) }}
  {{ textarea_field(_("Emergency numbers"), "emergency_numbers", desk.emergency_numbers, errors, hint=_("At the top of a chat in which somebody is in danger. One a line: the number, then whose it is. 112 always stands first."), required=false) }}
  <fieldset class="field several" aria-describedby="numbers-hint">
    <legend>{{ _("Numbers to be careful with") }}</legend>
    <p class="hint" id="numbers-hint">{{ _("The visitor is warned before one is sent. Staff see it hidden; whoever has a role that may can have it shown, which is written in the audit.") }}</p>
    {% for kind, name in number_kinds.items() %}{{ checkbox(name()[:1] | upper ~ name()[1:], kind, desk[kind] == "yes") }}{% endfor %}
  </fieldset>
  {{ select_field(_("Variant of Dutch"), "dutch", [("nl_BE", _("Belgium")), ("nl_NL", _("The Netherlands"))], desk.dutch, errors, hint=_("Some words differ: in the Netherlands the button says “informatiepagina”, for example.")) }}
  <fieldset class="stack">
    <legend class="legend">{{ _("On the public pages") }}</legend>
    <p class="hint">{{ _("The accessibility statement names them, and security.txt the last one. What is left empty, the statement says is still to be filled in.") }}
      <a href="/accessibility?lang={{ language() }}" target="_blank" rel="noopener">{{ _("Accessibility statement") }}</a></p>
    {{ field(_("Contact for accessibility"), "accessibility_contact", desk.accessibility_contact, errors, hint=_("An e-mail address or the address of a page, for whoever cannot use something."), required=false) }}
    {{ field(_("Supervisory body"), "accessibility_body", desk.accessibility_body, errors, hint=_("To whom visitors turn if your answer does not help: the ombudsman, or whoever supervises accessibility for you."), required=false) }}
    {{ field(_("Last checked by you on"), "accessibility_on", desk.accessibility_on, errors, type="date", hint=_("When your organisation last assessed the accessibility of its chat itself."), required=false) }}
    {{ field(_("Contact for security"), "security_contact", desk.security_contact, errors, hint=_("For whoever finds a leak. Left empty, it is the contact for accessibility."), required=false) }}
  </fieldset>
  {{ settings.save_bar("/settings/desk", desk.version) }}
</form>
{% endmacro %}
""")  # noqa: E501
