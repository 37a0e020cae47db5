"""Duty: an agent's profile and readiness: who takes chats, from which queues, and since when not.

POST   /session/profile   choose a profile: on duty, paused at first
PUT    /readiness         ready, or paused with a reason
"""

from dataclasses import dataclass
from typing import Any

from litestar import Request, Response, get, post, put
from litestar.exceptions import NotFoundException
from markupsafe import Markup
from msgspec import Struct

from db.clock import now
from db.prepared import prepared
from db.tables import Readiness, Session
from features import access, hours, live, profiles, queues, rounds, routing
from features.access import agent_of, may
from features.routing import LineMoved, ReadinessChanged
from layouts import Form, _, html, problems, swap, template

HOURS_EVERY_S = 10
REASONS = ("break", "lunch", "meeting", "aftercare")  # an agent may choose these; routing knows others


@dataclass(frozen=True)
class Duty:
    """How an agent stands to new chats."""

    profile: profiles.Facts | None
    ready: bool
    reason: str


async def duty_of(agent: int) -> Duty:
    row = await readiness_of.first(agent)
    if row is None or row["profile"] is None:
        return Duty(None, False, "")
    return Duty(await profiles.by_id(row["profile"]), row["ready"], row["reason"])


@prepared
def readiness_of(agent: int) -> Any:
    query = Readiness.select(Readiness.profile, Readiness.ready, Readiness.reason)
    return query.where(Readiness.agent == agent)


async def came_back_anew(person: access.Person) -> bool:
    """Its browser vanished, and it has signed in since: what it wants to do now is asked, not guessed."""
    row = await (
        Readiness.select(Readiness.gone_at, Readiness.here).where(Readiness.agent == person.id).first()
    )
    if row is None or row["here"] or row["gone_at"] is None:
        return False
    since = Session.exists().where(Session.id == person.session)
    return bool(await since.where(Session.created_at > row["gone_at"]))


# ---- routes ----------------------------------------------------------------------------------------------


class Choice(Struct):
    profile: int = 0


@get("/session/profile", guards=[may("chat")])
async def other_profile(request: Request[Any, Any, Any]) -> Response[str]:
    person = agent_of(request)
    standing = await duty_of(person.id)
    return html(ui.page(person, await profiles.choosable(person.id), standing.profile, back=True))


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
    drawn = [swap("#me", ui.me(person, standing)), swap("#pane-none", ui.nothing(standing))]
    if data.state == "ready" and standing.profile and not standing.ready:
        words = _("This page has no line to the desk yet. Try again in a moment.")
        drawn.append(swap("#notices", problems.ui.notice(_("Not connected"), words), "beforeend"))
        return html(*drawn, status_code=409)
    return html(*drawn)


# ---- live ------------------------------------------------------------------------------------------------


@live.on(live.Connected, ReadinessChanged, page="console")
async def redraw_me(viewer: Any, event: live.Event) -> Markup | None:
    standing = await duty_of(viewer.person.id)
    if standing.profile:
        viewer.profile = standing.profile.id
    return (
        swap("#me", ui.me(viewer.person, standing, viewer.profile))
        + swap("#my-profile", ui.my_profile(standing))
        + swap("#pane-none", ui.nothing(standing, viewer.profile))
    )


@live.on(live.Connected, LineMoved, ReadinessChanged, queues.QueueChanged, page="console")
async def redraw_lines(viewer: Any, event: live.Event) -> Markup | None:
    return swap("#lines", ui.lines(await lines_of(viewer.person.id)))


open_at_last_look: set[int] = set()


async def watch_hours() -> None:
    """As time goes by queues open and close: looked at once for all consoles of this process."""
    if not any(topic.startswith("queue:") for topic in live.subscriptions):
        return
    open_ones = await hours.open_queues(now())
    for queue in open_ones ^ open_at_last_look:
        live.deliver(f"queue:{queue}", queues.QueueChanged(queue))
    open_at_last_look.clear()
    open_at_last_look.update(open_ones)


async def look_anew() -> None:
    open_at_last_look.clear()


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


routes = [other_profile, choose_profile, set_readiness]
starts = [look_anew]
tasks = [rounds.every(HOURS_EVERY_S, watch_hours)]

ui = template("""
{% from "base.html" import plain %}
{% import "signing_in" as signing_in %}
{% from "components.html" import badge, button, choice_field, dot, empty, icon, menu, notice, status %}

{% macro page(person, profiles, current, back=false) %}
{% call plain(_("Choose a profile"), ["htmx.min.js", "session.js", "thread.js", "console.js"], person.csrf) %}
<p class="wordmark">{{ icon("messages-square") }}Balie</p>
<h1 class="title">{{ _("Hello %(name)s", name=person.name) }}</h1>
{{ profile_form(profiles, current, back=back) }}
{{ signing_in.sign_in_again(person) }}
{% endcall %}
{% endmacro %}

{% macro profile_form(profiles, current, errors={}, back=false) %}
<form id="profile-form" class="stack" method="dialog" hx-post="/session/profile" hx-swap="outerHTML">
  {% if profiles %}
  {% set options = [] %}
  {% for profile in profiles | selectattr("queues") | list + profiles | rejectattr("queues") | list %}{{ options.append((profile.id, profile.name, about(profile))) or "" }}{% endfor %}
  {{ choice_field(_("Profile"), "profile", options, (current or profiles | selectattr("queues") | first | default(profiles[0], true)).id, errors) }}
  {{ button(_("Start"), "primary", type="submit", attrs={"class": "large fill"}) }}
  {% else %}
  {% call notice("warning", _("You have no profile yet. Ask your administrator for one.")) %}{% endcall %}
  {% endif %}
  {% if back %}{{ button(_("Back to the console"), "quiet", attrs={"href": "/console"}) }}
  {% else %}{{ button(_("Sign out"), "quiet", attrs={"hx-delete": "/session", "hx-swap": "none"}) }}{% endif %}
</form>
{% endmacro %}

{% macro about(profile) -%}
{% if profile.queues %}{{ profile.queues | join(", ", attribute="name") }} · {{ ngettext("%(num)s chat at a time", "%(num)s chats at a time", profile.places) }}
{%- else %}{{ _("Your profile contains no chat queues; you receive no chat requests.") }}{% endif %}
{%- endmacro %}

{# Whether new chats are welcome. Paused, "Available" is one press away. #}
{% macro me(person, duty, last_profile=0) %}
<div class="readiness{% if not duty.ready %} paused{% endif %}" id="me">
  {% if not duty.profile %}
  {{ status("grey", _("Off duty")) }}
  {{ go_on(last_profile) }}
  {% elif not duty.profile.queues %}
  {{ status("grey", _("No chat requests")) }}
  {% elif duty.ready %}
  {% call menu("readiness", dot("green") ~ _("Available"), "secondary") %}{{ wishes(duty) }}{% endcall %}
  {% else %}
  {{ available() }}
  {% call menu("readiness", dot("grey") ~ reason(duty.reason), "secondary") %}{{ wishes(duty) }}{% endcall %}
  {% endif %}
</div>
{% endmacro %}

{# With the profile that one had. #}
{% macro go_on(profile) %}
{% if profile %}{{ button(_("Go on here"), "primary", attrs={"hx-post": "/session/profile", "hx-vals": '{"profile": "' ~ profile ~ '"}', "hx-swap": "none"}) }}{% endif %}
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

{# In the person's menu. #}
{% macro my_profile(duty) %}
<p class="menu-title" id="my-profile">{% if duty.profile %}{{ _("Profile") }} <span translate="no">{{ duty.profile.name }}</span> · {{ ngettext("%(num)s chat at a time", "%(num)s chats at a time", duty.profile.places) }}{% else %}{{ _("Off duty") }}{% endif %}</p>
{% endmacro %}

{# What stands where no conversation does: why nothing comes, or how it will. #}
{% macro nothing(duty, last_profile=0) %}
<section class="panel" id="pane-none" tabindex="-1">
  {% if not duty.profile %}
  {% call empty(_("You are off duty"), _("You signed out in another window or browser. You receive no chat requests here until you go on."), "log-out") %}
  {{ go_on(last_profile) }}
  {{ button(_("Choose a profile"), attrs={"href": "/session/profile"}) }}
  {% endcall %}
  {% elif not duty.profile.queues %}
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
  <li class="queue{% if not line.open %} closed{% endif %}"><span class="clip" translate="no" title="{{ line.name }}">{{ line.name }}</span>
    {% if line.open or line.waiting %}{{ badge(line.waiting, ngettext("%(num)s waiting", "%(num)s waiting", line.waiting), muted=not line.waiting) }}{% else %}<span class="small">{{ _("closed") }}</span>{% endif %}</li>
  {% endfor %}
</ul>
{% endmacro %}
""")  # noqa: E501
