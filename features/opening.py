"""Opening: the settings page that shows which queues let newcomers in and why, where they are closed and
reopened by hand, and where any moment can be tried.

GET    /settings/hours
GET    /settings/hours/answer?queue=&day=&time=    of a moment: green or blue, and why
GET    /settings/hours/closing?queue=              the question; without a queue: for all
POST   /settings/hours/closing                     "Close chat now"
DELETE /settings/hours/closing?queue=              reopened
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from litestar import Request, Response, delete, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromQuery

import db
import layouts
from db.clock import now
from db.tables import Queue
from features import audit, desk, hours, queues, settings
from features.access import Person, agent_of, may
from features.hours import Day, Verdict
from layouts import LANGUAGES, _, html, swap, template

WORDS_LENGTH = 300

settings.entry("desk", "/settings/hours", lambda: _("Opening hours"), "clock", "manage_desk")


@dataclass(frozen=True)
class Line:
    """A queue on the page."""

    id: int
    name: str
    verdict: Verdict
    changes_at: datetime | None

    @property
    def closed_by_hand(self) -> bool:
        return self.verdict.why == "closing"


@get("/settings/hours", guards=[may("manage_desk")])
async def index(request: Request[Any, Any, Any]) -> Response[str]:
    here = now().astimezone(desk.facts.time_zone)
    trial = Trial("", here.date().isoformat(), f"{here:%H:%M}")
    return html(ui.page(agent_of(request), await lines(now()), trial))


async def lines(at: datetime) -> list[Line]:
    found, zone = await hours.of_queues(at), desk.facts.time_zone
    return [
        Line(id, name, hours.judge(found[id], at, zone), hours.next_change(found[id], at, zone))
        for id, name in (await queues.names()).items()
        if id in found
    ]


# ---- a moment is tried -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trial:
    """As it is typed."""

    queue: str
    day: str
    time: str


@get("/settings/hours/answer", guards=[may("manage_desk")])
async def answer(
    queue: FromQuery[str] = "", day: FromQuery[str] = "", time: FromQuery[str] = ""
) -> Response[str]:
    at = moment(day, time)
    if at and at <= now() < at + timedelta(minutes=1):
        at = now()  # this very minute: what has just been closed is closed
    line = next((each for each in await lines(at) if str(each.id) == queue), None) if at else None
    if at is None or line is None:
        words = _("Choose a queue, a day and a time.")
        return html(swap("#answer", ui.no_answer(words), "innerHTML"), status_code=422)
    return html(swap("#answer", ui.answer(line, at), "innerHTML"))


def moment(day: str, clock: str) -> datetime | None:
    """On the desk's wall; a time that comes twice is the first."""
    try:
        wall = datetime.combine(date.fromisoformat(day), time.fromisoformat(clock))
        return wall.replace(tzinfo=desk.facts.time_zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def why(verdict: Verdict) -> str:
    """In words: "Open: Tuesday 9:00 – 12:00"."""
    day, said = verdict.day, verdict.day.title
    match verdict.why:
        case "closing":
            return closed_by_hand(verdict)
        case "last_intake":
            at = layouts.clock_time(verdict.last_intake_at) if verdict.last_intake_at else ""
            return _("Closed: last intake at %(time)s") % {"time": at}
        case "always":
            return _("Open: always open")
        case "holiday":
            return _("Closed: holiday %(name)s") % {"name": said}
        case "closed_day":
            return _("Closed: %(name)s") % {"name": said}
    if not verdict.open:
        return outside(day)
    assert verdict.block
    opened = {"day": layouts.weekday(verdict.block.weekday), "hours": in_blocks((verdict.block,))}
    if verdict.why == "exceptional":
        return _("Open: %(name)s, %(day)s %(hours)s") % {"name": said, **opened}
    return _("Open: %(day)s %(hours)s") % opened


def outside(day: Day) -> str:
    if day.kind == "exceptional":
        return _("Closed: outside the hours of %(name)s (%(hours)s)") % {
            "name": day.title,
            "hours": in_blocks(day.blocks),
        }
    if not day.blocks:
        return _("Closed: no opening hours on this day")
    return _("Closed: outside the hours of %(day)s (%(hours)s)") % {
        "day": layouts.weekday(day.blocks[0].weekday),
        "hours": in_blocks(day.blocks),
    }


def closed_by_hand(verdict: Verdict) -> str:
    assert verdict.closing
    words = verdict.closing.words
    said = words.get(layouts.language.get()) or next(filter(None, words.values()), "")
    by = verdict.closing.by or _("somebody")
    if not said:
        return _("Closed now by %(name)s") % {"name": by}
    return _("Closed now by %(name)s: %(words)s") % {"name": by, "words": said}


def in_blocks(blocks: tuple[hours.Block, ...]) -> str:
    return ", ".join(f"{block.opens} – {block.closes}" for block in blocks)


def changes(line: Line, at: datetime) -> str:
    """When it will be otherwise."""
    if line.changes_at is None:
        if line.closed_by_hand:
            return _("Until somebody reopens it.")
        return "" if line.verdict.open else _("Does not open in the next weeks.")
    then = spoken(line.changes_at, at)
    return (_("Until %(time)s.") if line.verdict.open else _("Opens %(time)s.")) % {"time": then}


def spoken(moment: datetime, at: datetime) -> str:
    """With its day, unless that is the day of `at`."""
    zone = desk.facts.time_zone
    clock, day = layouts.clock_time(moment), moment.astimezone(zone).date()
    return clock if day == at.astimezone(zone).date() else f"{layouts.short_date(day)}, {clock}"


# ---- "Close chat now" ------------------------------------------------------------------------------------


@dataclass
class ClosingForm:
    """As it is typed."""

    queue: str = ""  # "" for all
    how: str = "hand"  # reopened by hand, or at a time
    until: str = ""
    words: dict[str, str] = field(default_factory=dict)


@get("/settings/hours/closing", guards=[may("manage_desk")])
async def ask_closing(queue: FromQuery[str] = "") -> Response[str]:
    form = ClosingForm(queue)
    return html(swap("#ask-body", ui.closing(form, await named(queue), in_languages()), "innerHTML"))


@post("/settings/hours/closing", guards=[may("manage_desk")], status_code=200)
async def close(request: Request[Any, Any, Any]) -> Response[str]:
    sent = await request.form()
    form = ClosingForm(str(sent.get("queue", "")), str(sent.get("how", "")), str(sent.get("until", "")))
    form.words = {code: settings.one_line(str(sent.get(f"words-{code}", ""))) for code in LANGUAGES}
    name = await named(form.queue)
    if errors := problems_with(form):
        drawn = ui.closing(form, name, in_languages(), errors)
        return html(swap("#ask-body", drawn, "innerHTML"), status_code=422)
    until = reopening(form) if form.how == "time" else None
    words = {code: said for code, said in form.words.items() if said}
    async with db.transaction():
        for id in await meant(form.queue):
            await shut(agent_of(request), id, until, words)
    return html(swap("#ask-body", "", "innerHTML"), await table(), settings.saved(_("The chat is closed.")))


@delete("/settings/hours/closing", guards=[may("manage_desk")], status_code=200)
async def reopen(request: Request[Any, Any, Any], queue: FromQuery[str] = "") -> Response[str]:
    await named(queue)
    async with db.transaction():
        for id in await meant(queue):
            await unshut(agent_of(request), id)
    words = _("Reopened: from now on the opening hours count again.")
    return html(await table(), settings.saved(words))


async def table() -> str:
    return swap("#now", ui.table(await lines(now())))


async def named(queue: str) -> str:
    """Of the queue that is meant; "" for all."""
    if not queue:
        return ""
    if name := await queues.name_of(settings.version(queue)):
        return name
    raise NotFoundException


async def meant(queue: str) -> list[int]:
    return [int(queue)] if queue else list(await queues.names())


def problems_with(form: ClosingForm) -> dict[str, str]:
    errors = {
        f"words-{code}": settings.too_long(len(said), WORDS_LENGTH)
        for code, said in form.words.items()
        if len(said) > WORDS_LENGTH
    }
    if form.how == "time":
        until = reopening(form)
        if until is None:
            errors["until"] = _("Choose a day and a time.")
        elif until <= now():
            errors["until"] = _("Choose a moment that is still to come.")
    return errors


def reopening(form: ClosingForm) -> datetime | None:
    day, _t, clock = form.until.partition("T")
    return moment(day, clock)


async def shut(person: Person, queue: int, until: datetime | None, words: dict[str, str]) -> None:
    values = {"closed_at": now(), "closed_until_at": until, "closed_words": json.dumps(words)}
    await write(person, queue, {**values, "closed_by": person.id})


async def unshut(person: Person, queue: int) -> None:
    if await Queue.exists().where(Queue.id == queue).where(Queue.closed_at.is_not_null()):
        values = {"closed_at": None, "closed_until_at": None, "closed_words": "{}", "closed_by": None}
        await write(person, queue, values)


async def write(person: Person, queue: int, values: dict[str, Any]) -> None:
    """Beside the queue's other settings: whoever is changing those is not in the way of this."""
    before = await Queue.select().where(Queue.id == queue).first()
    assert before
    await Queue.update(values).where(Queue.id == queue)  # type: ignore[arg-type]
    fields: dict[str, tuple[Any, Any] | None] = {
        name: (before[name], value) for name, value in values.items() if before[name] != value
    }
    await audit.note(person.id, "changed", settings.about(Queue, queue), fields)
    db.after_commit(lambda: queues.publish_change(queue))


def in_languages() -> list[str]:
    """The desk's own first."""
    return sorted(LANGUAGES, key=lambda code: code != desk.facts.language)


layouts.env.globals |= {"hours_why": why, "hours_changes": changes}
routes = [index, answer, ask_closing, close, reopen]

ui = template("""
{% from "components.html" import button, empty, field, icon, select_field, status, textarea_field %}
{% import "settings" as settings %}

{% macro page(person, lines, trial) %}
{% call settings.page(person, _("Opening hours"), _("When each queue lets newcomers in. Closing time never ends a conversation."), "/settings/hours", wide=true) %}
{% if lines %}
{{ table(lines) }}
{{ simulator(lines, trial) }}
{% else %}
{% call empty(_("No queues yet"), _("Each queue has opening hours of its own. Make the first one."), "clock") %}{{ button(_("Add queue"), "primary", "plus", attrs={"href": "/settings/queues/new"}) }}{% endcall %}
{% endif %}
{% endcall %}
{% endmacro %}

{% macro table(lines) %}
<section class="stack" id="now">
  <div class="actions">
    {% set closed = lines | selectattr("closed_by_hand") | list | length %}
    {% if closed < lines | length %}{{ button(_("Close all chats now"), "secondary", "ban", attrs={"hx-get": "/settings/hours/closing", "hx-swap": "none"}) }}{% endif %}
    {% if closed > 1 %}{{ button(_("Reopen all"), "primary", "play", attrs={"hx-delete": "/settings/hours/closing", "hx-swap": "none"}) }}{% endif %}
    {{ button(_("Holidays and days of your own"), "quiet", "calendar", attrs={"href": "/settings/days"}) }}
  </div>
  <table class="cards-on-phone hours-now" aria-labelledby="page-title">
    <thead><tr><th scope="col">{{ _("Queue") }}</th><th scope="col">{{ _("Now") }}</th><th scope="col"><span class="visually-hidden">{{ _("Change") }}</span></th></tr></thead>
    <tbody>
      {% for line in lines %}
      <tr>
        <th scope="row"><a href="/settings/hours/{{ line.id }}" translate="no">{{ line.name }}</a></th>
        <td data-label="{{ _("Now") }}"><div>{{ judged(line, now()) }}</div></td>
        <td class="row-actions">
          {% if line.closed_by_hand %}{{ button(_("Reopen"), "secondary", "play", attrs={"hx-delete": "/settings/hours/closing?queue=" ~ line.id, "hx-swap": "none", "aria-label": _("Reopen") ~ ": " ~ line.name}) }}
          {% else %}{{ button(_("Close chat now"), "secondary", "ban", attrs={"hx-get": "/settings/hours/closing?queue=" ~ line.id, "hx-swap": "none", "aria-label": _("Close chat now") ~ ": " ~ line.name}) }}{% endif %}
          {{ button(_("Change hours"), "quiet", "pencil", attrs={"href": "/settings/hours/" ~ line.id, "aria-label": _("Change hours") ~ ": " ~ line.name}) }}
        </td>
      </tr>
      {% endfor %}
    </tbody>
  </table>
</section>
{% endmacro %}

{% macro judged(line, at) %}
{{ status("green" if line.verdict.open else "blue", hours_why(line.verdict)) }}
{% if hours_changes(line, at) %}<p class="soft small">{{ hours_changes(line, at) }}</p>{% endif %}
{% endmacro %}

{% macro simulator(lines, trial) %}
<section class="stack" aria-labelledby="try">
  <div>
    <h2 class="title" id="try">{{ _("Try a moment") }}</h2>
    <p class="soft">{{ _("Would newcomers be let in then, and why? Whether the button is green also depends on who is available.") }}</p>
  </div>
  <form class="trial" method="dialog" hx-get="/settings/hours/answer" hx-swap="none" novalidate>
    {% set options = [] %}{% for line in lines %}{{ options.append((line.id, line.name)) or "" }}{% endfor %}
    {{ select_field(_("Queue"), "queue", options, trial.queue) }}
    {{ field(_("Day"), "day", trial.day, type="date") }}
    {{ field(_("Time"), "time", trial.time, type="time") }}
    {{ button(_("Look"), "secondary", "search", type="submit") }}
  </form>
  <div id="answer" role="status"></div>
</section>
{% endmacro %}

{% macro answer(line, at) %}
<div class="trial-answer">
  <p class="soft small"><span translate="no">{{ line.name }}</span>, {{ at | day }}, {{ at | clock_time }}</p>
  {{ judged(line, at) }}
</div>
{% endmacro %}

{% macro no_answer(words) %}
<p class="field-error">{{ icon("circle-alert") }}<span>{{ words }}</span></p>
{% endmacro %}

{# Closing by hand: what visitors are told, and for how long. `name` of the queue, "" for all. #}
{% macro closing(form, name, codes, errors={}) %}
<form data-ask id="closing" class="stack" method="dialog" hx-post="/settings/hours/closing" hx-swap="none" novalidate>
  <h2 class="title" id="ask-title">{{ _("Close the chat of %(queue)s now", queue=name) if name else _("Close all chats now") }}</h2>
  <p>{{ _("The button turns blue. Nobody new is let in; running conversations go on, and who waits is still helped.") }}</p>
  <input type="hidden" name="queue" value="{{ form.queue }}">
  {{ message(codes[0], form, errors) }}
  <details class="more"{% if errors %} open{% endif %}>
    <summary>{{ _("In other languages") }}</summary>
    <div class="stack">{% for code in codes[1:] %}{{ message(code, form, errors) }}{% endfor %}</div>
  </details>
  <fieldset class="choices">
    <legend class="legend">{{ _("Reopening") }}</legend>
    <label class="choice"><input type="radio" name="how" value="hand"{% if form.how != "time" %} checked{% endif %}><span>{{ _("By hand") }}</span></label>
    <label class="choice"><input type="radio" name="how" value="time"{% if form.how == "time" %} checked{% endif %}><span>{{ _("At a set time, by itself") }}</span></label>
    <div class="when-time">{{ field(_("Day and time"), "until", form.until, errors, type="datetime-local", id="closing-until") }}</div>
  </fieldset>
  <div class="actions end">
    {{ button(_("Cancel"), attrs={"data-close-dialog": true}) }}
    {{ button(_("Close chat now"), "danger", type="submit") }}
  </div>
</form>
{% endmacro %}

{% macro message(code, form, errors) %}
{{ textarea_field(_("Message to visitors") ~ " (" ~ code | language_name ~ ")", "words-" ~ code, form.words.get(code, ""), errors, required=false, attrs={"lang": code, "class": "low"}) }}
{% endmacro %}
""")  # noqa: E501
layouts.env.globals["now"] = now
