"""Week: the settings page of one queue's opening hours, in blocks of weekdays.

GET /settings/hours/{queue}
PUT /settings/hours/{queue}
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from litestar import Request, Response, get, put
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

import db
import layouts
from db.tables import OpeningHours, Queue
from features import hours, settings
from features.access import agent_of, may
from features.hours import DAY_MINUTES, INTAKE_MOST_MINUTES, clock
from features.queues import publish_change
from layouts import _, html, template

TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(:00)?")
WEEK_MINUTES = 7 * DAY_MINUTES


# ---- blocks as they are typed ----------------------------------------------------------------------------


@dataclass
class Row:
    """A block, and what is wrong with it."""

    opens: str = ""
    closes: str = ""
    error: str = ""

    @property
    def minutes(self) -> tuple[int, int]:
        """Midnight, where it closes, is the end of the day."""
        return minute_of(self.opens), minute_of(self.closes) or DAY_MINUTES

    @property
    def words(self) -> str:
        opens, closes = self.minutes
        return f"{clock(opens)} – {clock(closes)}"


def minute_of(text: str) -> int:
    hour, minute = text.split(":")[:2]
    return int(hour) * 60 + int(minute)


def row_of(opens_minute: int, closes_minute: int) -> Row:
    return Row(as_typed(opens_minute), as_typed(closes_minute))


def as_typed(minute: int) -> str:
    """For a field of type "time"."""
    return f"{minute % DAY_MINUTES // 60:02}:{minute % 60:02}"


def rows_in(form: Any, name: str) -> list[Row]:
    """The blocks of one day of a form."""
    opens, closes = form.getall(f"opens-{name}", []), form.getall(f"closes-{name}", [])
    return [Row(str(one).strip(), str(other).strip()) for one, other in zip(opens, closes, strict=False)]


def check(days: Sequence[Sequence[Row]], round_the_week: bool = True) -> bool:
    """Says at each block what is wrong with it; True if nothing is. Of two that overlap the later is."""
    placed: list[tuple[int, int, int, Row]] = []
    for number, row in ((number, row) for number, rows in enumerate(days) for row in rows):
        if problem := problem_with(row):
            row.error = problem
            continue
        opens, closes = row.minutes
        begins = number * DAY_MINUTES + opens
        ends = begins + hours.Block(0, opens, closes).length_minutes
        laps = (-WEEK_MINUTES, 0, WEEK_MINUTES) if round_the_week else (0,)
        for lap in laps:
            for from_, until, of_day, other in placed:
                if begins + lap < until and from_ < ends + lap:
                    row.error = overlapping(other, of_day, round_the_week)
        placed.append((begins, ends, number, row))
    return not any(row.error for rows in days for row in rows)


def problem_with(row: Row) -> str:
    if not (TIME.fullmatch(row.opens) and TIME.fullmatch(row.closes)):
        return _("Fill in both times, or remove this block.")
    opens, closes = row.minutes
    if opens == closes:
        return _("This block is empty: it closes when it opens.")
    return ""


def overlapping(other: Row, of_day: int, says_day: bool) -> str:
    if not says_day:
        return _("Overlaps with %(hours)s.") % {"hours": other.words}
    return _("Overlaps with %(day)s %(hours)s.") % {"day": layouts.weekday(of_day), "hours": other.words}


# ---- the page --------------------------------------------------------------------------------------------


@dataclass
class WeekForm:
    """As it is typed."""

    always: str = ""
    days: list[list[Row]] = field(default_factory=lambda: [[] for _day in range(7)])
    last_intake_minutes: str = "0"
    keeps_holidays: bool = True
    version: str = ""


@get("/settings/hours/{queue:int}", guards=[may("manage_desk")])
async def show(request: Request[Any, Any, Any], queue: FromPath[int]) -> Response[str]:
    row = await queue_row(queue)
    return html(ui.page(agent_of(request), queue, row["name"], await form_of(row)))


@put("/settings/hours/{queue:int}", guards=[may("manage_desk")], status_code=200)
async def save(request: Request[Any, Any, Any], queue: FromPath[int]) -> Response[str]:
    form = as_sent(await request.form())
    await queue_row(queue)
    if errors := problems_with(form):
        return html(ui.form(queue, form, errors), status_code=422)
    try:
        async with db.transaction():
            await write(agent_of(request), queue, form)
            db.after_commit(lambda: publish_change(queue))
    except settings.Outdated:
        form.version = str((await queue_row(queue))["version"])
        words = await settings.outdated(Queue, queue)
        return html(ui.form(queue, form, {"form": words}), status_code=409)
    return html(ui.form(queue, await form_of(await queue_row(queue)), {}), settings.saved())


def as_sent(form: Any) -> WeekForm:
    return WeekForm(
        always=str(form.get("always", "")),
        days=[rows_in(form, str(day)) for day in range(7)],
        last_intake_minutes=str(form.get("last_intake_minutes", "")).strip(),
        keeps_holidays="keeps_holidays" in form,
        version=str(form.get("version", "")),
    )


def problems_with(form: WeekForm) -> dict[str, str]:
    errors = {}
    if form.always != "yes" and not check(form.days):
        errors["days"] = _("Some blocks are not right yet.")
    if not settings.whole_number(form.last_intake_minutes, 0, INTAKE_MOST_MINUTES):
        errors["last_intake_minutes"] = _("A whole number from %(least)s to %(most)s.") % {
            "least": layouts.number(0),
            "most": layouts.number(INTAKE_MOST_MINUTES),
        }
    return errors


async def write(person: Any, queue: int, form: WeekForm) -> None:
    """Always open, its blocks are kept as they were: it may have hours again."""
    values = {
        "always_open": form.always == "yes",
        "last_intake_minutes": int(form.last_intake_minutes),
        "keeps_holidays": form.keeps_holidays,
    }
    before = await blocks_of(queue)
    after = before if form.always == "yes" else wanted(form)
    more = {"hours": (in_short(before), in_short(after))} if after != before else {}
    await settings.change(person, Queue, queue, settings.version(form.version), values, more)
    if more:
        await OpeningHours.delete().where(OpeningHours.queue == queue)
        if after:
            await OpeningHours.insert(*(new_block(queue, block) for block in after))


def new_block(queue: int, block: hours.Block) -> OpeningHours:
    return OpeningHours(
        queue=queue,
        weekday=block.weekday,
        opens_minute=block.opens_minute,
        closes_minute=block.closes_minute,
    )


def wanted(form: WeekForm) -> list[hours.Block]:
    return sorted(hours.Block(day, *row.minutes) for day, rows in enumerate(form.days) for row in rows)


def in_short(blocks: Sequence[hours.Block]) -> str:
    """For the audit: 0 is Monday."""
    return ", ".join(f"{block.weekday} {block.opens}-{block.closes}" for block in blocks)


async def blocks_of(queue: int) -> list[hours.Block]:
    rows = await OpeningHours.select().where(OpeningHours.queue == queue)
    return sorted(hours.Block(row["weekday"], row["opens_minute"], row["closes_minute"]) for row in rows)


async def queue_row(queue: int) -> Mapping[str, Any]:
    row: Mapping[str, Any] | None = await Queue.select().where(Queue.id == queue).first()
    if row is None:
        raise NotFoundException
    return row


async def form_of(row: Mapping[str, Any]) -> WeekForm:
    form = WeekForm(
        always="yes" if row["always_open"] else "no",
        last_intake_minutes=str(row["last_intake_minutes"]),
        keeps_holidays=row["keeps_holidays"],
        version=str(row["version"]),
    )
    for block in await blocks_of(row["id"]):
        form.days[block.weekday].append(row_of(block.opens_minute, block.closes_minute))
    return form


def weekdays() -> Iterator[str]:
    return (layouts.weekday(day) for day in range(7))


layouts.env.globals["weekdays"] = weekdays
routes = [show, save]

ui = template("""
{% from "components.html" import button, checkbox, field, icon, icon_button %}
{% import "settings" as settings %}

{% macro page(person, queue, name, week) %}
{% call settings.page(person, _("Opening hours of %(queue)s", queue=name), _("By the clock of the desk. A block that closes earlier than it opens, closes the next day."), "/settings/hours", back=("/settings/hours", _("Opening hours"))) %}
{{ form(queue, week) }}
{% endcall %}
{% endmacro %}

{% macro form(queue, week, errors={}) %}
<form id="week" class="stack" method="dialog" data-guard hx-put="/settings/hours/{{ queue }}" hx-swap="outerHTML" novalidate>
  {{ settings.problem(errors.get("form")) }}
  <fieldset class="choices">
    <legend class="visually-hidden">{{ _("Opening hours") }}</legend>
    {{ choice("always", "yes", _("Always open"), _("Day and night, every day of the week."), week.always == "yes") }}
    {{ choice("always", "no", _("Open at these hours"), "", week.always != "yes") }}
  </fieldset>
  <div class="week">
    {% if errors.get("days") %}<p class="field-error" data-problem tabindex="-1">{{ icon("circle-alert") }}<span>{{ errors.days }}</span></p>{% endif %}
    {% for name in weekdays() %}
    <fieldset class="week-day">
      <legend>{{ name }}</legend>
      {{ blocks("day-" ~ loop.index0, loop.index0, name, week.days[loop.index0]) }}
      {% if loop.first %}<div class="week-copy">{{ button(_("Copy to Tuesday–Friday"), "quiet", "copy", attrs={"data-copies-rows": "day-0", "data-to": "day-1 day-2 day-3 day-4"}) }}</div>{% endif %}
    </fieldset>
    {% endfor %}
  </div>
  {{ checkbox(_("Closed on the holidays that the desk keeps"), "keeps_holidays", week.keeps_holidays) }}
  {{ field(_("Last intake before closing time") ~ " (" ~ _("minutes") ~ ")", "last_intake_minutes", week.last_intake_minutes, errors, hint=_("From then on nobody new is let in; who waits is still helped. 0: until closing time."), attrs={"inputmode": "numeric", "class": "short"}) }}
  {{ settings.save_bar("/settings/hours", week.version) }}
</form>
{% endmacro %}

{% macro choice(name, value, words, hint, checked) %}
<label class="choice">
  <input type="radio" name="{{ name }}" value="{{ value }}"{% if checked %} checked{% endif %}>
  <span>{{ words }}</span>
  {% if hint %}<span class="hint">{{ hint }}</span>{% endif %}
</label>
{% endmacro %}

{# The blocks of one day: `id` of the list, `name` in the form, `day` to hear. #}
{% macro blocks(id, name, day, rows) %}
<div class="blocks">
  <ul id="{{ id }}" data-name="{{ name }}">
    {% for each in rows %}{{ block(id ~ "-" ~ loop.index0, name, day, each) }}{% endfor %}
  </ul>
  <p class="soft blocks-none">{{ _("closed") }}</p>
  {{ button(_("Add block"), "quiet", "plus", attrs={"data-add-row": id, "aria-label": _("Add block") ~ ": " ~ day}) }}
  <template id="{{ id }}-row">{{ block(id ~ "-new", name, day, {"opens": "", "closes": "", "error": ""}) }}</template>
</div>
{% endmacro %}

{% macro block(id, name, day, row) %}
<li class="block" data-row>
  {{ time(id ~ "-opens", "opens-" ~ name, _("%(day)s, opens at", day=day), row.opens, id, row.error) }}
  <span aria-hidden="true">–</span>
  {{ time(id ~ "-closes", "closes-" ~ name, _("%(day)s, closes at", day=day), row.closes, id, row.error) }}
  {{ icon_button("trash-2", _("Remove block"), attrs={"data-remove-row": true}) }}
  {% if row.error %}<p class="field-error" id="{{ id }}-error">{{ icon("circle-alert") }}<span>{{ row.error }}</span></p>{% endif %}
</li>
{% endmacro %}

{% macro time(id, name, label, value, row, error) %}
<input class="input block-time" type="time" id="{{ id }}" name="{{ name }}" value="{{ value }}" aria-label="{{ label }}" required{% if error %} aria-invalid="true" aria-describedby="{{ row }}-error"{% endif %}>
{% endmacro %}
""")  # noqa: E501
