"""Signing in: the settings page of the provider: which group has which role, and whose password still works.

GET /settings/sign-in
PUT /settings/sign-in

The provider itself is a setting of the installation (BALIE_OIDC_…).
"""

from dataclasses import dataclass, field, replace
from typing import Any

from litestar import Request, Response, get, put

import db
from db.settings import settings as installation
from db.tables import GroupRole, SignInRules
from features import admission, live, people, provider, settings, single_sign_on, ways_in
from features.access import Person, agent_of, may
from layouts import _, html, template

VARIABLES = tuple(f"BALIE_OIDC_{each}" for each in ("ISSUER", "CLIENT_ID", "CLIENT_SECRET", "NAME"))
GROUP_LENGTH = 200
MOST_GROUPS = 100

settings.entry("people", "/settings/sign-in", lambda: _("Signing in"), "log-in", "manage_people")


@dataclass(frozen=True)
class Group:
    name: str = ""
    role: str = ""


@dataclass(frozen=True)
class RulesForm:
    """As the page sends it."""

    groups: tuple[Group, ...] = ()
    passwords: str = "everybody"  # or "one"
    local: str = ""
    version: str = "0"


@dataclass(frozen=True)
class Around:
    """What the page shows besides its form."""

    name: str
    issuer: str
    client: str
    back: str
    claim: str
    roles: list[tuple[int, str]] = field(default_factory=list)
    keepers: dict[int, str] = field(default_factory=dict)
    linked: bool = False  # whoever looks at it has come in that way


@get("/settings/sign-in", guards=[may("manage_people")])
async def show(request: Request[Any, Any, Any]) -> Response[str]:
    person = agent_of(request)
    return html(ui.page(person, await form_now(), await around(person), VARIABLES))


@put("/settings/sign-in", guards=[may("manage_people")], status_code=200)
async def save(request: Request[Any, Any, Any]) -> Response[str]:
    person, form = agent_of(request), await read(request)
    here = await around(person)
    if errors := problems_with(form, here):
        return html(ui.form(form, here, errors), status_code=422)
    try:
        async with db.transaction():
            await db.lock("sign in rules")
            await change(person, form)
            await admission.keep_somebody()
            db.after_commit(lambda: live.publish("desk", ways_in.SignInRulesChanged()))
    except settings.Outdated:
        rules = await ways_in.load()
        words = await settings.outdated(SignInRules, rules.id)
        form = replace(form, version=str(rules.version))
        return html(ui.form(form, here, {"form": words}), status_code=409)
    except admission.NobodyLeft:
        await ways_in.load()
        return html(ui.form(form, here, {"local": admission.nobody_left()}), status_code=422)
    await ways_in.load()
    return html(ui.form(await form_now(), await around(person), {}), settings.saved())


async def change(person: Person, form: RulesForm) -> None:
    """Within a transaction."""
    rules = await ways_in.load()
    if rules.version != settings.version(form.version):
        raise settings.Outdated
    local = int(form.local) if form.local else None
    new: dict[str, Any] = {"passwords": form.passwords != "one", "local_agent": local}
    before = [[name, role] for name, role in await single_sign_on.group_roles()]
    after = [[each.name, int(each.role)] for each in form.groups]
    if rules.id:
        more = {"groups": (before, after)} if before != after else {}
        await settings.change(person, SignInRules, rules.id, rules.version, new, more)
    else:
        id = await settings.make(person, SignInRules, new)
        if after:
            await settings.change(person, SignInRules, id, 1, {}, {"groups": (before, after)})
    if before != after:
        await GroupRole.delete(force=True)
        rows = [GroupRole(name=name, role=role, position=n) for n, (name, role) in enumerate(after)]
        if rows:
            await GroupRole.insert(*rows)


# ---- forms and facts -------------------------------------------------------------------------------------


async def read(request: Request[Any, Any, Any]) -> RulesForm:
    """A row in which nothing has been typed is none."""
    sent = await request.form()
    names = [settings.one_line(str(each)) for each in sent.getall("group", [])]
    roles = [str(each) for each in sent.getall("role", [])]
    groups = tuple(Group(name, role) for name, role in zip(names, roles, strict=False) if name)
    texts = {name: str(sent.get(name, "")) for name in ("passwords", "local", "version")}
    return RulesForm(groups, **texts)


async def form_now() -> RulesForm:
    rules = await ways_in.load()
    groups = tuple(Group(name, str(role)) for name, role in await single_sign_on.group_roles())
    return RulesForm(
        groups, "everybody" if rules.passwords else "one", str(rules.local or ""), str(rules.version)
    )


async def around(person: Person) -> Around:
    return Around(
        ways_in.provider(),
        installation.oidc_issuer,
        installation.oidc_client_id,
        provider.return_address(),
        installation.oidc_groups_claim,
        await people.roles(),
        await admission.keepers(),
        bool(installation.oidc_issuer) and await ways_in.is_linked(person.id),
    )


def problems_with(form: RulesForm, here: Around) -> dict[str, str]:
    errors: dict[str, str] = {}
    seen: set[str] = set()
    for at, each in enumerate(form.groups):
        if len(each.name) > GROUP_LENGTH:
            errors[f"group-{at}"] = settings.too_long(len(each.name), GROUP_LENGTH)
        elif each.name in seen:
            errors[f"group-{at}"] = _("This group is there already.")
        if each.role not in [str(id) for id, _title in here.roles]:
            errors[f"role-{at}"] = _("Choose a role.")
        seen.add(each.name)
    if len(form.groups) > MOST_GROUPS:
        errors["form"] = _("At most %(n)s groups fit.") % {"n": MOST_GROUPS}
    if form.local and form.local not in map(str, here.keepers):
        errors["local"] = _("Choose an account that has a password and may manage people.")
    if form.passwords == "one":
        errors |= problems_with_one(form, here)
    elif form.passwords != "everybody":
        errors["passwords"] = _("Choose one of these.")
    return errors


def problems_with_one(form: RulesForm, here: Around) -> dict[str, str]:
    if not here.issuer:
        return {"passwords": _("First set a provider: otherwise nobody could sign in.")}
    if not here.linked:
        words = _("First sign in with %(name)s yourself: then it is certain that it works.")
        return {"passwords": words % {"name": here.name}}
    if not form.local:
        return {"local": _("Choose an account that has a password and may manage people.")}
    return {}


routes = [show, save]

ui = template("""
{% from "components.html" import button, choice_field, icon_button, notice, remarks, select_field, icon %}
{% import "settings" as settings %}

{% macro page(person, form_, here, variables) %}
{% call settings.page(person, _("Signing in"), _("With the account that people have at your organisation already, or with a password of this desk."), "/settings/sign-in") %}
{% if here.issuer %}
<dl class="facts">
  <div><dt>{{ _("Provider") }}</dt><dd translate="no">{{ here.name }}</dd></div>
  <div><dt>{{ _("Its address") }}</dt><dd translate="no" class="breaks">{{ here.issuer }}</dd></div>
  <div><dt>{{ _("This desk is there") }}</dt><dd translate="no" class="breaks">{{ here.client }}</dd></div>
</dl>
{{ back(here) }}
{% if not here.linked %}
{% call notice("info", _("You have not signed in with %(name)s yet. Do it once, with the e-mail address that your account here has too.", name=here.name)) %}{{ button(_("Sign in with %(name)s", name=here.name), "secondary", attrs={"href": "/session/oidc?to=/settings/sign-in"}) }}{% endcall %}
{% endif %}
{% else %}
{{ notice("info", _("No provider has been set. Whoever runs this installation sets it, and then starts Balie again:")) }}
<ul class="stack" translate="no">{% for each in variables %}<li><code>{{ each }}</code></li>{% endfor %}</ul>
{{ back(here) }}
{% endif %}
{{ form(form_, here, {}) }}
{% endcall %}
{% endmacro %}

{% macro back(here) %}
<div class="field"><label for="return-address">{{ _("Return address, to enter at the provider") }}</label>
  <div class="with-button"><input class="input" id="return-address" readonly value="{{ here.back }}" translate="no">{{ button(_("Copy"), "secondary", "copy", attrs={"data-copy": "return-address", "data-copied": _("Copied")}) }}</div></div>
{% endmacro %}

{% macro form(rules, here, errors) %}
<form id="sign-in-rules" class="stack" method="dialog" data-guard hx-put="/settings/sign-in" hx-swap="outerHTML" novalidate>
  {{ settings.problem(errors.get("form")) }}
  <fieldset class="stack">
    <legend class="title">{{ _("Groups and roles") }}</legend>
    <p class="hint">{{ _("Whoever is in a group gets its role at each sign-in, and an account if there is none yet; the first group that fits counts. Whoever is in none of them is not let in. Without any group here, roles are given by hand.") }}</p>
    <div class="stack rows" id="groups">{% for each in rules.groups %}{{ group(loop.index0, each, here.roles, errors) }}{% endfor %}</div>
    <template id="groups-row">{{ group("new", none, here.roles, {}) }}</template>
    <div class="actions">{{ button(_("Add group"), "secondary", "plus", attrs={"data-add-row": "groups"}) }}</div>
    <p class="hint">{{ _("Names as the provider gives them, in its claim %(claim)s.", claim=here.claim) }}</p>
  </fieldset>
  {{ choice_field(_("Who may sign in with a password"), "passwords", [("everybody", _("Everybody who has one"), ""), ("one", _("One account only"), _("For when the provider does not answer. All others sign in with %(name)s.", name=here.name or _("the provider")))], rules.passwords, errors) }}
  {% set options = [("", _("None"))] %}{% for id, name in here.keepers.items() %}{{ options.append((id, name)) or "" }}{% endfor %}
  {{ select_field(_("The account that keeps its password"), "local", options, rules.local, errors, hint=_("May manage people; groups do not change its role. Keep its password in a safe place."), required=false) }}
  <p class="soft">{{ _("A second step is the provider’s to ask for: whoever signs in there is not asked for a code here.") }}</p>
  {{ settings.save_bar("/settings/people", rules.version) }}
</form>
{% endmacro %}

{% macro group(at, each, roles, errors) %}
{% set id = "group-" ~ at %}
{% set role = "role-" ~ at %}
<div data-row class="group-row" role="group" aria-label="{{ _("Group") }}">
  <div class="field">
    <label for="{{ id }}">{{ _("Group") }}</label>
    <input class="input" id="{{ id }}" name="group" value="{{ each.name if each else "" }}" autocomplete="off" spellcheck="false" translate="no"{% if id in errors %} aria-invalid="true" aria-describedby="{{ id }}-error"{% endif %}>
    {{ remarks(id, id, "", errors) }}
  </div>
  <div class="field">
    <label for="{{ role }}">{{ _("Role") }}</label>
    <div class="select">
      <select class="input" id="{{ role }}" name="role"{% if role in errors %} aria-invalid="true" aria-describedby="{{ role }}-error"{% endif %}>
        {% for value, words in roles %}<option value="{{ value }}"{% if each and value | string == each.role %} selected{% endif %}>{{ words }}</option>{% endfor %}
      </select>
      {{ icon("chevron-down") }}
    </div>
    {{ remarks(role, role, "", errors) }}
  </div>
  {{ icon_button("x", _("Remove group"), attrs={"data-remove-row": true}) }}
</div>
{% endmacro %}
""")  # noqa: E501
