"""The settings page of profiles: which queues, in what order, and how many chats at a time.

GET    /settings/profiles, /settings/profiles/new, /settings/profiles/{id}
POST   /settings/profiles
PUT    /settings/profiles/{id}
GET    /settings/profiles/{id}/deletion    the question, or what still uses it
DELETE /settings/profiles/{id}

A change counts at once, also for who is on duty: routing takes their profile anew.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

from litestar import Request, Response, delete, get, post, put
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

import db
import layouts
from db.tables import Profile, ProfileQueue, Readiness
from features import admission, profiles, queues, routing, settings
from features.access import Person, agent_of, may
from layouts import _, html, swap, template

NAME_LENGTH = 60
MOST_PLACES = 20
LOWEST = 9  # priority

settings.entry("people", "/settings/profiles", lambda: _("Profiles"), "users", "manage_people")


@dataclass
class ProfileForm:
    name: str = ""
    places: str = "3"
    priorities: dict[int, str] = field(default_factory=dict)  # by queue; "" = not of this profile
    version: str = ""


@dataclass(frozen=True)
class Listed:
    id: int
    name: str
    places: int
    queues: tuple[profiles.Served, ...]
    agents: int
    on_duty: int


@get("/settings/profiles", guards=[may("manage_people")])
async def index(request: Request[Any, Any, Any]) -> Response[str]:
    return html(ui.page(agent_of(request), await all_profiles()))


@get("/settings/profiles/new", guards=[may("manage_people")])
async def blank(request: Request[Any, Any, Any]) -> Response[str]:
    return html(ui.edit_page(agent_of(request), None, ProfileForm(), await queues.names()))


@get("/settings/profiles/{profile:int}", guards=[may("manage_people")])
async def show(request: Request[Any, Any, Any], profile: FromPath[int]) -> Response[str]:
    return html(ui.edit_page(agent_of(request), profile, await form_of(profile), await queues.names()))


@post("/settings/profiles", guards=[may("manage_people")], status_code=200)
async def create(request: Request[Any, Any, Any]) -> Response[str]:
    form, names = await read(request), await queues.names()
    if errors := await problems_with(form, None):
        return html(ui.form(None, form, names, errors), status_code=422)
    async with db.transaction():
        await add(agent_of(request), form)
    return settings.leave_for("/settings/profiles")


async def add(person: Person, form: ProfileForm) -> int:
    """Within a transaction. The new profile."""
    profile = await settings.make(person, Profile, values(form))
    await put_queues(profile, served(form))
    return profile


@put("/settings/profiles/{profile:int}", guards=[may("manage_people")], status_code=200)
async def save(request: Request[Any, Any, Any], profile: FromPath[int]) -> Response[str]:
    form, names = await read(request), await queues.names()
    await form_of(profile)
    if errors := await problems_with(form, profile):
        return html(ui.form(profile, form, names, errors), status_code=422)
    try:
        async with db.transaction():
            await db.lock(routing.LOCK)
            await change(agent_of(request), profile, form)
    except settings.Outdated:
        form.version = (await form_of(profile)).version
        words = await settings.outdated(Profile, profile)
        return html(ui.form(profile, form, names, {"form": words}), status_code=409)
    return html(ui.form(profile, await form_of(profile), names, {}), settings.saved())


async def change(person: Person, profile: int, form: ProfileForm) -> None:
    before, after = await served_now(profile), served(form)
    more = {"queues": (before, after)} if before != after else {}
    if await settings.change(person, Profile, profile, settings.version(form.version), values(form), more):
        if more:
            await put_queues(profile, after)
        for agent in await on_duty(profile):
            await routing.switch(agent, profile)
            db.after_commit(partial(admission.tell_console, agent))


@get("/settings/profiles/{profile:int}/deletion", guards=[may("manage_people")])
async def ask_deletion(profile: FromPath[int]) -> Response[str]:
    return html(swap("#ask-body", await deletion(profile), "innerHTML"))


@delete("/settings/profiles/{profile:int}", guards=[may("manage_people")], status_code=200)
async def destroy(request: Request[Any, Any, Any], profile: FromPath[int]) -> Response[str]:
    async with db.transaction():
        await db.lock(routing.LOCK)  # nobody chooses it meanwhile
        if await uses_of(profile):
            return html(swap("#ask-body", await deletion(profile), "innerHTML"), status_code=409)
        await settings.unmake(agent_of(request), Profile, profile)
    return settings.leave_for("/settings/profiles")


async def deletion(profile: int) -> str:
    name, uses = (await form_of(profile)).name, await uses_of(profile)
    if uses:
        return settings.ui.in_use(_("The profile %(name)s cannot be deleted") % {"name": name}, uses)
    title = _("Delete the profile %(name)s?") % {"name": name}
    return settings.ui.ask_deleting(title, _("This cannot be undone."), f"/settings/profiles/{profile}")


# ---- forms and facts -------------------------------------------------------------------------------------


async def read(request: Request[Any, Any, Any]) -> ProfileForm:
    sent = await request.form()
    texts = {name: str(sent.get(name, "")) for name in ("name", "places", "version")}
    known = await queues.names()
    return ProfileForm(priorities={queue: str(sent.get(f"queue-{queue}", "")) for queue in known}, **texts)


async def form_of(profile: int) -> ProfileForm:
    row = await Profile.select().where(Profile.id == profile).first()
    if row is None:
        raise NotFoundException
    priorities = {int(queue): str(priority) for queue, priority in (await served_now(profile)).items()}
    return ProfileForm(row["name"], str(row["places"]), priorities, str(row["version"]))


def values(form: ProfileForm) -> dict[str, Any]:
    return {"name": settings.one_line(form.name), "places": int(form.places)}


def served(form: ProfileForm) -> dict[str, int]:
    """Priority by queue, as the audit keeps it."""
    return {str(queue): int(priority) for queue, priority in sorted(form.priorities.items()) if priority}


async def served_now(profile: int) -> dict[str, int]:
    return {
        str(each.queue): each.priority
        for each in sorted(await profiles.profile_queues(profile), key=lambda each: each.queue)
    }


async def put_queues(profile: int, chosen: dict[str, int]) -> None:
    await ProfileQueue.delete().where(ProfileQueue.profile == profile)
    rows = [
        ProfileQueue(profile=profile, queue=int(queue), priority=priority)
        for queue, priority in chosen.items()
    ]
    if rows:
        await ProfileQueue.insert(*rows)


async def on_duty(profile: int) -> list[int]:
    rows = await Readiness.select(Readiness.agent).where(Readiness.profile == profile)
    return [row["agent"] for row in rows]


async def problems_with(form: ProfileForm, profile: int | None) -> dict[str, str]:
    errors = {}
    name = settings.one_line(form.name)
    rows = await Profile.select(Profile.id, Profile.name)
    if not name:
        errors["name"] = _("Give it a name.")
    elif len(name) > NAME_LENGTH:
        errors["name"] = settings.too_long(len(name), NAME_LENGTH)
    elif any(row["name"].lower() == name.lower() and row["id"] != profile for row in rows):
        errors["name"] = _("There is a profile with this name already.")
    if not settings.whole_number(form.places, 1, MOST_PLACES):
        errors["places"] = _("A whole number from %(least)s to %(most)s.") % {
            "least": layouts.number(1),
            "most": layouts.number(MOST_PLACES),
        }
    for queue, priority in form.priorities.items():
        if priority and not settings.whole_number(priority, 1, LOWEST):
            errors[f"queue-{queue}"] = _("Choose one of these.")
    return errors


async def all_profiles() -> list[Listed]:
    found = await profiles.every()
    rows = await db.sql(
        "SELECT profile.id, profile.name, profile.places,"
        " (SELECT count(*) FROM agent_profile WHERE agent_profile.profile = profile.id) AS agents,"
        " (SELECT count(*) FROM readiness WHERE readiness.profile = profile.id) AS on_duty"
        " FROM profile ORDER BY profile.name, profile.id"
    )
    return [Listed(**row, queues=found[row["id"]].queues) for row in rows if row["id"] in found]


async def uses_of(profile: int) -> list[tuple[str, str]]:
    found = [
        (row["name"], f"/settings/people/{row['id']}")
        for row in await db.sql(
            "SELECT DISTINCT agent.id, agent.name FROM agent"
            " LEFT JOIN agent_profile ON agent_profile.agent = agent.id"
            " LEFT JOIN readiness ON readiness.agent = agent.id"
            " WHERE agent_profile.profile = {} OR readiness.profile = {} ORDER BY agent.name",
            profile,
            profile,
        )
    ]
    (presets,) = await db.sql("SELECT count(*) AS n FROM preset WHERE profile = {}", profile)
    if presets["n"]:
        words = layouts.ngettext("%(n)s preset", "%(n)s presets", presets["n"])
        found.append((words % {"n": layouts.number(presets["n"])}, "/settings/presets"))
    return found


routes = [index, blank, show, create, save, ask_deletion, destroy]

ui = template("""
{% from "components.html" import button, empty, field, icon, notice, select_field, status %}
{% import "settings" as settings %}

{% macro page(person, profiles) %}
{% call settings.page(person, _("Profiles"), _("A profile says which chats somebody gets, and how many at a time. Agents choose one of theirs when they sign in."), "/settings/profiles") %}
{% if profiles %}
<div class="actions">{{ add() }}</div>
<table class="cards-on-phone" aria-labelledby="page-title">
  <thead><tr><th scope="col">{{ _("Name") }}</th><th scope="col">{{ _("Queues, first to last") }}</th><th scope="col">{{ _("At a time") }}</th><th scope="col">{{ _("Agents") }}</th></tr></thead>
  <tbody>
    {% for profile in profiles %}
    <tr>
      <th scope="row"><a href="/settings/profiles/{{ profile.id }}" translate="no">{{ profile.name }}</a></th>
      <td data-label="{{ _("Queues, first to last") }}">{% if profile.queues %}<span translate="no">{% for each in profile.queues %}{{ each.priority }}. {{ each.name }}{{ ", " if not loop.last }}{% endfor %}</span>{% else %}{{ status("amber", _("no queues yet")) }}{% endif %}</td>
      <td data-label="{{ _("At a time") }}">{{ profile.places }}</td>
      <td data-label="{{ _("Agents") }}">{{ profile.agents | number }}{% if profile.on_duty %} <span class="soft">({{ _("%(n)s now", n=profile.on_duty) }})</span>{% endif %}</td>
    </tr>
    {% endfor %}
  </tbody>
</table>
{% else %}
{% call empty(_("No profiles yet"), _("Make the first one, and say which queues it serves. Then give it to your agents."), "users") %}{{ add() }}{% endcall %}
{% endif %}
{% endcall %}
{% endmacro %}

{% macro add() %}{{ button(_("Add profile"), "primary", "plus", attrs={"href": "/settings/profiles/new"}) }}{% endmacro %}

{% macro edit_page(person, id, profile, queues) %}
{% call settings.page(person, profile.name if id else _("Add profile"), _("A change counts at once, also for who is signed in with it. Running conversations go on."), "/settings/profiles", back=("/settings/profiles", _("Profiles"))) %}
{{ form(id, profile, queues) }}
{% if id %}
<section class="stack danger-zone">
  <h2 class="title">{{ _("Delete") }}</h2>
  <p class="soft">{{ _("Only what nothing else uses can be deleted.") }}</p>
  <div class="actions">{{ button(_("Delete profile"), "secondary", "trash-2", attrs={"hx-get": "/settings/profiles/" ~ id ~ "/deletion", "hx-swap": "none"}) }}</div>
</section>
{% endif %}
{% endcall %}
{% endmacro %}

{% macro form(id, profile, queues, errors={}) %}
<form id="profile" class="stack" method="dialog" data-guard {% if id %}hx-put="/settings/profiles/{{ id }}"{% else %}hx-post="/settings/profiles"{% endif %} hx-swap="outerHTML" novalidate>
  {{ settings.problem(errors.get("form")) }}
  {% if id and not profile.priorities.values() | select | list %}{{ notice("warning", _("This profile contains no queues: whoever signs in with it receives no chat requests."), attrs={"id": "no-queues"}) }}{% endif %}
  {{ field(_("Name"), "name", profile.name, errors, hint=_("Agents see it when they sign in.")) }}
  {{ field(_("Chats at a time"), "places", profile.places, errors, attrs={"inputmode": "numeric", "class": "short"}) }}
  <fieldset class="stack">
    <legend class="title">{{ _("Queues") }}</legend>
    <p class="soft">{{ _("What is 1 comes before what is 2, and so on. Queues with the same number form one line. Nobody waits for ever: who has waited too long comes first all the same.") }}</p>
    {% set options = [("", _("Not in this profile")), (1, _("1: first"))] %}
    {% for n in range(2, 10) %}{{ options.append((n, n)) or "" }}{% endfor %}
    {% for id, name in queues.items() %}
    {{ select_field(name, "queue-" ~ id, options, profile.priorities.get(id, ""), errors, attrs={"class": "priority"}) }}
    {% else %}<p>{{ _("There is no queue yet.") }} <a href="/settings/queues/new">{{ _("Add queue") }}</a></p>{% endfor %}
  </fieldset>
  {{ settings.save_bar("/settings/profiles", profile.version if id else "", "" if id else _("Add profile")) }}
</form>
{% endmacro %}
""")  # noqa: E501
