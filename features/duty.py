"""Duty: an agent's profile and readiness: who takes chats, from which queues, and since when not.

POST   /session/profile   choose a profile: on duty, paused at first
PUT    /readiness         ready, or paused with a reason
DELETE /session           sign out; with chats open the page asks first
"""

from dataclasses import dataclass
from typing import Any

from litestar import Request, Response, delete, get, post, put
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


@get("/session/profile", guards=[may("chat")])
async def other_profile(request: Request[Any, Any, Any]) -> Response[str]:
    person = agent_of(request)
    standing = await duty_of(person.id)
    return html(ui.page(person, await profiles.choosable(person.id), standing.profile))


@post("/session/profile", guards=[may("chat")], status_code=200)
async def choose_profile(request: Request[Any, Any, Any], data: Form[Choice]) -> Response[str]:
    person = agent_of(request)
    offered = await profiles.choosable(person.id)
    if data.profile not in [profile.id for profile in offered]:
        errors = {"profile": _("Choose one of your profiles.")}
        return html(ui.profile_form(offered, None, errors), status_code=422)
    await routing.login(person.id, data.profile)
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
    standing = await duty_of(person.id)
    return html(swap("#me", ui.me(person, standing)), swap("#pane-none", ui.nothing(standing)))


@delete("/session", guards=[signed_in], status_code=200)
async def sign_out(request: Request[Any, Any, Any], anyway: FromQuery[bool] = False) -> Response[str]:
    """Chats that are still running go back to the head of their queue, if the agent says so."""
    person = agent_of(request)
    running = await running_with(person.id)
    if running and not anyway:
        return html(swap("#ask-body", ui.still_open(running), "innerHTML"), status_code=409)
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
    standing = await duty_of(viewer.person.id)
    return swap("#me", ui.me(viewer.person, standing)) + swap("#pane-none", ui.nothing(standing))


@live.on(live.Connected, LineMoved, ReadinessChanged, queues.QueueChanged, live.Ticked, page="console")
async def redraw_lines(viewer: Any, event: live.Event) -> Markup | None:
    """As time goes by, too: queues open and close."""
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


routes = [other_profile, choose_profile, set_readiness, sign_out]

ui = template("""
{% from "base.html" import plain %}
{% import "access" as access %}
{% from "components.html" import badge, button, choice_field, dot, empty, icon, menu, notice, status %}

{% macro page(person, profiles, current) %}
{% call plain(_("Choose a profile"), ["htmx.min.js", "session.js", "thread.js", "console.js"], person.csrf) %}
<p class="wordmark">{{ icon("messages-square") }}Balie</p>
<h1 class="title">{{ _("Hello %(name)s", name=person.name) }}</h1>
{{ profile_form(profiles, current) }}
{{ access.sign_in_again(person) }}
{% endcall %}
{% endmacro %}

{% macro profile_form(profiles, current, errors={}) %}
<form id="profile-form" class="stack" method="dialog" hx-post="/session/profile" hx-swap="outerHTML">
  {% if profiles %}
  {% set options = [] %}
  {% for profile in profiles | selectattr("queues") | list + profiles | rejectattr("queues") | list %}{{ options.append((profile.id, profile.name, about(profile))) or "" }}{% endfor %}
  {{ choice_field(_("Profile"), "profile", options, (current or profiles | selectattr("queues") | first | default(profiles[0], true)).id, errors) }}
  {{ button(_("Start"), "primary", type="submit", attrs={"class": "large fill"}) }}
  {% else %}
  {% call notice("warning", _("You have no profile yet. Ask your administrator for one.")) %}{% endcall %}
  {% endif %}
  {% if current %}{{ button(_("Back to the console"), "quiet", attrs={"href": "/console"}) }}
  {% else %}{{ button(_("Sign out"), "quiet", attrs={"hx-delete": "/session", "hx-swap": "none"}) }}{% endif %}
</form>
{% endmacro %}

{% macro about(profile) -%}
{% if profile.queues %}{{ profile.queues | join(", ", attribute="name") }} · {{ ngettext("%(num)s chat at a time", "%(num)s chats at a time", profile.places) }}
{%- else %}{{ _("Your profile contains no chat queues; you receive no chat requests.") }}{% endif %}
{%- endmacro %}

{# Whether new chats are welcome. Paused, "Available" is one press away. #}
{% macro me(person, duty) %}
<div class="readiness{% if not duty.ready %} paused{% endif %}" id="me">
  {% if not duty.profile or not duty.profile.queues %}
  {{ status("grey", _("No chat requests")) }}
  {% elif duty.ready %}
  {% call menu("readiness", dot("green") ~ _("Available"), "secondary") %}{{ wishes(duty) }}{% endcall %}
  {% else %}
  {{ available() }}
  {% call menu("readiness", dot("grey") ~ reason(duty.reason), "secondary") %}{{ wishes(duty) }}{% endcall %}
  {% endif %}
</div>
{% endmacro %}

{% macro available() %}
{{ button(_("Available"), "available", attrs={"hx-put": "/readiness", "hx-vals": '{"state": "ready"}', "hx-swap": "none"}) }}
{% endmacro %}

{% macro wishes(duty) %}
{{ wish("ready", "green", _("Available"), duty.ready) }}
<p class="menu-title">{{ _("Pause") }}</p>
{% for code in ["break", "lunch", "meeting", "aftercare"] %}{{ wish(code, "grey", reason(code), duty.reason == code) }}{% endfor %}
{% endmacro %}

{% macro wish(state, colour, words, current) %}
<button type="button" class="menu-item" hx-put="/readiness" hx-vals='{"state": "{{ state }}"}' hx-swap="none"
        popovertarget="readiness" popovertargetaction="hide"{% if current %} aria-current="true"{% endif %}>{{ dot(colour) }}{{ words }}</button>
{% endmacro %}

{# What stands where no conversation does: why nothing comes, or how it will. #}
{% macro nothing(duty) %}
<section class="panel" id="pane-none" tabindex="-1">
  {% if not duty.profile or not duty.profile.queues %}
  {% call empty(_("No chat requests"), _("Your profile contains no chat queues; you receive no chat requests."), "ban") %}{{ button(_("Choose another profile"), attrs={"href": "/session/profile"}) }}{% endcall %}
  {% elif duty.ready %}
  {% call empty(_("No conversations"), _("A new chat request appears here by itself as a tab, with a sound."), "messages-square") %}{{ button(_("Test sound"), "secondary", "volume-2", attrs={"data-act": "test-sound"}) }}{% endcall %}
  {% elif duty.reason == "not_answered" %}
  {% call empty(_("You receive no chat requests"), _("You were paused because a request was not answered. Once you are available again, the next one appears here."), "pause") %}{{ available() }}{% endcall %}
  {% elif duty.reason == "connection_lost" %}
  {% call empty(_("You receive no chat requests"), _("You were paused because the connection was lost for a while. Once you are available again, the next request appears here."), "pause") %}{{ available() }}{% endcall %}
  {% else %}
  {% call empty(_("You receive no chat requests"), _("You are paused. Once you are available, requests appear here."), "pause") %}{{ available() }}{% endcall %}
  {% endif %}
</section>
{% endmacro %}

{% macro reason(code) -%}
{% if code == "lunch" %}{{ _("Lunch") }}
{%- elif code == "meeting" %}{{ _("Meeting") }}
{%- elif code == "aftercare" %}{{ _("Finishing up") }}
{%- elif code == "not_answered" %}{{ _("Not answered") }}
{%- elif code == "connection_lost" %}{{ _("Connection lost") }}
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
