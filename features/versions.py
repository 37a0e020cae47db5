"""Versions: what the audit has kept of a row: its states before each change, and rows that were deleted.

For lists that admins keep, such as presets: also the order of their rows.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from litestar.exceptions import NotFoundException
from msgspec import Struct
from piccolo.columns import Column
from piccolo.table import Table

import db
from db.tables import Audit
from features import settings
from layouts import env, template

MOST_STATES, MOST_DELETED = 20, 5


@dataclass(frozen=True)
class State:
    """Of a row, until somebody changed or deleted it."""

    audit: int
    until: datetime
    by: str
    values: dict[str, Any]


async def before(table: type[Table], id: int, current: Mapping[str, Any]) -> list[State]:
    """Its states before each change of one of these columns, the latest first."""
    state = dict(current)
    rows = await (
        changes()
        .where(Audit.about == settings.about(table, id))
        .where(Audit.what == "changed")
        .limit(MOST_STATES)
    )
    found = []
    for row in rows:
        was = {name: pair[0] for name, pair in json.loads(row["fields"]).items() if name in state}
        if was:
            state = state | was
            found.append(State(row["id"], row["at"], row["by"] or "", state))
    return found


async def deleted(table: type[Table], columns: Sequence[str]) -> list[State]:
    """The rows that were deleted last and have not come back, as they were."""
    rows = await (
        changes()
        .where(Audit.about.like(f"{table._meta.tablename}:%"))
        .where(Audit.what == "deleted")
        .limit(MOST_DELETED)
    )
    there = [[row[name] for name in columns] for row in await table.select()] if rows else []
    found = []
    for row in rows:
        was = {name: pair[0] for name, pair in json.loads(row["fields"]).items()}
        values = {name: was.get(name) for name in columns}
        if list(values.values()) not in there:
            found.append(State(row["id"], row["at"], row["by"] or "", values))
    return found


def changes() -> Any:
    return Audit.select(Audit.id, Audit.at, Audit.fields, Audit.agent.name.as_alias("by")).order_by(
        Audit.id, ascending=False
    )


def chosen(states: Sequence[State], audit: int) -> State:
    for state in states:
        if state.audit == audit:
            return state
    raise NotFoundException


class Back(Struct):
    """Which of its states comes back."""

    audit: int = 0


# ---- order -----------------------------------------------------------------------------------------------


class Move(Struct):
    to: str = "up"


async def last_place(table: type[Table]) -> int:
    """For a new row: after all others."""
    position = column(table, "position")
    last = await table.select(position).order_by(position, ascending=False).first()
    return int(last["position"]) + 1 if last else 0


async def move(table: type[Table], id: int, up: bool) -> None:
    """One place up or down; at the end of the list it stays."""
    key, position = table._meta.primary_key, column(table, "position")
    async with db.transaction():
        await db.lock(table._meta.tablename)
        rows = await table.select(key, position).order_by(position, key)
        order = [row["id"] for row in rows]
        if id not in order:
            raise NotFoundException
        at = order.index(id)
        order.insert(max(0, at - 1) if up else at + 1, order.pop(at))
        stood = {row["id"]: row["position"] for row in rows}
        for place, each in enumerate(order):
            if stood[each] != place:
                await table.update({position: place}).where(key == each)


def column(table: type[Table], name: str) -> Column:
    return table._meta.get_column_by_name(name)


env.filters["from_json"] = json.loads

ui = template("""
{% from "components.html" import button, icon_button %}

{# {% call(values) versions.earlier(states, url) %}…how one looks…{% endcall %}: each with a button that brings it back. #}
{% macro earlier(states, url) %}
<section class="stack" id="earlier"{% if states %} aria-labelledby="earlier-title"{% endif %}>
  {% if states %}
  <h2 class="title" id="earlier-title">{{ _("Earlier versions") }}</h2>
  <ul class="stack">
    {% for state in states %}
    {% set until = (state.until | day) ~ " " ~ (state.until | clock_time) %}
    <li class="version">
      <p class="soft small">{{ _("Until %(time)s, when %(name)s changed it", time=until, name=state.by) }}</p>
      {{ caller(state["values"]) }}
      {{ button(_("Bring back"), "secondary", "undo-2", attrs={"hx-post": url, "hx-vals": '{"audit": ' ~ state.audit ~ '}', "hx-swap": "none", "aria-label": _("Bring back %(name)s", name=until)}) }}
    </li>
    {% endfor %}
  </ul>
  {% endif %}
</section>
{% endmacro %}

{# Rows that were deleted; each has a title. #}
{% macro gone(states, url) %}
{% if states %}
<section class="stack" aria-labelledby="gone-title">
  <h2 class="title" id="gone-title">{{ _("Deleted lately") }}</h2>
  <ul class="stack">
    {% for state in states %}
    <li class="actions"><span>{{ state["values"]["title"] }}</span> <time class="soft small" datetime="{{ state.until.isoformat() }}">{{ state.until | day }} {{ state.until | clock_time }}</time>
      {{ button(_("Bring back"), "secondary", "undo-2", attrs={"hx-post": url, "hx-vals": '{"audit": ' ~ state.audit ~ '}', "hx-swap": "none", "aria-label": _("Bring back %(name)s", name=state["values"]["title"])}) }}</li>
    {% endfor %}
  </ul>
</section>
{% endif %}
{% endmacro %}

{% macro movers(id, name, url, first, last) %}
<div class="actions end tight">
  {{ icon_button("arrow-up", _("Move %(name)s up", name=name), attrs={"id": "up-" ~ id, "hx-post": url, "hx-vals": '{"to": "up"}', "hx-swap": "none", "disabled": first}) }}
  {{ icon_button("arrow-down", _("Move %(name)s down", name=name), attrs={"id": "down-" ~ id, "hx-post": url, "hx-vals": '{"to": "down"}', "hx-swap": "none", "disabled": last}) }}
</div>
{% endmacro %}
""")  # noqa: E501
