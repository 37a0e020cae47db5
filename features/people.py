"""People: who works at the desk: their role, profiles and languages; who is on now.

GET    /settings/people, /settings/people/new, /settings/people/{id}
POST   /settings/people
PUT    /settings/people/{id}

How each gets in is `admission`'s.
"""

import json
from dataclasses import dataclass
from typing import Any

from litestar import Request, Response, get, post, put
from litestar.params import FromPath

import db
import layouts
from db.clock import now
from db.tables import Agent, AgentProfile, Profile, Role
from features import (
    access,
    admission,
    copies,
    passwords,
    routing,
    settings,
    ways_in,
)
from features.access import agent_of, may
from layouts import _, html, template

NAME_LENGTH = 80
LANGUAGES = tuple(layouts.LANGUAGES)  # that visitors can chat in
TITLES = {
    "agent": lambda: _("Agent"),
    "supervisor": lambda: _("Supervisor"),
    "admin": lambda: _("Administrator"),
}

settings.entry("people", "/settings/people", lambda: _("Agents"), "user", "manage_people")


@dataclass
class PersonForm:
    """As the page sends it, so that what is wrong can be shown as it was typed."""

    username: str = ""
    name: str = ""
    email: str = ""
    role: str = ""
    language: str = "nl"
    languages: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    version: str = ""


@dataclass(frozen=True)
class Listed:
    """A person, as the list shows them."""

    id: int
    username: str
    name: str
    role: str
    profiles: tuple[str, ...]
    languages: tuple[str, ...]
    state: str  # ready, paused, gone, signed_in, away; invited, inactive
    reason: str = ""  # why paused
    profile: str = ""  # on duty with
    may_chat: bool = True


# ---- what other features ask -----------------------------------------------------------------------------


def role_title(name: str) -> str:
    """What the roles that a desk begins with are called in every language; others as they were named."""
    return TITLES[name]() if name in TITLES else name


async def roles() -> list[tuple[int, str]]:
    rows = await Role.select(Role.id, Role.name).order_by(Role.id)
    return [(row["id"], role_title(row["name"])) for row in rows]


# ---- pages -----------------------------------------------------------------------------------------------


@get("/settings/people", guards=[may("manage_people")])
async def index(request: Request[Any, Any, Any]) -> Response[str]:
    return html(ui.page(agent_of(request), await everybody()))


@get("/settings/people/new", guards=[may("manage_people")])
async def blank(request: Request[Any, Any, Any]) -> Response[str]:
    language = layouts.language.get()
    form = PersonForm(role=str(await plain_role()), language=language, languages=(language,))
    return html(ui.new_page(agent_of(request), form, await choices()))


@get("/settings/people/{agent:int}", guards=[may("manage_people")])
async def show(request: Request[Any, Any, Any], agent: FromPath[int]) -> Response[str]:
    row = await admission.row_of(agent)
    person, form = agent_of(request), await form_of(agent)
    return html(ui.edit_page(person, await admission.facts_of(row), form, await choices()))


@post("/settings/people", guards=[may("manage_people")], status_code=200)
async def create(request: Request[Any, Any, Any]) -> Response[str]:
    person, form = agent_of(request), await read(request)
    if errors := await problems_with(form, None):
        return html(ui.form(None, form, await choices(), errors), status_code=422)
    async with db.transaction():
        agent, link = await add(person, form)
    mailed = bool(link) and await passwords.send_link(agent)
    return html(ui.invited(agent, form.name.strip(), link, form.email.strip() if mailed else ""))


async def add(person: access.Person, form: PersonForm) -> tuple[int, str]:
    """Within a transaction. Who is new, and the link to choose a password with, if any."""
    agent = await settings.make(person, Agent, {**values(form), "created_at": now()})
    await put_profiles(agent, form)
    return agent, "" if ways_in.only() else await admission.invite(person.id, agent)


@put("/settings/people/{agent:int}", guards=[may("manage_people")], status_code=200)
async def save(request: Request[Any, Any, Any], agent: FromPath[int]) -> Response[str]:
    person, form = agent_of(request), await read(request)
    await admission.row_of(agent)
    errors = await problems_with(form, agent)
    if errors:
        return html(ui.form(agent, form, await choices(), errors), status_code=422)
    try:
        async with db.transaction():
            await db.lock(routing.LOCK)
            await change(person, agent, form)
    except settings.Outdated:
        form.version = (await form_of(agent)).version
        words = await settings.outdated(Agent, agent)
        return html(ui.form(agent, form, await choices(), {"form": words}), status_code=409)
    except admission.NobodyLeft:
        return html(ui.form(agent, form, await choices(), {"role": admission.nobody_left()}), status_code=422)
    return html(ui.form(agent, await form_of(agent), await choices(), {}), settings.saved())


async def change(person: access.Person, agent: int, form: PersonForm) -> None:
    before, after = sorted(await admission.profiles_of(agent)), sorted(map(int, form.profiles))
    more = {"profiles": (before, after)} if before != after else {}
    if await settings.change(person, Agent, agent, settings.version(form.version), values(form), more):
        if more:
            await put_profiles(agent, form)
        await admission.keep_somebody()
        await admission.apply_to_duty([agent])


# ---- forms -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Choices:
    roles: list[tuple[int, str]]
    profiles: list[tuple[int, str]]


async def choices() -> Choices:
    rows = await Profile.select(Profile.id, Profile.name).order_by(Profile.name, Profile.id)
    return Choices(await roles(), [(row["id"], row["name"]) for row in rows])


async def plain_role() -> int:
    """For somebody new: the one that may do least."""
    rows = await Role.select(Role.id, Role.permissions).order_by(Role.id)
    return min(rows, key=lambda row: len(json.loads(row["permissions"])))["id"] if rows else 0


async def read(request: Request[Any, Any, Any]) -> PersonForm:
    sent = await request.form()

    def text(name: str) -> str:
        return str(sent.get(name, ""))

    def texts(name: str) -> tuple[str, ...]:
        return tuple(str(each) for each in sent.getall(name, []))

    return PersonForm(
        text("username"),
        text("name"),
        text("email"),
        text("role"),
        text("language"),
        texts("languages"),
        texts("profiles"),
        text("version"),
    )


async def form_of(agent: int) -> PersonForm:
    row = await admission.row_of(agent)
    return PersonForm(
        row["username"],
        row["name"],
        row["email"],
        str(row["role"]),
        row["language"],
        tuple(json.loads(row["languages"])),
        tuple(map(str, await admission.profiles_of(agent))),
        str(row["version"]),
    )


def values(form: PersonForm) -> dict[str, Any]:
    return {
        "username": form.username.strip().lower(),
        "name": settings.one_line(form.name),
        "email": form.email.strip(),
        "role": int(form.role),
        "language": form.language,
        "languages": json.dumps([each for each in LANGUAGES if each in form.languages]),
    }


async def put_profiles(agent: int, form: PersonForm) -> None:
    await AgentProfile.delete().where(AgentProfile.agent == agent)
    if form.profiles:
        await AgentProfile.insert(
            *(AgentProfile(agent=agent, profile=int(each)) for each in dict.fromkeys(form.profiles))
        )


async def problems_with(form: PersonForm, agent: int | None) -> dict[str, str]:
    errors = {}
    username, offered = form.username.strip().lower(), await choices()
    if not access.USERNAME.fullmatch(username):
        errors["username"] = _("Use 2 to 64 letters, digits, dots, hyphens or underscores.")
    elif await Agent.exists().where(Agent.username == username).where(Agent.id != (agent or 0)):
        errors["username"] = _("Somebody else has this user name.")
    if not form.name.strip():
        errors["name"] = _("Enter the name that visitors will see.")
    elif len(form.name.strip()) > NAME_LENGTH:
        errors["name"] = settings.too_long(len(form.name.strip()), NAME_LENGTH)
    if form.email.strip() and not copies.is_address(form.email.strip()):
        errors["email"] = _("Enter an e-mail address such as name@example.be.")
    if form.role not in [str(id) for id, _title in offered.roles]:
        errors["role"] = _("Choose a role.")
    if form.language not in LANGUAGES:
        errors["language"] = _("Choose a language.")
    if not set(form.profiles) <= {str(id) for id, _name in offered.profiles}:
        errors["profiles"] = _("One of these profiles no longer exists.")
    return errors


# ---- who there is ----------------------------------------------------------------------------------------


async def everybody() -> list[Listed]:
    """By name; who can no longer come in last."""
    rows = await db.sql(
        "SELECT agent.id, agent.username, agent.name, agent.active, agent.languages, role.name AS role,"
        " role.permissions, agent.password_hash = '' AND NOT EXISTS"
        " (SELECT 1 FROM provider_identity WHERE provider_identity.agent = agent.id) AS invited,"
        " readiness.ready, readiness.reason, readiness.here, duty.name AS duty,"
        " EXISTS (SELECT 1 FROM session WHERE session.agent = agent.id AND session.expires_at > {})"
        " AS signed_in"
        " FROM agent JOIN role ON role.id = agent.role"
        " LEFT JOIN readiness ON readiness.agent = agent.id"
        " LEFT JOIN profile AS duty ON duty.id = readiness.profile"
        " ORDER BY agent.active DESC, agent.name, agent.id",
        now(),
    )
    names: dict[int, list[str]] = {}
    for each in await db.sql(
        "SELECT agent_profile.agent, profile.name FROM agent_profile"
        " JOIN profile ON profile.id = agent_profile.profile ORDER BY profile.name"
    ):
        names.setdefault(each["agent"], []).append(each["name"])
    return [listed(row, tuple(names.get(row["id"], ()))) for row in rows]


def listed(row: dict[str, Any], profiles: tuple[str, ...]) -> Listed:
    return Listed(
        row["id"],
        row["username"],
        row["name"],
        role_title(row["role"]),
        profiles,
        tuple(json.loads(row["languages"])),
        state_of(row),
        row["reason"] or "",
        row["duty"] or "",
        "chat" in json.loads(row["permissions"]),
    )


def state_of(row: dict[str, Any]) -> str:
    if not row["active"]:
        return "inactive"
    if row["invited"]:
        return "invited"
    if row["duty"] and row["here"]:
        return "ready" if row["ready"] else "paused"
    return "gone" if row["duty"] else "signed_in" if row["signed_in"] else "away"


routes = [index, blank, show, create, save]

ui = template("""
{% from "components.html" import button, described, field, icon, notice, remarks, select_field, status %}
{% import "admission" as admission %}
{% import "duty" as duty %}
{% import "settings" as settings %}

{% macro page(person, people) %}
{% call settings.page(person, _("Agents"), _("Everybody who works at this desk: what they may do, and who is here now."), "/settings/people", wide=true) %}
<div class="list-tools">
  <div class="field"><label for="narrow">{{ _("Search") }}</label><input class="input" id="narrow" type="search" autocomplete="off" data-narrows="people" placeholder="{{ _("Name, role, profile or language") }}"></div>
  {{ button(_("Add agent"), "primary", "user-plus", attrs={"href": "/settings/people/new"}) }}
</div>
<table class="cards-on-phone" aria-labelledby="page-title">
  <thead><tr><th scope="col">{{ _("Name") }}</th><th scope="col">{{ _("Now") }}</th><th scope="col">{{ _("Role") }}</th><th scope="col">{{ _("Profiles") }}</th><th scope="col">{{ _("Languages") }}</th></tr></thead>
  <tbody id="people" hx-get="/settings/people" hx-trigger="every 5s" hx-select="#people" hx-swap="outerMorph">
    {% for each in people %}
    <tr data-row>
      <th scope="row"><div><a href="/settings/people/{{ each.id }}" translate="no">{{ each.name }}</a> <span class="soft small" translate="no">{{ each.username }}</span></div></th>
      <td data-label="{{ _("Now") }}">{{ state(each) }}</td>
      <td data-label="{{ _("Role") }}">{{ each.role }}</td>
      <td data-label="{{ _("Profiles") }}" translate="no">{{ each.profiles | join(", ") or "–" }}</td>
      <td data-label="{{ _("Languages") }}">{% for code in each.languages %}{{ code | language_name }}{{ ", " if not loop.last }}{% else %}–{% endfor %}</td>
    </tr>
    {% endfor %}
  </tbody>
</table>
<p class="soft" id="people-none" role="status" hidden>{{ _("Nobody found.") }}</p>
{% endcall %}
{% endmacro %}

{% macro state(each) %}
{% if each.state == "ready" %}{{ status("green", _("Available")) }}
{% elif each.state == "paused" %}{{ status("amber", duty.reason(each.reason)) }}
{% elif each.state == "gone" %}{{ status("red", _("Connection lost")) }}
{% elif each.state == "signed_in" %}{{ status("blue", _("Signed in")) }}
{% elif each.state == "invited" %}{{ status("amber", _("Invited")) }}
{% elif each.state == "inactive" %}{{ status("red", _("Deactivated")) }}
{% else %}{{ status("grey", _("Not signed in")) }}{% endif %}
{% endmacro %}

{% macro new_page(person, form_, choices) %}
{% call settings.page(person, _("Add agent"), _("Signs in with %(name)s, by the same e-mail address there.", name=provider()) if provider_only() else _("You get a link by which the new agent chooses a password."), "/settings/people", back=("/settings/people", _("Agents"))) %}
{{ form(none, form_, choices, {}) }}
{% endcall %}
{% endmacro %}

{% macro edit_page(person, facts, form_, choices) %}
{% call settings.page(person, facts.name, _("Who this is, what this person may do, and how this person gets in."), "/settings/people", back=("/settings/people", _("Agents"))) %}
{% if not facts.active %}{{ notice("warning", _("Deactivated: cannot sign in.")) }}{% endif %}
{{ form(facts.id, form_, choices, {}) }}
{{ admission.access_of(facts) }}
<section class="stack danger-zone">
  {% if facts.active %}
  <h2 class="title">{{ _("Deactivate") }}</h2>
  <p class="soft">{{ _("Signed out at once; conversations go back to their queue. What was said stays in the log.") }}</p>
  <div class="actions">{{ button(_("Deactivate"), "secondary", "ban", attrs={"hx-get": "/settings/people/" ~ facts.id ~ "/deactivation", "hx-swap": "none"}) }}</div>
  {% else %}
  <h2 class="title">{{ _("Activate again") }}</h2>
  <p class="soft">{{ _("The password works again; if it is forgotten, make a link.") }}</p>
  <div class="actions">{{ button(_("Activate again"), "secondary", "undo-2", attrs={"hx-put": "/settings/people/" ~ facts.id ~ "/activity", "hx-swap": "none"}) }}</div>
  {% endif %}
</section>
{% endcall %}
{% endmacro %}

{% macro form(id, person, choices, errors) %}
<form id="person" class="stack" method="dialog" data-guard {% if id %}hx-put="/settings/people/{{ id }}"{% else %}hx-post="/settings/people"{% endif %} hx-swap="outerHTML" novalidate>
  {{ settings.problem(errors.get("form")) }}
  {{ field(_("Name that visitors see"), "name", person.name, errors) }}
  {{ field(_("User name"), "username", person.username, errors, attrs={"autocapitalize": "none", "spellcheck": "false"}) }}
  {{ field(_("E-mail address"), "email", person.email, errors, type="email", required=false, hint=_("The one that %(name)s knows; and for links to choose a password with.", name=provider()) if provider() else _("Only for links to choose a password with.")) }}
  {{ select_field(_("Role"), "role", choices.roles, person.role, errors, hint=_("What this person may do.")) }}
  {{ several(_("Profiles"), "profiles", choices.profiles, person.profiles, errors, _("What this person can choose from when signing in; without one, no chats come."), _("There is no profile yet.")) }}
  {% set spoken = [] %}
  {% for code in ["nl", "fr", "de", "en"] %}{{ spoken.append((code, code | language_name)) or "" }}{% endfor %}
  {{ several(_("Speaks"), "languages", spoken, person.languages, errors, _("Among those whose turn it is, somebody who speaks the visitor’s language is asked first.")) }}
  {{ select_field(_("Language of the screens"), "language", spoken, person.language, errors) }}
  {{ settings.save_bar("/settings/people", person.version if id else "", "" if id else _("Add agent") if provider_only() else _("Add and make a link")) }}
</form>
{% endmacro %}

{% macro several(label, name, options, chosen, errors, hint="", none_yet="") %}
<fieldset class="field several"{{ described(name, name, hint, errors) }}>
  <legend>{{ label }}</legend>
  {% for value, words in options %}
  <div class="check"><input type="checkbox" id="{{ name }}-{{ value }}" name="{{ name }}" value="{{ value }}"{% if value|string in chosen %} checked{% endif %}><label for="{{ name }}-{{ value }}"{% if name == "profiles" %} translate="no"{% endif %}>{{ words }}</label></div>
  {% else %}<p>{{ none_yet }}{% if name == "profiles" %} <a href="/settings/profiles/new">{{ _("Add profile") }}</a>{% endif %}</p>{% endfor %}
  {{ remarks(name, name, hint, errors) }}
</fieldset>
{% endmacro %}

{# In the place of the form: the link is not shown again. #}
{% macro invited(id, name, address, mailed) %}
<div id="person" class="stack" tabindex="-1">
  {{ admission.link(address, mailed, name) }}
  <div class="actions">
    {{ button(_("To the list"), "primary", attrs={"href": "/settings/people"}) }}
    {{ button(_("Add another"), attrs={"href": "/settings/people/new"}) }}
  </div>
</div>
{% endmacro %}

""")  # noqa: E501
