"""Opening days: the settings page of the holidays that the desk keeps, and of days of its own.

GET    /settings/days
PUT    /settings/days/holidays               which ones are kept
GET    /settings/days/new, /settings/days/{id}
POST   /settings/days
PUT    /settings/days/{id}
GET    /settings/days/{id}/deletion          the question
DELETE /settings/days/{id}
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from litestar import Request, Response, delete, get, post, put
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

import db
from db.clock import now
from db.tables import Desk, Holiday, SpecialDay
from features import calendars, desk, hours, live, queues, settings
from features.access import Person, agent_of, may
from features.week import Row, check, row_of, rows_in
from layouts import _, html, swap, template

NAME_LENGTH = 60
MOST_DAYS = 366

settings.entry("desk", "/settings/days", lambda: _("Public holidays"), "calendar", "manage_desk")


@get("/settings/days", guards=[may("manage_desk")])
async def index(request: Request[Any, Any, Any]) -> Response[str]:
    return html(ui.page(agent_of(request), await own_days(), await holidays()))


def today() -> date:
    return now().astimezone(desk.facts.time_zone).date()


async def tell() -> None:
    """Whoever looks at a queue's hours."""
    for queue in await queues.names():
        live.publish(f"queue:{queue}", queues.QueueChanged(queue))
    live.publish("desk", queues.QueueChanged(0))


# ---- holidays --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class HolidayLine:
    key: str  # BE:Armistice Day
    name: str
    group: str
    dates: list[date]  # this year and the next
    kept: bool


@dataclass
class Holidays:
    """By calendar: what can be kept, and what is."""

    years: list[int]
    lines: dict[str, list[HolidayLine]]
    version: str


@put("/settings/days/holidays", guards=[may("manage_desk")], status_code=200)
async def keep(request: Request[Any, Any, Any]) -> Response[str]:
    form = await request.form()
    wished = {str(key) for key in form.getall("holiday", [])}
    known = {line.key for lines in (await holidays()).lines.values() for line in lines}
    version = settings.version(str(form.get("version", "")))
    try:
        async with db.transaction():
            await write_holidays(agent_of(request), wished & known, version)
    except settings.Outdated:
        shown = await holidays(wished)
        words = await settings.outdated(Desk, await desk_id())
        return html(ui.holidays(shown, words), status_code=409)
    await tell()
    return html(ui.holidays(await holidays()), settings.saved())


async def write_holidays(person: Person, wished: set[str], version: int) -> None:
    before = await kept()
    more = {"holidays": (sorted(before), sorted(wished))} if before != wished else {}
    await settings.change(person, Desk, await desk_id(), version, {}, more)
    await Holiday.delete(force=True)
    if wished:
        pairs = [key.split(":", 1) for key in sorted(wished)]
        await Holiday.insert(*(Holiday(calendar=calendar, name=name) for calendar, name in pairs))


async def holidays(wished: set[str] | None = None) -> Holidays:
    """As they are, or as somebody has just ticked them."""
    ticked = await kept() if wished is None else wished
    years = [today().year, today().year + 1]
    lines = {
        calendar: [line_of(calendar, day, years, ticked) for day in calendars.days(calendar, years[0])]
        for calendar in calendars.SOURCES
    }
    row = await Desk.select(Desk.version).first()
    return Holidays(years, lines, str(row["version"]) if row else "")


def line_of(calendar: str, day: calendars.Day, years: list[int], ticked: set[str]) -> HolidayLine:
    dates = [each.date for year in years for each in calendars.days(calendar, year) if each.name == day.name]
    key = f"{calendar}:{day.name}"
    return HolidayLine(key, calendars.name_of(calendar, day.name), day.group, dates, key in ticked)


async def kept() -> set[str]:
    rows = await Holiday.select(Holiday.calendar, Holiday.name)
    return {f"{row['calendar']}:{row['name']}" for row in rows}


async def desk_id() -> int:
    row = await Desk.select(Desk.id).first()
    assert row
    return int(row["id"])


# ---- days of one's own -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class OwnDay:
    """On the page."""

    id: int
    day: hours.Exceptional
    queue: str  # "" for all
    past: bool

    @property
    def words(self) -> str:
        return ", ".join(f"{hours.clock(opens)} – {hours.clock(closes)}" for opens, closes in self.day.blocks)


@dataclass
class DayForm:
    """As it is typed."""

    name: str = ""
    first: str = ""
    last: str = ""
    queue: str = ""
    open: str = "no"  # closed all day, or open at other hours
    rows: list[Row] = field(default_factory=list)
    version: str = ""


@get("/settings/days/new", guards=[may("manage_desk")])
async def blank(request: Request[Any, Any, Any]) -> Response[str]:
    return html(ui.edit_page(agent_of(request), None, DayForm(), await choices()))


@get("/settings/days/{day:int}", guards=[may("manage_desk")])
async def show(request: Request[Any, Any, Any], day: FromPath[int]) -> Response[str]:
    return html(ui.edit_page(agent_of(request), day, form_of(await row_of_day(day)), await choices()))


@post("/settings/days", guards=[may("manage_desk")], status_code=200)
async def create(request: Request[Any, Any, Any]) -> Response[str]:
    form = as_sent(await request.form())
    if errors := await problems_with(form):
        return html(ui.form(None, form, await choices(), errors), status_code=422)
    async with db.transaction():
        await settings.make(agent_of(request), SpecialDay, values(form))
    await tell()
    return settings.leave_for("/settings/days")


@put("/settings/days/{day:int}", guards=[may("manage_desk")], status_code=200)
async def save(request: Request[Any, Any, Any], day: FromPath[int]) -> Response[str]:
    form = as_sent(await request.form())
    await row_of_day(day)
    if errors := await problems_with(form):
        return html(ui.form(day, form, await choices(), errors), status_code=422)
    try:
        async with db.transaction():
            version = settings.version(form.version)
            await settings.change(agent_of(request), SpecialDay, day, version, values(form))
    except settings.Outdated:
        form.version = str((await row_of_day(day))["version"])
        errors = {"form": await settings.outdated(SpecialDay, day)}
        return html(ui.form(day, form, await choices(), errors), status_code=409)
    await tell()
    return settings.leave_for("/settings/days")


@get("/settings/days/{day:int}/deletion", guards=[may("manage_desk")])
async def ask_deletion(day: FromPath[int]) -> Response[str]:
    title = _("Delete %(name)s?") % {"name": (await row_of_day(day))["name"]}
    words = _("From then on the usual hours count on that day.")
    return html(
        swap("#ask-body", settings.ui.ask_deleting(title, words, f"/settings/days/{day}"), "innerHTML")
    )


@delete("/settings/days/{day:int}", guards=[may("manage_desk")], status_code=200)
async def destroy(request: Request[Any, Any, Any], day: FromPath[int]) -> Response[str]:
    async with db.transaction():
        await settings.unmake(agent_of(request), SpecialDay, day)
    await tell()
    return settings.leave_for("/settings/days")


def as_sent(form: Any) -> DayForm:
    said = {name: str(form.get(name, "")).strip() for name in ("first", "last", "queue", "open", "version")}
    name = settings.one_line(str(form.get("name", "")))
    return DayForm(name=name, rows=rows_in(form, "day"), **said)


async def problems_with(form: DayForm) -> dict[str, str]:
    errors = {}
    if not form.name:
        errors["name"] = _("Give it a name.")
    elif len(form.name) > NAME_LENGTH:
        errors["name"] = settings.too_long(len(form.name), NAME_LENGTH)
    errors |= problems_with_dates(form)
    if form.queue and not await queues.name_of(settings.version(form.queue)):
        errors["queue"] = _("Choose a queue.")
    if form.open == "yes":
        if not form.rows:
            errors["open"] = _("Add the hours, or choose “Closed all day”.")
        elif not check([form.rows], round_the_week=False):
            errors["open"] = _("Some blocks are not right yet.")
    return errors


def problems_with_dates(form: DayForm) -> dict[str, str]:
    first, last = as_date(form.first), as_date(form.last or form.first)
    if first is None:
        return {"first": _("Choose a day.")}
    if last is None:
        return {"last": _("Choose a day, or leave this empty.")}
    if last < first:
        return {"last": _("The last day comes before the first.")}
    if last - first >= timedelta(days=MOST_DAYS):
        return {"last": _("At most a year.")}
    return {}


def as_date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def values(form: DayForm) -> dict[str, Any]:
    blocks = sorted(row.minutes for row in form.rows) if form.open == "yes" else []
    return {
        "name": form.name,
        "queue": int(form.queue) if form.queue else None,
        "first_day": form.first,
        "last_day": form.last or form.first,
        "blocks": " ".join(f"{opens}-{closes}" for opens, closes in blocks),
    }


async def row_of_day(day: int) -> Mapping[str, Any]:
    row: Mapping[str, Any] | None = await SpecialDay.select().where(SpecialDay.id == day).first()
    if row is None:
        raise NotFoundException
    return row


def form_of(row: Mapping[str, Any]) -> DayForm:
    blocks = hours.read_blocks(row["blocks"])
    return DayForm(
        name=row["name"],
        first=row["first_day"],
        last=row["last_day"] if row["last_day"] != row["first_day"] else "",
        queue=str(row["queue"] or ""),
        open="yes" if blocks else "no",
        rows=[row_of(*block) for block in blocks],
        version=str(row["version"]),
    )


async def choices() -> list[tuple[str, str]]:
    return [("", _("All queues")), *((str(id), name) for id, name in (await queues.names()).items())]


async def own_days() -> list[OwnDay]:
    """Those to come, then those gone by, the latest first."""
    names = await queues.names()
    rows = await SpecialDay.select().order_by(SpecialDay.first_day, SpecialDay.id)
    found = [
        OwnDay(
            row["id"],
            hours.exceptional(row),
            names.get(row["queue"], ""),
            row["last_day"] < today().isoformat(),
        )
        for row in rows
    ]
    gone: Sequence[OwnDay] = [each for each in found if each.past]
    return [each for each in found if not each.past] + list(reversed(gone))


routes = [index, keep, blank, show, create, save, ask_deletion, destroy]

ui = template("""
{% from "components.html" import button, checkbox, empty, field, icon, notice, select_field, status %}
{% import "settings" as settings %}
{% import "week" as week %}

{% macro page(person, days, kept) %}
{% call settings.page(person, _("Holidays and own days"), _("Days on which the hours are not those of the week."), "/settings/days") %}
<section class="stack" aria-labelledby="own">
  <h2 class="title" id="own">{{ _("Days of your own") }}</h2>
  {% if days %}
  <div class="actions">{{ button(_("Add day"), "primary", "plus", attrs={"href": "/settings/days/new"}) }}</div>
  {{ own_days(days) }}
  {% else %}
  {% call empty(_("No days of your own yet"), _("A closing day, a bridge day, longer hours in a busy week: for one queue or for all."), "calendar") %}{{ button(_("Add day"), "primary", "plus", attrs={"href": "/settings/days/new"}) }}{% endcall %}
  {% endif %}
</section>
<section class="stack" aria-labelledby="public">
  <div>
    <h2 class="title" id="public">{{ _("Public holidays") }}</h2>
    <p class="soft">{{ _("On those with a tick every queue is closed that keeps the holidays; the others are days as usual.") }}</p>
  </div>
  {{ holidays(kept) }}
</section>
{% endcall %}
{% endmacro %}

{% macro own_days(days) %}
<table class="cards-on-phone" aria-labelledby="own">
  <thead><tr><th scope="col">{{ _("Name") }}</th><th scope="col">{{ _("When") }}</th><th scope="col">{{ _("Queue") }}</th><th scope="col">{{ _("Hours") }}</th></tr></thead>
  <tbody>
    {% for each in days %}
    <tr{% if each.past %} class="soft"{% endif %}>
      <th scope="row"><a href="/settings/days/{{ each.id }}">{{ each.day.name }}</a></th>
      <td data-label="{{ _("When") }}"><span>{{ each.day.first | short_date }}{% if each.day.last != each.day.first %} – {{ each.day.last | short_date }}{% endif %}{% if each.past %} ({{ _("gone by") }}){% endif %}</span></td>
      <td data-label="{{ _("Queue") }}">{% if each.queue %}<span translate="no">{{ each.queue }}</span>{% else %}{{ _("All queues") }}{% endif %}</td>
      <td data-label="{{ _("Hours") }}">{{ each.words or _("closed") }}</td>
    </tr>
    {% endfor %}
  </tbody>
</table>
{% endmacro %}

{% macro holidays(kept, problem="") %}
<form id="holidays" class="stack" method="dialog" data-guard hx-put="/settings/days/holidays" hx-swap="outerHTML" novalidate>
  {{ settings.problem(problem) }}
  {{ calendar(_("Belgium"), kept.lines["BE"] | selectattr("group", "eq", "public") | list, kept.years) }}
  {{ calendar(_("Belgium: days of the communities"), kept.lines["BE"] | selectattr("group", "eq", "community") | list, kept.years) }}
  {{ calendar(_("Belgium: days on which many offices close"), kept.lines["BE"] | selectattr("group", "eq", "other") | list, kept.years) }}
  {{ calendar(_("The Netherlands"), kept.lines["NL"], kept.years) }}
  {{ settings.save_bar("/settings/days", kept.version) }}
</form>
{% endmacro %}

{% macro calendar(title, lines, years) %}
<fieldset class="calendar">
  <legend class="legend">{{ title }}</legend>
  <table aria-label="{{ title }}">
    <thead><tr><th scope="col">{{ _("Closed on") }}</th>{% for year in years %}<th scope="col">{{ year }}</th>{% endfor %}</tr></thead>
    <tbody>
      {% for line in lines %}
      <tr>
        <th scope="row"><label class="check"><input type="checkbox" name="holiday" value="{{ line.key }}"{% if line.kept %} checked{% endif %}><span>{{ line.name }}</span></label></th>
        {% for on in line.dates %}<td>{{ on | weekday_date }}</td>{% endfor %}
      </tr>
      {% endfor %}
    </tbody>
  </table>
</fieldset>
{% endmacro %}

{% macro edit_page(person, id, day, queues) %}
{% call settings.page(person, day.name if id else _("Add day"), _("On these days the hours are not those of the week: a day of one queue goes before one of all, one day before a row of days."), "/settings/days", back=("/settings/days", _("Holidays and own days"))) %}
{{ form(id, day, queues) }}
{% if id %}
<section class="stack danger-zone">
  <h2 class="title">{{ _("Delete") }}</h2>
  <div class="actions">{{ button(_("Delete day"), "secondary", "trash-2", attrs={"hx-get": "/settings/days/" ~ id ~ "/deletion", "hx-swap": "none"}) }}</div>
</section>
{% endif %}
{% endcall %}
{% endmacro %}

{% macro form(id, day, queues, errors={}) %}
<form id="day" class="stack" method="dialog" data-guard {% if id %}hx-put="/settings/days/{{ id }}"{% else %}hx-post="/settings/days"{% endif %} hx-swap="outerHTML" novalidate>
  {{ settings.problem(errors.get("form")) }}
  {{ field(_("Name"), "name", day.name, errors, hint=_("Visitors see it on the information page: “Closed today: staff day”.")) }}
  <div class="two">
    {{ field(_("Day"), "first", day.first, errors, type="date") }}
    {{ field(_("Up to and including"), "last", day.last, errors, type="date", required=false) }}
  </div>
  {{ select_field(_("Queue"), "queue", queues, day.queue, errors) }}
  <fieldset class="choices">
    <legend class="legend">{{ _("Hours") }}</legend>
    {{ week.choice("open", "no", _("Closed all day"), "", day.open != "yes") }}
    {{ week.choice("open", "yes", _("Open at these hours"), "", day.open == "yes") }}
    <div class="when-open">
      {% if errors.get("open") %}<p class="field-error" data-problem tabindex="-1">{{ icon("circle-alert") }}<span>{{ errors.open }}</span></p>{% endif %}
      {{ week.blocks("day-rows", "day", _("Hours"), day.rows) }}
    </div>
  </fieldset>
  {{ settings.save_bar("/settings/days", day.version if id else "", "" if id else _("Add day")) }}
</form>
{% endmacro %}
""")  # noqa: E501
