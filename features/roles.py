"""Roles: sets of permissions; each person has one.

GET    /settings/roles, /settings/roles/new, /settings/roles/{id}
POST   /settings/roles
PUT    /settings/roles/{id}
GET    /settings/roles/{id}/deletion    the question, or who still has it
DELETE /settings/roles/{id}
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from litestar import Request, Response, delete, get, post, put
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

import db
from db.tables import Agent, GroupRole, Role
from features import access, admission, people, routing, settings
from features.access import Person, agent_of, may
from layouts import _, html, swap, template

NAME_LENGTH = 40

settings.entry("people", "/settings/roles", lambda: _("Roles"), "lock", "manage_people")

SENTENCES: dict[str, Callable[[], tuple[str, str]]] = {
    "chat": lambda: (_("Chat"), _("Takes chats with visitors, in the console.")),
    "supervise": lambda: (
        _("Supervise"),
        _("Sees running chats, reads along, takes over, and is warned when something goes wrong."),
    ),
    "manage_desk": lambda: (
        _("Set up the desk"),
        _("Queues, opening hours, and the name of the desk."),
    ),
    "manage_people": lambda: (
        _("Manage people"),
        _("Agents, profiles and roles: decides who may do what, also for themselves."),
    ),
    "manage_widgets": lambda: (
        _("Manage widgets"),
        _("The button and the window on websites, and their keys."),
    ),
    "manage_presets": lambda: (_("Manage presets"), _("Presets and saved offers that agents choose from.")),
    "read_log": lambda: (
        _("Read the log"),
        _("All conversations, with private messages and attachments. Each look is written down."),
    ),
    "manage_privacy": lambda: (
        _("Manage privacy"),
        _("How long conversations are kept, erasing what is known of a person, and exports."),
    ),
    "see_reports": lambda: (_("See reports"), _("Figures of the desk and of its queues.")),
    "see_agent_reports": lambda: (_("See figures per agent"), _("Who handled how much, by name.")),
    "read_audit": lambda: (_("Read the audit"), _("Who changed what, and who looked at what.")),
    "reveal_numbers": lambda: (
        _("Show hidden numbers"),
        _("A visitor's BSN or account number, in conversations they may read. Each is written down."),
    ),
}


@dataclass
class RoleForm:
    name: str = ""
    permissions: tuple[str, ...] = ()
    second_factor: str = ""
    version: str = ""


@dataclass(frozen=True)
class RoleFacts:
    id: int
    name: str
    permissions: tuple[str, ...]  # in words
    second_factor: bool
    people: int


@get("/settings/roles", guards=[may("manage_people")])
async def index(request: Request[Any, Any, Any]) -> Response[str]:
    return html(ui.page(agent_of(request), await all_roles()))


@get("/settings/roles/new", guards=[may("manage_people")])
async def blank(request: Request[Any, Any, Any]) -> Response[str]:
    return html(ui.edit_page(agent_of(request), None, RoleForm(), sentences()))


@get("/settings/roles/{role:int}", guards=[may("manage_people")])
async def show(request: Request[Any, Any, Any], role: FromPath[int]) -> Response[str]:
    return html(ui.edit_page(agent_of(request), role, await form_of(role), sentences()))


@post("/settings/roles", guards=[may("manage_people")], status_code=200)
async def create(request: Request[Any, Any, Any]) -> Response[str]:
    form = await read(request)
    if errors := await problems_with(form, None):
        return html(ui.form(None, form, sentences(), errors), status_code=422)
    async with db.transaction():
        await add(agent_of(request), form)
    return settings.leave_for("/settings/roles")


async def add(person: Person, form: RoleForm) -> int:
    """Within a transaction. The new role."""
    return await settings.make(person, Role, await values(form, None))


@put("/settings/roles/{role:int}", guards=[may("manage_people")], status_code=200)
async def save(request: Request[Any, Any, Any], role: FromPath[int]) -> Response[str]:
    form = await read(request)
    await form_of(role)
    if errors := await problems_with(form, role):
        return html(ui.form(role, form, sentences(), errors), status_code=422)
    try:
        async with db.transaction():
            await db.lock(routing.LOCK)
            version, new = settings.version(form.version), await values(form, role)
            if await settings.change(agent_of(request), Role, role, version, new):
                await admission.keep_somebody()
                await admission.apply_to_duty(await with_role(role))
    except settings.Outdated:
        form.version = (await form_of(role)).version
        words = await settings.outdated(Role, role)
        return html(ui.form(role, form, sentences(), {"form": words}), status_code=409)
    except admission.NobodyLeft:
        errors = {"permissions": admission.nobody_left()}
        return html(ui.form(role, form, sentences(), errors), status_code=422)
    return html(ui.form(role, await form_of(role), sentences(), {}), settings.saved())


@get("/settings/roles/{role:int}/deletion", guards=[may("manage_people")])
async def ask_deletion(role: FromPath[int]) -> Response[str]:
    return html(swap("#ask-body", await deletion(role), "innerHTML"))


@delete("/settings/roles/{role:int}", guards=[may("manage_people")], status_code=200)
async def destroy(request: Request[Any, Any, Any], role: FromPath[int]) -> Response[str]:
    async with db.transaction():
        if await uses_of(role):
            return html(swap("#ask-body", await deletion(role), "innerHTML"), status_code=409)
        await settings.unmake(agent_of(request), Role, role)
    return settings.leave_for("/settings/roles")


async def deletion(role: int) -> str:
    name, uses = (await form_of(role)).name, await uses_of(role)
    if uses:
        return settings.ui.in_use(_("The role %(name)s cannot be deleted") % {"name": name}, uses)
    title = _("Delete the role %(name)s?") % {"name": name}
    return settings.ui.ask_deleting(title, _("This cannot be undone."), f"/settings/roles/{role}")


# ---- forms and facts -------------------------------------------------------------------------------------


def sentences() -> list[tuple[str, str, str]]:
    """(permission, in a few words, in a sentence) of each."""
    return [(name, *SENTENCES[name]()) for name in access.PERMISSIONS]


async def read(request: Request[Any, Any, Any]) -> RoleForm:
    sent = await request.form()
    texts = {name: str(sent.get(name, "")) for name in ("name", "second_factor", "version")}
    return RoleForm(permissions=tuple(str(each) for each in sent.getall("permissions", [])), **texts)


async def form_of(role: int) -> RoleForm:
    row = await Role.select().where(Role.id == role).first()
    if row is None:
        raise NotFoundException
    permissions = tuple(json.loads(row["permissions"]))
    second_factor = "yes" if row["second_factor"] else ""
    return RoleForm(people.role_title(row["name"]), permissions, second_factor, str(row["version"]))


async def values(form: RoleForm, role: int | None) -> dict[str, Any]:
    """A role that a desk begins with keeps its name in all languages, until it gets another."""
    name = settings.one_line(form.name)
    before = await Role.select(Role.name).where(Role.id == role).first() if role else None
    if before and people.role_title(before["name"]) == name:
        name = before["name"]
    chosen = [each for each in access.PERMISSIONS if each in form.permissions]
    return {"name": name, "permissions": json.dumps(chosen), "second_factor": form.second_factor == "yes"}


async def problems_with(form: RoleForm, role: int | None) -> dict[str, str]:
    name = settings.one_line(form.name)
    rows = await Role.select(Role.id, Role.name)
    others = {
        each.lower()
        for row in rows
        if row["id"] != role
        for each in (row["name"], people.role_title(row["name"]))
    }
    if not name:
        return {"name": _("Give it a name.")}
    if len(name) > NAME_LENGTH:
        return {"name": settings.too_long(len(name), NAME_LENGTH)}
    if name.lower() in others:
        return {"name": _("There is a role with this name already.")}
    return {}


async def all_roles() -> list[RoleFacts]:
    rows = await db.sql(
        "SELECT role.id, role.name, role.permissions, role.second_factor,"
        " (SELECT count(*) FROM agent WHERE agent.role = role.id) AS people FROM role ORDER BY role.id"
    )
    return [
        RoleFacts(
            row["id"],
            people.role_title(row["name"]),
            tuple(title for name, title, _words in sentences() if name in json.loads(row["permissions"])),
            bool(row["second_factor"]),
            row["people"],
        )
        for row in rows
    ]


async def with_role(role: int) -> list[int]:
    rows = await Agent.select(Agent.id).where(Agent.role == role)
    return [row["id"] for row in rows]


async def uses_of(role: int) -> list[tuple[str, str]]:
    rows = await Agent.select(Agent.id, Agent.name).where(Agent.role == role).order_by(Agent.name)
    groups = await GroupRole.select(GroupRole.name).where(GroupRole.role == role).order_by(GroupRole.name)
    found = [(row["name"], f"/settings/people/{row['id']}") for row in rows]
    return found + [(_("Group %(name)s") % row, "/settings/sign-in") for row in groups]


routes = [index, blank, show, create, save, ask_deletion, destroy]

ui = template("""
{% from "components.html" import button, checkbox, described, field, icon, remarks %}
{% import "settings" as settings %}

{% macro page(person, roles) %}
{% call settings.page(person, _("Roles"), _("A role says what somebody may do. Everybody has one."), "/settings/roles") %}
<div class="actions">{{ button(_("Add role"), "primary", "plus", attrs={"href": "/settings/roles/new"}) }}</div>
<table class="cards-on-phone" aria-labelledby="page-title">
  <thead><tr><th scope="col">{{ _("Role") }}</th><th scope="col">{{ _("May") }}</th><th scope="col">{{ _("Agents") }}</th></tr></thead>
  <tbody>
    {% for role in roles %}
    <tr>
      <th scope="row"><a href="/settings/roles/{{ role.id }}">{{ role.name }}</a></th>
      <td data-label="{{ _("May") }}"><span>{{ role.permissions | join(" · ") or _("Nothing yet") }}{% if role.second_factor %}<br><span class="soft small">{{ icon("lock") }} {{ _("signs in with a second step") }}</span>{% endif %}</span></td>
      <td data-label="{{ _("Agents") }}">{{ role.people }}</td>
    </tr>
    {% endfor %}
  </tbody>
</table>
{% endcall %}
{% endmacro %}

{% macro edit_page(person, id, role, sentences) %}
{% call settings.page(person, role.name if id else _("Add role"), _("What whoever has this role may do. A change counts at once."), "/settings/roles", back=("/settings/roles", _("Roles"))) %}
{{ form(id, role, sentences) }}
{% if id %}
<section class="stack danger-zone">
  <h2 class="title">{{ _("Delete") }}</h2>
  <p class="soft">{{ _("Only what nothing else uses can be deleted.") }}</p>
  <div class="actions">{{ button(_("Delete role"), "secondary", "trash-2", attrs={"hx-get": "/settings/roles/" ~ id ~ "/deletion", "hx-swap": "none"}) }}</div>
</section>
{% endif %}
{% endcall %}
{% endmacro %}

{% macro form(id, role, sentences, errors={}) %}
<form id="role-form" class="stack" method="dialog" data-guard {% if id %}hx-put="/settings/roles/{{ id }}"{% else %}hx-post="/settings/roles"{% endif %} hx-swap="outerHTML" novalidate>
  {{ settings.problem(errors.get("form")) }}
  {{ field(_("Name"), "name", role.name, errors) }}
  <fieldset class="field several"{{ described("permissions", "permissions", "", errors) }}>
    <legend>{{ _("May") }}</legend>
    {{ remarks("permissions", "permissions", "", errors) }}
    {% for name, title, words in sentences %}
    <div class="check"><input type="checkbox" id="may-{{ name }}" name="permissions" value="{{ name }}" aria-describedby="may-{{ name }}-hint"{% if name in role.permissions %} checked{% endif %}><label for="may-{{ name }}">{{ title }}</label></div>
    <p class="hint under-check" id="may-{{ name }}-hint">{{ words }}</p>
    {% endfor %}
  </fieldset>
  <fieldset class="field several"><legend>{{ _("Signing in") }}</legend>
  {{ checkbox(_("Second step is compulsory"), "second_factor", role.second_factor == "yes", hint=_("A code from an app, besides the password. Who has none yet sets it up at the next sign-in.")) }}
  </fieldset>
  {{ settings.save_bar("/settings/roles", role.version if id else "", "" if id else _("Add role")) }}
</form>
{% endmacro %}
""")  # noqa: E501
