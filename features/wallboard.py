"""Wallboard: for a screen on the wall: every queue as it is at this moment, in figures that can be read from
four metres.

    GET /settings/wallboard        the page
    GET /settings/wallboard/now    its figures; the page asks for them every few seconds

It needs no stream: nobody acts upon it, and a screen that hangs there for weeks comes back by itself.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from litestar import Request, Response, get

import db
from db.clock import now
from features import desk, reports, settings
from features.access import agent_of, may
from layouts import _, clock_time, env, html, template

settings.entry("figures", "/settings/wallboard", lambda: _("Wallboard"), "monitor", "see_reports")


@dataclass
class Line:
    """One queue."""

    name: str
    green: bool
    turned: str
    waiting: int
    longest_s: float | None
    running: int
    ready: int
    free: int


@get("/settings/wallboard", guards=[may("see_reports")])
async def page(request: Request[Any, Any, Any]) -> Response[str]:
    return html(ui.page(agent_of(request), desk.facts.name, await lines(), clock_time(now())))


@get("/settings/wallboard/now", guards=[may("see_reports")])
async def figures_now() -> Response[str]:
    return html(ui.board(await lines(), clock_time(now())))


QUEUES = "SELECT id, name, green, turned FROM queue ORDER BY name, id"
CHATS = "SELECT queue, state, ticket_at FROM chat WHERE state IN ('waiting', 'active')"
AGENTS = (
    "SELECT profile_queue.queue, readiness.agent, profile.places,"
    " (SELECT count(*) FROM participation WHERE participation.agent = readiness.agent AND left_at IS NULL)"
    " + (SELECT count(*) FROM reservation WHERE reservation.agent = readiness.agent AND outcome = '')"
    " + (SELECT count(*) FROM chat WHERE chat.promised_to = readiness.agent) AS taken"
    " FROM readiness JOIN profile ON profile.id = readiness.profile"
    " JOIN profile_queue ON profile_queue.profile = profile.id"
    " WHERE readiness.ready AND readiness.here"
)


async def lines() -> list[Line]:
    """An agent of several queues is ready for each of them, and so are its free places."""
    moment = now()
    chats, agents = await db.sql(CHATS), await db.sql(AGENTS)
    found = []
    for queue in await db.sql(QUEUES):
        waiting = [c["ticket_at"] for c in chats if (c["queue"], c["state"]) == (queue["id"], "waiting")]
        running = sum((c["queue"], c["state"]) == (queue["id"], "active") for c in chats)
        mine = [agent for agent in agents if agent["queue"] == queue["id"]]
        free = sum(max(0, agent["places"] - agent["taken"]) for agent in mine)
        longest = longest_s(waiting, moment)
        found.append(
            Line(
                queue["name"],
                bool(queue["green"]),
                queue["turned"],
                len(waiting),
                longest,
                running,
                len(mine),
                free,
            )
        )
    return found


def longest_s(since: list[datetime], moment: datetime) -> float | None:
    return (moment - min(since)).total_seconds() if since else None


def state_words(line: Line) -> str:
    if line.green:
        return _("Green")
    return reports.cause_name(line.turned) if line.turned not in ("", "green") else _("Blue")


env.globals["wallboard_state"] = state_words

routes = [page, figures_now]

ui = template("""
{% from "base.html" import document %}
{% from "components.html" import button, dot, empty, notice %}
{% import "signing_in" as signing_in %}

{% macro page(person, desk, lines, at) %}
{% call document(_("Wallboard") ~ " · " ~ desk, "settings wallboard", ["htmx.min.js", "session.js", "wallboard.js"], person.csrf) %}
<header class="board-head">
  <h1 class="display" translate="no">{{ desk }}</h1>
  <a class="soft board-back" href="/settings">{{ _("Settings") }}</a>
</header>
<main id="main">
  <div hx-get="/settings/wallboard/now" hx-trigger="every 5s" hx-target="#board" hx-swap="outerMorph"></div>
  {{ board(lines, at) }}
</main>
{{ notice("error", _("No connection. These figures are old."), attrs={"id": "board-old", "role": "alert", "hidden": true}) }}
<div id="notices" aria-live="polite"></div>
{{ signing_in.sign_in_again(person) }}
{% endcall %}
{% endmacro %}

{% macro board(lines, at) %}
<div id="board">
  {% if not lines %}{% call empty(_("No queues yet"), _("Every queue gets a line here."), "list") %}{% endcall %}{% else %}
  <table class="board" aria-label="{{ _("Queues") }}">
    <thead><tr><th scope="col">{{ _("Queue") }}</th><th scope="col">{{ _("Button") }}</th><th scope="col" class="number">{{ _("Waiting") }}</th><th scope="col" class="number">{{ _("Longest wait") }}</th><th scope="col" class="number">{{ _("Running") }}</th><th scope="col" class="number">{{ _("Agents ready") }}</th><th scope="col" class="number">{{ _("Free places") }}</th></tr></thead>
    <tbody>{% for line in lines %}
    <tr class="{{ "is-green" if line.green else "is-blue" }}">
      <th scope="row" translate="no">{{ line.name }}</th>
      <td class="board-state">{{ dot("green" if line.green else "blue") }}<span>{{ wallboard_state(line) }}</span></td>
      <td class="number{% if line.waiting %} board-alert{% endif %}" data-label="{{ _("Waiting") }}">{{ line.waiting | number }}</td>
      <td class="number" data-label="{{ _("Longest wait") }}">{{ report_words.span(line.longest_s) }}</td>
      <td class="number" data-label="{{ _("Running") }}">{{ line.running | number }}</td>
      <td class="number" data-label="{{ _("Agents ready") }}">{{ line.ready | number }}</td>
      <td class="number" data-label="{{ _("Free places") }}">{{ line.free | number }}</td>
    </tr>{% endfor %}</tbody>
  </table>{% endif %}
  <p class="soft board-at">{{ _("As of %(time)s", time=at) }}</p>
</div>
{% endmacro %}
""")  # noqa: E501
