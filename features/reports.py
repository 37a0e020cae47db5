"""Reports: the figures of a day or of a stretch of days, of one queue or of all.

    GET /settings/reports           as a page
    GET /settings/reports/table     as CSV: a line per day and queue
    GET /settings/reports/agents    per agent, as CSV; the page shows it to whoever may see that

The charts are drawn by a macro: the libraries that draw SVG write style attributes, which the policy of our
pages forbids. Under each chart stands the table of what it shows.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from typing import Any

from litestar import Request, Response, get
from litestar.params import FromQuery

import layouts
from db.clock import now
from db.tables import Agent
from features import aside, desk, figures, queues, settings, spreadsheets, turns
from features.access import Person, agent_of, may
from features.figures import Figures, OfAgent
from layouts import _, html, template

MOST_DAYS = 366
PERIODS = ("today", "yesterday", "week", "month", "own")

settings.entry("figures", "/settings/reports", lambda: _("Reports"), "file-text", "see_reports")


@dataclass
class Asked:
    """Which figures are wanted."""

    period: str
    first: str  # as typed, or as the period says
    last: str
    queue: int = 0  # all
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def days(self) -> tuple[date, date]:
        return date.fromisoformat(self.first), date.fromisoformat(self.last)


@dataclass
class Report:
    """What the page shows."""

    asked: Asked
    title: str
    queues: dict[int, str]
    all: Figures
    each: dict[int, Figures]  # per queue
    agents: list[OfAgent] | None  # None: not for this person


@get("/settings/reports", guards=[may("see_reports")])
async def page(
    request: Request[Any, Any, Any],
    period: FromQuery[str] = "today",
    since: FromQuery[str] = "",
    until: FromQuery[str] = "",
    queue: FromQuery[str] = "",
) -> Response[str]:
    person, names = agent_of(request), await queues.names()
    asked = await wanted(period, since, until, queue)
    if asked.errors:
        return html(ui.page(person, asked, names, None), status_code=422)
    return html(ui.page(person, asked, names, await report(asked, names, person)))


@get("/settings/reports/table", guards=[may("see_reports")])
async def table(
    period: FromQuery[str] = "today",
    since: FromQuery[str] = "",
    until: FromQuery[str] = "",
    queue: FromQuery[str] = "",
) -> Response[Any]:
    asked = await wanted(period, since, until, queue)
    if asked.errors:
        return html(status_code=422)
    return spreadsheets.download(f"balie-{asked.first}-{asked.last}", head(), await lines(asked))


@get("/settings/reports/agents", guards=[may("see_agent_reports")])
async def agents_table(
    period: FromQuery[str] = "today",
    since: FromQuery[str] = "",
    until: FromQuery[str] = "",
    queue: FromQuery[str] = "",
) -> Response[Any]:
    asked = await wanted(period, since, until, queue)
    if asked.errors:
        return html(status_code=422)
    material = await figures.read(figures.span_of(*asked.days, desk.facts.time_zone))
    names_of = await names_of_agents()
    mine = partial(material.of, material.span, asked.queue)
    rows = await aside.done(figures.reckoner, lambda: figures.of_agents(mine(), names_of))
    names = [_("Agent"), _("Answered"), _("Rejected"), _("Not answered"), _("Handling time, median (s)")]
    names += [_("Ratings"), _("Mean rating")]
    return spreadsheets.download(
        f"balie-agents-{asked.first}-{asked.last}",
        names,
        [
            (a.name, a.answered, a.rejected, a.no_answer, whole(a.handled.median), a.rated, mean(a.rating))
            for a in rows
        ],
    )


# ---- which days ------------------------------------------------------------------------------------------


async def wanted(period: str, since: str, until: str, queue: str) -> Asked:
    number = settings.version(queue)
    known = number if number in await queues.names() else 0
    if period not in PERIODS:
        period = "today"
    if period != "own":
        first, last = days_of(period, today())
        return Asked(period, first.isoformat(), last.isoformat(), known)
    return Asked(period, since.strip(), until.strip(), known, problems_with(since.strip(), until.strip()))


def days_of(period: str, day: date) -> tuple[date, date]:
    if period == "yesterday":
        return day - timedelta(days=1), day - timedelta(days=1)
    if period == "week":
        return day - timedelta(days=day.weekday()), day
    if period == "month":
        last = day.replace(day=1) - timedelta(days=1)
        return last.replace(day=1), last
    return day, day


def problems_with(since: str, until: str) -> dict[str, str]:
    first, last = as_date(since), as_date(until)
    if first is None:
        return {"since": _("Choose a day.")}
    if last is None:
        return {"until": _("Choose a day.")}
    if last < first:
        return {"until": _("The last day comes before the first.")}
    if last - first >= timedelta(days=MOST_DAYS):
        return {"until": _("At most a year.")}
    return {}


def as_date(text: str) -> date | None:
    """No day before there were computers: the arithmetic of days ends somewhere."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if 1970 <= found.year <= 2999 else None


def today() -> date:
    return now().astimezone(desk.facts.time_zone).date()


# ---- what is shown ---------------------------------------------------------------------------------------


async def report(asked: Asked, names: dict[int, str], person: Person) -> Report:
    zone, moment = desk.facts.time_zone, now()
    material = await figures.read(figures.span_of(*asked.days, zone))
    shown = {id: name for id, name in names.items() if asked.queue in (0, id)}
    people = await names_of_agents() if "see_agent_reports" in person.permissions else None

    def counted() -> Report:
        mine = material.of(material.span, asked.queue)
        each = {id: figures.count(material.of(material.span, id), zone, moment) for id in shown}
        agents = None if people is None else figures.of_agents(mine, people)
        return Report(asked, title_of(asked), shown, figures.count(mine, zone, moment), each, agents)

    return await aside.done(figures.reckoner, counted)


def title_of(asked: Asked) -> str:
    first, last = asked.days
    if first == last:
        return layouts.short_date(first)
    return f"{layouts.short_date(first)} – {layouts.short_date(last)}"


async def names_of_agents() -> dict[int, str]:
    return {row["id"]: row["name"] for row in await Agent.select(Agent.id, Agent.name)}


def head() -> list[str]:
    """Of the table that is taken along."""
    causes = [f"{cause_name(what)} ({_('minutes')})" for what in turns.WHATS]
    return [
        _("Day"),
        _("Queue"),
        _("Chats"),
        _("Answered"),
        _("Given up while waiting"),
        _("Nobody left for it"),
        _("Requests"),
        _("Rejected"),
        _("Not answered"),
        _("Waiting time, median (s)"),
        _("Waiting time, 9 of 10 (s)"),
        _("Handling time, median (s)"),
        _("Handling time, 9 of 10 (s)"),
        _("Most places at once"),
        _("Ratings"),
        _("Mean rating"),
        *causes,
    ]


async def lines(asked: Asked) -> list[list[Any]]:
    zone, moment = desk.facts.time_zone, now()
    first, last = asked.days
    material = await figures.read(figures.span_of(first, last, zone))
    names = {id: name for id, name in (await queues.names()).items() if asked.queue in (0, id)}

    def each() -> Iterator[list[Any]]:
        for n in range((last - first).days + 1):
            day = first + timedelta(days=n)
            span = figures.span_of(day, day, zone)
            for id, name in names.items():
                yield [day.isoformat(), name, *cells(figures.count(material.of(span, id), zone, moment))]

    return await aside.done(figures.reckoner, lambda: list(each()))


def cells(each: Figures) -> list[Any]:
    times = [each.waited.median, each.waited.ninety, each.handled.median, each.handled.ninety]
    return [
        each.chats,
        each.answered,
        each.abandoned,
        each.unanswered,
        each.asked,
        each.rejected,
        each.no_answer,
        *map(whole, times),
        each.most_places,
        each.rated,
        mean(each.rating),
        *(each.minutes[what] for what in turns.WHATS),
    ]


def whole(seconds: float | None) -> str:
    return "" if seconds is None else str(round(seconds))


def mean(value: float | None) -> str:
    return "" if value is None else layouts.decimal(value)


def span_words(seconds: float | None) -> str:
    """0:48, 12:05 or 1:02:10; a dash where there is nothing to tell."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(max(round(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def hours_words(minutes: int) -> str:
    return f"{minutes // 60}:{minutes % 60:02}"


def cause_name(what: str) -> str:
    return {
        "green": _("Green"),
        "full": _("Blue: all busy"),
        "paused": _("Blue: nobody available"),
        "nobody": _("Blue: nobody signed in"),
        "closed": _("Blue: closed"),
        "down": _("The desk was down"),
    }[what]


def stars(value: int) -> str:
    return {
        1: _("Very dissatisfied"),
        2: _("Dissatisfied"),
        3: _("Neutral"),
        4: _("Satisfied"),
        5: _("Very satisfied"),
    }[value]


def periods() -> list[tuple[str, str]]:
    return [
        ("today", _("Today")),
        ("yesterday", _("Yesterday")),
        ("week", _("This week")),
        ("month", _("Last month")),
        ("own", _("From … to …")),
    ]


layouts.env.globals["report_words"] = {
    "span": span_words,
    "hours": hours_words,
    "cause": cause_name,
    "causes": turns.WHATS,
    "stars": stars,
    "periods": periods,
    "mean": lambda value: mean(value) or "–",
    "decimal": layouts.decimal,
    "clock": layouts.minute_time,
}

routes = [page, table, agents_table]

ui = template("""
{% from "components.html" import button, empty, field, icon, notice, select_field %}
{% import "settings" as settings %}
{% set say = report_words %}

{% macro page(person, asked, queues, report) %}
{% call settings.page(person, _("Reports"), _("What happened at the desk: how many chats, how long people waited, and when the button was green."), "/settings/reports", wide=true) %}
{{ form(asked, queues) }}
{% if report %}
<h2 class="title">{{ report.title }}{% if asked.queue %} · <span translate="no">{{ queues[asked.queue] }}</span>{% endif %}</h2>
{{ main_figures(report.all) }}
{% if report.all.chats %}
{{ hours(report.all) }}
{% else %}
{% call empty(_("No chats in this period"), _("As soon as somebody chats, the figures stand here."), "inbox") %}{% endcall %}
{% endif %}
{% if queues %}
{{ per_queue(report) }}
{{ button_minutes(report) }}
{% endif %}
{{ ratings(report.all) }}
{% if report.agents is not none %}{{ agents(report) }}{% endif %}
<div class="actions">{{ button(_("Download as CSV"), "secondary", "download", attrs={"href": "/settings/reports/table?" ~ query(asked), "download": true}) }}</div>
{% endif %}
{% endcall %}
{% endmacro %}

{% macro query(asked) %}{{ {"period": asked.period, "since": asked.first, "until": asked.last, "queue": asked.queue or ""} | urlencode }}{% endmacro %}

{% macro form(asked, queues) %}
<form class="report-choice" method="get" action="/settings/reports" novalidate>
  {{ select_field(_("Period"), "period", say.periods(), asked.period) }}
  {{ field(_("From"), "since", asked.first, asked.errors, type="date") }}
  {{ field(_("To"), "until", asked.last, asked.errors, type="date") }}
  {{ select_field(_("Queue"), "queue", [("", _("All queues"))] + (queues.items() | list), asked.queue or "") }}
  {{ button(_("Show"), "primary", type="submit") }}
</form>
<p class="hint">{{ _("The days count only with the period “From … to …”.") }}</p>
{% endmacro %}

{% macro main_figures(all) %}
<dl class="figures">
  {{ figure(_("Chats"), all.chats) }}
  {{ figure(_("Answered"), all.answered) }}
  {{ figure(_("Given up while waiting"), all.abandoned) }}
  {{ figure(_("Nobody left for it"), all.unanswered) }}
  {{ figure(_("Waiting time, median"), say.span(all.waited.median), _("9 of 10 within %(time)s", time=say.span(all.waited.ninety))) }}
  {{ figure(_("Handling time, median"), say.span(all.handled.median), _("9 of 10 within %(time)s", time=say.span(all.handled.ninety))) }}
  {{ figure(_("Requests rejected"), all.rejected, ngettext("of %(num)s request", "of %(num)s requests", all.asked)) }}
  {{ figure(_("Requests not answered"), all.no_answer, ngettext("of %(num)s request", "of %(num)s requests", all.asked)) }}
  {{ figure(_("Most places at once"), all.most_places) }}
  {{ figure(_("Mean rating"), say.mean(all.rating), ngettext("%(num)s rating, of 1 to 5", "%(num)s ratings, of 1 to 5", all.rated)) }}
</dl>
{% endmacro %}

{% macro figure(term, value, more="") %}
<div><dt>{{ term }}</dt><dd><span class="figure">{{ value | number if value is integer else value }}</span>{% if more %}<span class="soft">{{ more }}</span>{% endif %}</dd></div>
{% endmacro %}

{# Bars that stand: one per hour, in two parts; widths in per cent, so that the words keep their size. #}
{% macro hours(all) %}
{% set most = [1, all.by_hour | map("sum") | max] | max %}
<section class="stack" aria-labelledby="hours-title">
  <h2 class="title" id="hours-title">{{ _("Chats by hour") }}</h2>
  <p class="legend-line"><span><span class="key answered"></span>{{ _("Answered") }}</span> <span><span class="key lost"></span>{{ _("Not answered by anybody") }}</span></p>
  <svg class="chart" height="180" role="img" aria-labelledby="hours-title" aria-describedby="hours-table">
    <line class="axis" x1="0" x2="100%" y1="150" y2="150"></line>
    {% for answered, lost in all.by_hour %}
    {% set up = (answered * 130 / most) | round(1) %}{% set over = (lost * 130 / most) | round(1) %}
    {% set x = (loop.index0 * 100 / 24) | round(2) %}
    {% if answered %}<rect class="bar answered" x="{{ x + 0.5 }}%" width="3.1%" y="{{ 150 - up }}" height="{{ up }}"></rect>{% endif %}
    {% if lost %}<rect class="bar lost" x="{{ x + 0.5 }}%" width="3.1%" y="{{ 150 - up - over }}" height="{{ over }}"></rect>{% endif %}
    {% if answered + lost %}<text class="value" x="{{ x + 2.05 }}%" y="{{ 145 - up - over }}">{{ (answered + lost) | number }}</text>{% endif %}
    {% if loop.index0 % 3 == 0 %}<text class="tick" x="{{ x + 2.05 }}%" y="168">{{ loop.index0 }}</text>{% endif %}
    {% endfor %}
  </svg>
  <details class="more" id="hours-table"><summary>{{ _("As a table") }}</summary>
  <table aria-labelledby="hours-title"><thead><tr><th scope="col">{{ _("Hour") }}</th><th scope="col" class="number">{{ _("Answered") }}</th><th scope="col" class="number">{{ _("Not answered by anybody") }}</th><th scope="col" class="number">{{ _("Places in use") }}</th></tr></thead>
  <tbody>{% for answered, lost in all.by_hour %}{% if answered + lost or all.places[loop.index0] %}
    <tr><th scope="row">{{ say.clock(loop.index0 * 60) }} – {{ say.clock(loop.index * 60) }}</th><td class="number">{{ answered | number }}</td><td class="number">{{ lost | number }}</td><td class="number">{{ say.decimal(all.places[loop.index0]) }}</td></tr>
  {% endif %}{% endfor %}</tbody></table>
  </details>
</section>
{% endmacro %}

{% macro per_queue(report) %}
<section class="stack" aria-labelledby="queues-title">
  <h2 class="title" id="queues-title">{{ _("Per queue") }}</h2>
  <table class="cards-on-phone report-table" aria-labelledby="queues-title">
    <thead><tr><th scope="col">{{ _("Queue") }}</th><th scope="col" class="number">{{ _("Chats") }}</th><th scope="col" class="number">{{ _("Answered") }}</th><th scope="col" class="number">{{ _("Given up while waiting") }}</th><th scope="col" class="number">{{ _("Waiting time, median") }}</th><th scope="col" class="number">{{ _("9 of 10 within") }}</th><th scope="col" class="number">{{ _("Handling time, median") }}</th><th scope="col" class="number">{{ _("Mean rating") }}</th></tr></thead>
    <tbody>
    {% for id, name in report.queues.items() %}{% set of = report.each[id] %}
    <tr><th scope="row" translate="no">{{ name }}</th>
      <td class="number" data-label="{{ _("Chats") }}">{{ of.chats | number }}</td>
      <td class="number" data-label="{{ _("Answered") }}">{{ of.answered | number }}</td>
      <td class="number" data-label="{{ _("Given up while waiting") }}">{{ of.abandoned | number }}</td>
      <td class="number" data-label="{{ _("Waiting time, median") }}">{{ say.span(of.waited.median) }}</td>
      <td class="number" data-label="{{ _("9 of 10 within") }}">{{ say.span(of.waited.ninety) }}</td>
      <td class="number" data-label="{{ _("Handling time, median") }}">{{ say.span(of.handled.median) }}</td>
      <td class="number" data-label="{{ _("Mean rating") }}">{{ say.mean(of.rating) }}</td></tr>
    {% endfor %}
    </tbody>
  </table>
</section>
{% endmacro %}

{# Bars that lie: one per queue, in as many parts as there are causes. #}
{% macro button_minutes(report) %}
<section class="stack" aria-labelledby="minutes-title">
  <div><h2 class="title" id="minutes-title">{{ _("The button: green and blue") }}</h2>
  <p class="soft">{{ _("In hours and minutes, as far as it was recorded.") }}</p></div>
  <p class="legend-line">{% for what in say.causes %}<span><span class="key {{ what }}"></span>{{ say.cause(what) }}</span> {% endfor %}</p>
  {% for id, name in report.queues.items() %}{% set of = report.each[id].minutes %}{% set whole = of.values() | sum %}
  {% if whole %}
  {% set ns = namespace(x=0) %}
  <div><p translate="no">{{ name }}</p>
  <svg class="chart" height="24" role="img" aria-label="{{ name }}" aria-describedby="minutes-table">
    {% for what in say.causes %}{% if of[what] %}{% set part = of[what] * 100 / whole %}
    <rect class="bar {{ what }}" x="{{ ns.x | round(2) }}%" width="{{ part | round(2) }}%" y="0" height="24"></rect>{% set ns.x = ns.x + part %}
    {% endif %}{% endfor %}
  </svg></div>
  {% endif %}{% endfor %}
  <table class="cards-on-phone report-table" id="minutes-table" aria-labelledby="minutes-title">
    <thead><tr><th scope="col">{{ _("Queue") }}</th>{% for what in say.causes %}<th scope="col" class="number">{{ say.cause(what) }}</th>{% endfor %}</tr></thead>
    <tbody>{% for id, name in report.queues.items() %}
    <tr><th scope="row" translate="no">{{ name }}</th>{% for what in say.causes %}<td class="number" data-label="{{ say.cause(what) }}">{{ say.hours(report.each[id].minutes[what]) }}</td>{% endfor %}</tr>
    {% endfor %}</tbody>
  </table>
</section>
{% endmacro %}

{% macro ratings(all) %}
{% if all.rated %}
<section class="stack" aria-labelledby="ratings-title">
  <h2 class="title" id="ratings-title">{{ _("Ratings") }}</h2>
  <table class="rating-bars" aria-labelledby="ratings-title">
    <thead class="visually-hidden"><tr><th scope="col">{{ _("Rating") }}</th><th scope="col">{{ _("Share") }}</th><th scope="col">{{ _("Number") }}</th></tr></thead>
    <tbody>{% for value in (5, 4, 3, 2, 1) %}{% set n = all.ratings[value] %}
    <tr><th scope="row">{{ say.stars(value) }}</th><td><svg class="chart" height="16" aria-hidden="true"><rect class="bar answered" x="0" y="0" height="16" width="{{ (n * 100 / all.rated) | round(1) }}%"></rect></svg></td><td class="number">{{ n | number }}</td></tr>
    {% endfor %}</tbody>
  </table>
</section>
{% endif %}
{% endmacro %}

{% macro agents(report) %}
<section class="stack" aria-labelledby="agents-title">
  <h2 class="title" id="agents-title">{{ _("Per agent") }}</h2>
  <table class="cards-on-phone report-table" aria-labelledby="agents-title">
    <thead><tr><th scope="col">{{ _("Agent") }}</th><th scope="col" class="number">{{ _("Answered") }}</th><th scope="col" class="number">{{ _("Rejected") }}</th><th scope="col" class="number">{{ _("Not answered") }}</th><th scope="col" class="number">{{ _("Handling time, median") }}</th><th scope="col" class="number">{{ _("Mean rating") }}</th></tr></thead>
    <tbody>{% for of in report.agents %}
    <tr><th scope="row" translate="no">{{ of.name }}</th>
      <td class="number" data-label="{{ _("Answered") }}">{{ of.answered | number }}</td>
      <td class="number" data-label="{{ _("Rejected") }}">{{ of.rejected | number }}</td>
      <td class="number" data-label="{{ _("Not answered") }}">{{ of.no_answer | number }}</td>
      <td class="number" data-label="{{ _("Handling time, median") }}">{{ say.span(of.handled.median) }}</td>
      <td class="number" data-label="{{ _("Mean rating") }}">{{ say.mean(of.rating) }}</td></tr>
    {% endfor %}</tbody>
  </table>
  <div class="actions">{{ button(_("Download per agent as CSV"), "secondary", "download", attrs={"href": "/settings/reports/agents?" ~ query(report.asked), "download": true}) }}</div>
</section>
{% endmacro %}
""")  # noqa: E501
