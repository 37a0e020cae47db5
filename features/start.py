"""Start: the first steps of a new desk, from nothing to a green button.

GET    /settings/start?step=    the first step that is not done, or that one
POST   /settings/start/queue    each step is one small form
PUT    /settings/start/hours
POST   /settings/start/agent
POST   /settings/start/widget
GET    /settings/start/state    green, or what is lacking; the page asks for it every few seconds
DELETE /settings/start          out of the menu

How far one is follows from what there is: whoever stops, or does a part on a page of its own, goes on from
there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from litestar import Request, Response, delete, get, post, put
from litestar.exceptions import NotFoundException
from litestar.params import FromQuery

import db
import layouts
from db.settings import settings as environment
from db.tables import Desk, OpeningHours, Queue, Turn, Widget
from features import (
    desk,
    first_steps,
    lacking,
    mail,
    opening,
    organisation,
    passwords,
    queues,
    routing,
    settings,
    widget,
    widget_settings,
)
from features.access import Person, agent_of, may
from features.first_steps import AgentStep, HoursStep, QueueStep, WidgetStep
from features.widget import WidgetFacts
from layouts import Form, _, html, swap, template

settings.entry(
    "desk",
    "/settings/start",
    lambda: _("First steps"),
    "play",
    "manage_desk",
    wanted=lambda: desk.facts.guided,
)
LOCK = "first steps"  # two admins do not take the same one


@dataclass(frozen=True)
class Step:
    name: str
    title: str
    words: str
    permission: str
    done: bool


TITLES: dict[str, Callable[[], tuple[str, str]]] = {
    "queue": lambda: (
        _("Queue"),
        _("Chats wait in a queue until an agent takes them. One is enough to begin."),
    ),
    "hours": lambda: (
        _("Opening hours"),
        _("When newcomers are let in. The rest of the week the button is blue."),
    ),
    "agent": lambda: (_("Agent"), _("Somebody has to answer: you, or a colleague whom you invite.")),
    "widget": lambda: (_("Widget"), _("A widget is the button on your site, with the window behind it.")),
    "site": lambda: (_("Your site"), _("One line makes the button appear. Try it here first.")),
}
PERMISSIONS = {"agent": "manage_people", "widget": "manage_widgets"}


async def steps() -> list[Step]:
    done = {
        "queue": await Queue.exists(),
        "hours": await has_hours(),
        "agent": bool(await lacking.answerers()),
        "widget": await Widget.exists(),
        "site": await Turn.exists().where(Turn.what == "green"),
    }
    return [
        Step(name, *words(), PERMISSIONS.get(name, "manage_desk"), done[name])
        for name, words in TITLES.items()
    ]


async def has_hours() -> bool:
    return await OpeningHours.exists() or await Queue.exists().where(Queue.always_open.eq(True))


# ---- the page --------------------------------------------------------------------------------------------


@get("/settings/start", guards=[may("manage_desk")])
async def show(request: Request[Any, Any, Any], step: FromQuery[str] = "") -> Response[str]:
    return html(await page(agent_of(request), step))


async def page(person: Person, wanted: str) -> str:
    all_steps = await steps()
    undone = (at for at, each in enumerate(all_steps, 1) if not each.done)
    at = int(wanted) if wanted in ("1", "2", "3", "4", "5") else next(undone, 5)
    step = all_steps[at - 1]
    inner = ui.refused() if step.permission not in person.permissions else await inside(person, step)
    return ui.page(person, all_steps, at, inner)


async def inside(person: Person, step: Step) -> str:
    """What is asked in this step, or what there is already."""
    if step.name == "site":
        return await site(person)
    if step.done:
        return await made(step.name)
    if step.name in ("hours", "widget") and not await Queue.exists():
        return ui.first_the_queue()
    if step.name == "queue":
        return ui.queue(await QueueStep.blank())
    if step.name == "hours":
        return ui.hours(await HoursStep.blank())
    if step.name == "agent":
        return ui.agent(AgentStep("me"), mail.is_on(), await Queue.exists())
    return ui.widget(WidgetStep.blank())


async def made(name: str) -> str:
    if name == "queue":
        return ui.made(
            1, [(each, "") for each in (await queues.names()).values()], "/settings/queues", _("Queues")
        )
    if name == "hours":
        lines = [(each.name, opening.why(each.verdict)) for each in await opening.lines(db.clock.now())]
        return ui.made(2, lines, "/settings/hours", _("Opening hours"))
    if name == "agent":
        lines = [(each.name, ", ".join(each.profiles)) for each in await lacking.answerers()]
        return ui.made(3, lines, "/settings/people", _("Agents"))
    lines = [(each.name, ", ".join(each.origins)) for each in await widget_settings.all_widgets()]
    return ui.made(4, lines, "/settings/widgets", _("Widgets"))


# ---- the steps -------------------------------------------------------------------------------------------


@post("/settings/start/queue", guards=[may("manage_desk")], status_code=200)
async def add_queue(request: Request[Any, Any, Any], data: Form[QueueStep]) -> Response[str]:
    if errors := await data.problems():
        return html(ui.queue(data, errors), status_code=422)
    try:
        async with db.transaction():
            await db.lock(LOCK)
            await first_steps.write_queue(agent_of(request), data)
    except settings.Outdated:
        if await Queue.exists():
            return await done_meanwhile(1)
        data.version = (await organisation.form_now()).version
        errors = {"form": await settings.outdated(Desk, await organisation.desk_id())}
        return html(ui.queue(data, errors), status_code=409)
    await organisation.tell()
    return settings.leave_for("/settings/start?step=2")


@put("/settings/start/hours", guards=[may("manage_desk")], status_code=200)
async def set_hours(request: Request[Any, Any, Any], data: Form[HoursStep]) -> Response[str]:
    if not await queues.name_of(settings.version(data.queue)):
        raise NotFoundException
    if errors := await data.problems():
        return html(ui.hours(data, errors), status_code=422)
    try:
        async with db.transaction():
            await db.lock(LOCK)
            await first_steps.write_hours(agent_of(request), data)
    except settings.Outdated:
        if await has_hours():
            return await done_meanwhile(2)
        now = await HoursStep.blank()
        data.queue, data.version, data.desk_version = now.queue, now.version, now.desk_version
        errors = {"form": await settings.outdated(Desk, await organisation.desk_id())}
        return html(ui.hours(data, errors), status_code=409)
    await organisation.tell()
    return settings.leave_for("/settings/start?step=3")


@post("/settings/start/agent", guards=[may("manage_people")], status_code=200)
async def add_agent(request: Request[Any, Any, Any], data: Form[AgentStep]) -> Response[str]:
    person, has_queue = agent_of(request), await Queue.exists()
    errors = await data.problems() if has_queue else {"form": _("Make a queue first.")}
    if errors:
        return html(ui.agent(data, mail.is_on(), has_queue, errors), status_code=422)
    try:
        async with db.transaction():
            await db.lock(routing.LOCK)
            agent, link = await first_steps.write_agent(person, data)
    except settings.Outdated:
        return await done_meanwhile(3)
    if agent == person.id:
        return settings.leave_for("/settings/start?step=4")
    mailed = data.email.strip() if link and await passwords.send_link(agent) else ""
    drawn = ui.invited(link, mailed, data.name.strip())
    return html(drawn, swap("#steps", ui.steps(await steps(), 3)))


@post("/settings/start/widget", guards=[may("manage_widgets")], status_code=200)
async def add_widget(request: Request[Any, Any, Any]) -> Response[str]:
    data = WidgetStep.sent(await request.form())
    form, errors = await data.problems()
    if errors:
        return html(ui.widget(data, errors), status_code=422)
    try:
        async with db.transaction():
            await db.lock(LOCK)
            await first_steps.write_widget(agent_of(request), form)
    except settings.Outdated:
        return await done_meanwhile(4)
    return settings.leave_for("/settings/start?step=5")


async def done_meanwhile(at: int) -> Response[str]:
    """By somebody else, or in another window: this is how it is now."""
    all_steps = await steps()
    inner = await made(all_steps[at - 1].name)
    return html(ui.meanwhile(inner), swap("#steps", ui.steps(all_steps, at)), status_code=409)


# ---- the last one: is it green? --------------------------------------------------------------------------


async def site(person: Person) -> str:
    found = await first_widget()
    if found is None:
        return ui.no_widget()
    return ui.site(found, environment.url, await state_of(person, found))


@get("/settings/start/state", guards=[may("manage_desk")])
async def state(request: Request[Any, Any, Any]) -> Response[str]:
    found = await first_widget()
    if found is None:
        raise NotFoundException
    return html(
        ui.state(found, await state_of(agent_of(request), found)), swap("#steps", ui.steps(await steps(), 5))
    )


async def first_widget() -> WidgetFacts | None:
    row = await Widget.select(Widget.id).order_by(Widget.id).first()
    return await widget_settings.widget_by_id(row["id"]) if row else None


async def state_of(person: Person, found: WidgetFacts) -> lacking.Standing:
    """Of any of its queues; what is lacking is told of the first."""
    served = await widget.subjects(found.id)
    if not served:
        words = _("The widget has no subject yet: nothing says in which queue its chats wait.")
        return lacking.Standing(False, words, f"/settings/widgets/{found.id}", _("Change widget"))
    told = [await lacking.standing(person, each.queue, each.queue_name) for each in served[:3]]
    return next((each for each in told if each.green), told[0])


@delete("/settings/start", guards=[may("manage_desk")], status_code=200)
async def put_away(request: Request[Any, Any, Any]) -> Response[str]:
    await organisation.guide(agent_of(request), False)
    return settings.leave_for("/settings")


layouts.env.globals["guided"] = lambda: desk.facts.guided
routes = [show, add_queue, set_hours, add_agent, add_widget, state, put_away]

ui = template("""
{% from "components.html" import button, field, icon, notice, select_field %}
{% import "admission" as admission %}
{% import "settings" as settings %}
{% import "widget_settings" as widgets %}

{% macro page(person, all_steps, at, inner) %}
{% call settings.page(person, _("First steps"), _("Five short steps to a green button. You may stop at any time and go on later; everything can be changed afterwards."), "/settings/start") %}
<link rel="stylesheet" href="{{ asset("widgets.css") }}">
{{ steps(all_steps, at) }}
<section class="stack" aria-labelledby="step-title">
  <div>
    <h2 class="title" id="step-title">{{ _("Step %(n)s of %(all)s: %(title)s", n=at, all=all_steps | length, title=all_steps[at - 1].title) }}</h2>
    <p class="soft">{{ all_steps[at - 1].words }}</p>
  </div>
  {{ inner }}
</section>
{% if guided() %}
<div class="start-foot">{{ button(_("Put these steps away"), "quiet", "x", attrs={"hx-delete": "/settings/start", "hx-swap": "none"}) }}<p class="soft small">{{ _("Everything they set is also in the menu.") }}</p></div>
{% endif %}
{% endcall %}
{% endmacro %}

{% macro steps(all_steps, at) %}
<nav id="steps" aria-label="{{ _("Steps") }}">
  <ol class="start-steps">
    {% for each in all_steps %}
    <li><a href="/settings/start?step={{ loop.index }}" class="start-step{% if each.done %} done{% endif %}"{% if loop.index == at %} aria-current="step"{% endif %}>
      <span class="start-mark">{% if each.done %}{{ icon("check") }}{% else %}<span aria-hidden="true">{{ loop.index }}</span>{% endif %}</span>
      <span class="start-name">{{ each.title }}</span>{% if each.done %}<span class="visually-hidden">({{ _("done") }})</span>{% endif %}</a></li>
    {% endfor %}
  </ol>
</nav>
{% endmacro %}

{% macro foot(at, words="") %}
<div class="actions">
  {{ button(words or _("Save and go on"), "primary", type="submit") }}
  {{ button(_("Skip this step"), "quiet", attrs={"href": "/settings/start?step=" ~ (at + 1)}) }}
</div>
{% endmacro %}

{% macro queue(data, errors={}) %}
<form id="start" class="stack" method="dialog" data-guard hx-post="/settings/start/queue" hx-swap="outerHTML" novalidate>
  {{ settings.problem(errors.get("form")) }}
  {{ field(_("Name of the organisation"), "desk", data.desk, errors, hint=_("At the top of every window, and in each transcript.")) }}
  {{ select_field(_("Default language"), "language", language_names().items(), data.language, errors, hint=_("For whoever has not chosen one of ours.")) }}
  {{ field(_("Name of the queue"), "name", data.name, errors, hint=_("Visitors see it when they are transferred.")) }}
  <input type="hidden" name="version" value="{{ data.version }}">
  {{ foot(1) }}
</form>
{% endmacro %}

{% macro hours(data, errors={}) %}
<form id="start" class="stack" method="dialog" data-guard hx-put="/settings/start/hours" hx-swap="outerHTML" novalidate>
  {{ settings.problem(errors.get("form")) }}
  <fieldset class="choices">
    <legend class="legend">{{ _("Open") }}</legend>
    {{ choice("how", "weekdays", _("Monday to Friday"), "", data.how != "always") }}
    {{ choice("how", "always", _("Always open"), _("Day and night, every day of the week."), data.how == "always") }}
  </fieldset>
  <div class="two when-weekdays">
    {{ field(_("From"), "opens", data.opens, errors, type="time") }}
    {{ field(_("Until"), "closes", data.closes, errors, type="time") }}
  </div>
  {% set options = [] %}{% for zone in data.zones() %}{{ options.append((zone, zone | replace("_", " "))) or "" }}{% endfor %}
  {{ select_field(_("Time zone"), "time_zone", options, data.time_zone, errors) }}
  {{ select_field(_("Closed on public holidays of"), "holidays", data.countries(), data.holidays, errors, hint=_("Each of them can be switched off on the page of public holidays.")) }}
  <p class="soft small">{{ _("Other hours per day, a lunch break, hours past midnight: on the page of opening hours.") }}</p>
  {% for name in ("queue", "version", "desk_version") %}<input type="hidden" name="{{ name }}" value="{{ data[name] }}">{% endfor %}
  {{ foot(2) }}
</form>
{% endmacro %}

{% macro agent(data, mails, has_queue, errors={}) %}
{% if not has_queue %}{{ first_the_queue() }}{% else %}
<form id="start" class="stack" method="dialog" data-guard hx-post="/settings/start/agent" hx-swap="outerHTML" novalidate>
  {{ settings.problem(errors.get("form")) }}
  <fieldset class="choices">
    <legend class="legend">{{ _("Who answers?") }}</legend>
    {{ choice("who", "me", _("I answer chats myself"), _("You get a profile with the queue, and the permission to chat."), data.who != "other") }}
    {{ choice("who", "other", _("I invite a colleague"), _("You get a link to pass on, by which your colleague chooses a password."), data.who == "other") }}
  </fieldset>
  <div class="stack when-other">
    {{ field(_("Name that visitors see"), "name", data.name, errors) }}
    {{ field(_("User name"), "username", data.username, errors, attrs={"autocapitalize": "none", "spellcheck": "false"}) }}
    {% if mails %}{{ field(_("E-mail address"), "email", data.email, errors, type="email", required=false, hint=_("Only for links to choose a password with.")) }}{% endif %}
  </div>
  {{ foot(3) }}
</form>
{% endif %}
{% endmacro %}

{% macro choice(name, value, words, hint, checked) %}
<label class="choice">
  <input type="radio" name="{{ name }}" value="{{ value }}"{% if checked %} checked{% endif %}>
  <span>{{ words }}</span>
  {% if hint %}<span class="hint">{{ hint }}</span>{% endif %}
</label>
{% endmacro %}

{# In the place of the form: the link is not shown again. #}
{% macro invited(address, mailed, name) %}
<div id="start" class="stack" tabindex="-1">
  {{ admission.link(address, mailed, name) }}
  <div class="actions">
    {{ button(_("Next step"), "primary", attrs={"href": "/settings/start?step=4"}) }}
    {{ button(_("Add another"), attrs={"href": "/settings/people/new"}) }}
  </div>
</div>
{% endmacro %}

{% macro widget(data, errors={}) %}
<form id="start" class="stack" method="dialog" data-guard hx-post="/settings/start/widget" hx-swap="outerHTML" novalidate>
  {{ settings.problem(errors.get("form")) }}
  {{ field(_("Name"), "name", data.name, errors, hint=_("For your colleagues, and before what your site vouches for.")) }}
  <fieldset class="stack">
    <legend class="legend">{{ _("Sites that may show it") }}</legend>
    <p class="hint">{{ _("The beginning of the address, such as %(example)s. %(wild)s stands for all its subdomains.", example="https://www.example.be", wild="https://*.example.be") }}
      {{ _("Not sure yet? Leave it empty: the trial page of the next step shows it all the same.") }}</p>
    <div class="stack rows" id="origins">{% for each in data.origins %}{{ widgets.origin(loop.index0, each, errors) }}{% endfor %}</div>
    <template id="origins-row">{{ widgets.origin("new", "", {}) }}</template>
    <div class="actions">{{ button(_("Add site"), "secondary", "plus", attrs={"data-add-row": "origins"}) }}</div>
  </fieldset>
  {{ foot(4) }}
</form>
{% endmacro %}

{# A step that is done: what there is, (name, words) each, and where it is changed. #}
{% macro made(at, lines, path, title) %}
<div class="stack" id="start">
  <ul class="start-made">
    {% for name, words in lines %}
    <li>{{ icon("circle-check") }}<span><span translate="no">{{ name }}</span>{% if words %} <span class="soft">{{ words }}</span>{% endif %}</span></li>
    {% endfor %}
  </ul>
  <div class="actions">
    {{ button(_("Next step"), "primary", attrs={"href": "/settings/start?step=" ~ (at + 1)}) }}
    {{ button(_("Change: %(page)s", page=title), "secondary", "pencil", attrs={"href": path}) }}
  </div>
</div>
{% endmacro %}

{% macro meanwhile(inner) %}
{{ settings.problem(_("This step has been done meanwhile, by somebody else or in another window. What you typed has not been saved; this is how it is now.")) }}
{{ inner }}
{% endmacro %}

{% macro first_the_queue() %}
<div class="stack" id="start">
  <p>{{ _("This step needs a queue.") }}</p>
  <div class="actions">{{ button(_("Make a queue first"), "primary", attrs={"href": "/settings/start?step=1"}) }}</div>
</div>
{% endmacro %}

{% macro no_widget() %}
<div class="stack" id="start">
  <p>{{ _("This step needs a widget.") }}</p>
  <div class="actions">{{ button(_("Make a widget first"), "primary", attrs={"href": "/settings/start?step=4"}) }}</div>
</div>
{% endmacro %}

{% macro refused() %}
{{ notice("info", _("Your role may not do this step. Ask somebody who manages it.")) }}
{% endmacro %}

{% macro site(widget, url, standing) %}
<div class="stack" id="start">
  {{ state(widget, standing) }}
  {{ widgets.snippet(widget, url) }}
  {% if not widget.origins %}{{ notice("warning", _("No site may show the button yet. Add yours to the widget before you paste the line.")) }}
  <div class="actions">{{ button(_("Add site"), "secondary", "plus", attrs={"href": "/settings/widgets/" ~ widget.id}) }}</div>{% endif %}
</div>
{% endmacro %}

{% macro state(widget, standing) %}
<div id="state" class="start-state {{ "green" if standing.green else "blue" }}" role="status" hx-get="/settings/start/state" hx-trigger="every 3s" hx-swap="outerMorph">
  <p class="start-light">{{ icon("message-square-text") }}<span>{{ _("The button is green") if standing.green else _("The button is blue") }}</span></p>
  <p>{{ standing.words }}</p>
  <div class="actions">
    {% if standing.green and guided() %}{{ button(_("Finish"), "primary", "check", attrs={"hx-delete": "/settings/start", "hx-swap": "none"}) }}
    {% elif standing.path %}{{ button(standing.label, "primary", "external-link" if standing.elsewhere else "pencil", attrs={"href": standing.path, "target": "_blank" if standing.elsewhere else none, "rel": "noopener" if standing.elsewhere else none}) }}{% endif %}
    {{ button(_("See it work"), "secondary", "external-link", attrs={"href": "/settings/widgets/" ~ widget.id ~ "/trial", "target": "_blank", "rel": "noopener"}) }}
  </div>
</div>
{% endmacro %}
""")  # noqa: E501
