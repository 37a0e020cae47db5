"""Duty: an agent's profile and readiness: who takes chats, from which queues, and since when not.

POST   /session/profile   choose a profile: on duty, paused at first
PUT    /readiness         ready, or paused with a reason
DELETE /session           sign out; with chats open the page asks first
"""

from dataclasses import dataclass
from typing import Any

from litestar import Request, Response, delete, post, put
from litestar.exceptions import NotFoundException
from litestar.params import FromQuery
from markupsafe import Markup
from msgspec import Struct

from db.clock import now
from db.tables import Participation, Readiness
from features import access, hours, live, profiles, queues, routing
from features.access import agent_of, may, signed_in
from features.routing import LineMoved, ReadinessChanged
from layouts import Form, _, html, swap, template

REASONS = ("break", "lunch", "meeting", "aftercare")  # an agent may choose these; routing knows others


@dataclass(frozen=True)
class Duty:
    """How an agent stands to new chats."""

    profile: profiles.Facts | None
    ready: bool
    reason: str


async def duty_of(agent: int) -> Duty:
    row = await (
        Readiness.select(Readiness.profile, Readiness.ready, Readiness.reason)
        .where(Readiness.agent == agent)
        .first()
    )
    if row is None or row["profile"] is None:
        return Duty(None, False, "")
    return Duty(await profiles.by_id(row["profile"]), row["ready"], row["reason"])


# ---- routes ----------------------------------------------------------------------------------------------


class Choice(Struct):
    profile: int = 0


@post("/session/profile", guards=[may("chat")], status_code=200)
async def choose_profile(request: Request[Any, Any, Any], data: Form[Choice]) -> Response[str]:
    person = agent_of(request)
    offered = await profiles.choosable(person.id)
    if data.profile not in [profile.id for profile in offered]:
        return html(ui.profile_form(offered, {"profile": _("Choose one of your profiles.")}), status_code=422)
    duty = await duty_of(person.id)
    await (routing.login if duty.profile is None else routing.switch)(person.id, data.profile)
    return html(headers={"HX-Redirect": "/console"})


class Wish(Struct):
    state: str = ""


@put("/readiness", guards=[may("chat")], status_code=200)
async def set_readiness(request: Request[Any, Any, Any], data: Form[Wish]) -> Response[str]:
    person = agent_of(request)
    if data.state == "ready":
        await routing.make_ready(person.id)
    elif data.state in REASONS:
        await routing.pause(person.id, data.state)
    else:
        raise NotFoundException
    return html(swap("#me", ui.me(person, await duty_of(person.id))))


@delete("/session", guards=[signed_in], status_code=200)
async def sign_out(request: Request[Any, Any, Any], anyway: FromQuery[bool] = False) -> Response[str]:
    """Chats that are still running go back to the head of their queue, if the agent says so."""
    person = agent_of(request)
    running = await running_with(person.id)
    if running and not anyway:
        return html(swap("#ask-body", ui.still_open(running)), status_code=409)
    await routing.logout(person.id)
    await access.close_session(person)
    answer = html(headers={"HX-Redirect": "/console"})
    answer.set_cookie(access.cookie(""))
    return answer


async def running_with(agent: int) -> list[str]:
    """The visitors it is talking with, by name."""
    rows = await (
        Participation.select(Participation.chat.visitor_name.as_alias("name"))
        .where(Participation.agent == agent)
        .where(Participation.left_at.is_null())
        .order_by(Participation.id)
    )
    return [row["name"] for row in rows]


# ---- live ------------------------------------------------------------------------------------------------


@live.on(live.Connected, ReadinessChanged, page="console")
async def redraw_me(viewer: Any, event: live.Event) -> Markup | None:
    return swap("#me", ui.me(viewer.person, await duty_of(viewer.person.id)))


@live.on(live.Connected, LineMoved, page="console")
async def redraw_lines(viewer: Any, event: live.Event) -> Markup | None:
    return swap("#lines", ui.lines(await lines_of(viewer.person.id)))


@dataclass(frozen=True)
class Line:
    """A queue's line, as the head of the console shows it."""

    name: str
    waiting: int
    open: bool


async def lines_of(agent: int) -> list[Line]:
    profile = (await duty_of(agent)).profile
    if profile is None or not profile.queues:
        return []
    waiting, open_ones = await queues.waiting_counts(), await hours.open_queues(now())
    return [Line(each.name, waiting.get(each.queue, 0), each.queue in open_ones) for each in profile.queues]


routes = [choose_profile, set_readiness, sign_out]

ui = template("""
{% from "base.html" import plain %}
{% from "components.html" import badge, button, choice_field, dot, icon, menu, notice, status %}

{% macro page(person, profiles, csrf) %}
{% call plain(_("Choose a profile"), ["htmx.min.js", "thread.js", "console.js"], csrf) %}
<h1 class="title">{{ _("Hello %(name)s", name=person.name) }}</h1>
{{ profile_form(profiles) }}
{% endcall %}
{% endmacro %}

{% macro profile_form(profiles, errors={}) %}
<form id="profile-form" class="stack" hx-post="/session/profile" hx-swap="outerHTML">
  {% if profiles %}
  {% set options = [] %}
  {% for profile in profiles %}{{ options.append((profile.id, profile.name, about(profile))) or "" }}{% endfor %}
  {{ choice_field(_("Profile"), "profile", options, profiles[0].id, errors) }}
  {{ button(_("Start"), "primary", type="submit", attrs={"class": "large fill"}) }}
  {% else %}
  {% call notice("warning", _("You have no profile yet. Ask your administrator for one.")) %}{% endcall %}
  {% endif %}
  {{ button(_("Sign out"), "quiet", attrs={"hx-delete": "/session", "hx-swap": "none"}) }}
</form>
{% endmacro %}

{% macro about(profile) -%}
{% if profile.queues %}{{ profile.queues | join(", ", attribute="name") }} · {{ ngettext("%(num)s chat at a time", "%(num)s chats at a time", profile.places) }}
{%- else %}{{ _("Your profile contains no chat queues; you receive no chat requests.") }}{% endif %}
{%- endmacro %}

{# Name, profile, and whether new chats are welcome. #}
{% macro me(person, duty) %}
<div class="readiness" id="me">
  {% if not duty.profile or not duty.profile.queues %}
  {{ notice("warning", _("Your profile contains no chat queues; you receive no chat requests.")) }}
  {% elif duty.ready %}
  {% call menu("readiness", dot("green") ~ _("Available"), "secondary") %}{{ wishes(duty) }}{% endcall %}
  {% else %}
  {{ button(_("Available"), "available", attrs={"hx-put": "/readiness", "hx-vals": '{"state": "ready"}', "hx-swap": "none"}) }}
  {% call menu("readiness", dot("amber") ~ reason(duty.reason), "secondary") %}{{ wishes(duty) }}{% endcall %}
  {% endif %}
</div>
{% endmacro %}

{% macro wishes(duty) %}
{% for wish in ["ready", "break", "lunch", "meeting", "aftercare"] %}
<button type="button" class="menu-item" hx-put="/readiness" hx-vals='{"state": "{{ wish }}"}' hx-swap="none"
        popovertarget="readiness" popovertargetaction="hide"{% if (duty.ready and wish == "ready") or duty.reason == wish %} aria-current="true"{% endif %}>{{ _("Available") if wish == "ready" else reason(wish) }}</button>
{% endfor %}
{% endmacro %}

{% macro reason(code) -%}
{% if code == "lunch" %}{{ _("Paused: lunch") }}
{%- elif code == "meeting" %}{{ _("Paused: meeting") }}
{%- elif code == "aftercare" %}{{ _("Paused: finishing up") }}
{%- elif code == "not_answered" %}{{ _("Not answered") }}
{%- elif code == "connection_lost" %}{{ _("Paused: connection was lost") }}
{%- else %}{{ _("Paused") }}{% endif %}
{%- endmacro %}

{% macro lines(lines) %}
<ul class="queues" id="lines" aria-label="{{ _("Waiting") }}">
  {% for line in lines %}
  <li class="queue{% if not line.open %} closed{% endif %}"><span translate="no">{{ line.name }}</span>
    {% if line.open or line.waiting %}{{ badge(line.waiting, ngettext("%(num)s waiting", "%(num)s waiting", line.waiting), muted=not line.waiting) }}{% else %}<span class="small">{{ _("closed") }}</span>{% endif %}</li>
  {% endfor %}
</ul>
{% endmacro %}

{% macro still_open(names) %}
<div data-ask>
  <h2 class="title" id="ask-title">{{ _("You still have conversations") }}</h2>
  <ul>{% for name in names %}<li translate="no">{{ name or _("Visitor") }}</li>{% endfor %}</ul>
  <p>{{ _("If you sign out now, they go back to the head of their queue and a colleague takes over.") }}</p>
  <div class="actions end">
    {{ button(_("Cancel"), attrs={"data-close-dialog": true, "autofocus": true}) }}
    {{ button(_("Back to the queue and sign out"), "danger", attrs={"hx-delete": "/session?anyway=true", "hx-swap": "none"}) }}
  </div>
</div>
{% endmacro %}
""")  # noqa: E501
