"""Second factor: a code from an app, besides the password; and codes on paper for when the telephone is gone.

POST   /session/code                     the second step of signing in
POST   /session/second-factor            set up before one may go on: the role asks for it
GET    /settings/me/second-factor        begin to set it up
PUT    /settings/me/second-factor        confirmed by a first code
DELETE /settings/me/second-factor        no longer; asks for a code
POST   /settings/me/recovery-codes       new ones, in place of the old; asks for a code

TOTP (RFC 6238), as every app does it: six digits, 30 s, and a step of leeway to either side.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pyotp
import segno
from litestar import Request, Response, delete, get, post, put
from litestar.exceptions import NotFoundException
from markupsafe import Markup
from msgspec import Struct
from piccolo.columns import Column

import db
from db.clock import now
from db.tables import Agent, OneTimeLink, RecoveryCode
from features import access, audit, desk, signing_in, tries
from features.access import address_of, agent_of, public, signed_in
from features.signing_in import Entrance
from layouts import Form, _, html, swap, template

STEP_S = 30
LEEWAY = 1  # steps that a clock may be off
CODES = 10
PENDING_MINUTES = 10  # between the password and the code
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # none that look alike


@dataclass(frozen=True)
class State:
    on: bool
    required: bool  # by the role
    left: int  # recovery codes


async def state_of(agent: int) -> State:
    columns = Agent.totp_secret, Agent.role.second_factor.as_alias("required")
    row = await Agent.select(*columns).where(Agent.id == agent).first()
    if row is None:
        raise NotFoundException
    left = await RecoveryCode.count().where(RecoveryCode.agent == agent)
    return State(bool(row["totp_secret"]), row["required"], left)


# ---- signing in ------------------------------------------------------------------------------------------


class Step(Struct):
    code: str = ""
    pending: str = ""  # shows that the password has been given
    again_as: str = ""
    to: str = ""


async def ask(entrance: Entrance) -> Markup | None:
    state = await state_of(entrance.agent)
    if not (state.on or state.required):
        return None
    step = Step("", await leave_pending(entrance.agent), entrance.again_as, entrance.to)
    if state.on:
        return ui.code_form(step, {})
    return ui.demanded(step, await new_key(entrance.agent), {})


signing_in.second_steps.append(ask)


async def leave_pending(agent: int) -> str:
    token = secrets.token_urlsafe(32)
    async with db.transaction():
        await OneTimeLink.delete().where(OneTimeLink.expires_at < now())
        await OneTimeLink.insert(
            OneTimeLink(
                purpose="second_factor",
                agent=agent,
                token_hash=access.fingerprint(token),
                expires_at=now() + timedelta(minutes=PENDING_MINUTES),
            )
        )
    return token


async def pending(token: str) -> dict[str, Any] | None:
    """Who has given the password, if it was not long ago."""
    try:
        link = await access.open_link(token, "second_factor")
    except NotFoundException:
        return None
    columns = Agent.id, Agent.username, Agent.totp_secret
    return await Agent.select(*columns).where(Agent.id == link["agent"]).where(Agent.active.eq(True)).first()


async def no_longer_pending(token: str) -> bool:
    mine = OneTimeLink.token_hash == access.fingerprint(token)
    return bool(await OneTimeLink.delete().where(mine).returning(OneTimeLink.id))


@post("/session/code", guards=[public], status_code=200)
async def give_code(request: Request[Any, Any, Any], data: Form[Step]) -> Response[str]:
    access.refuse_other_sites(request)
    agent = await pending(data.pending)
    if agent is None or not agent["totp_secret"]:
        return too_late(data)
    wait, tried = await tries.count(agent["username"], address_of(request))
    if wait:
        return html(ui.code_form(data, {"code": tries.too_often(wait)}), status_code=429)
    if not await accepted(agent["id"], data.code):
        return html(ui.code_form(data, {"code": wrong_code()}), status_code=422)
    if not await no_longer_pending(data.pending):
        return too_late(data)
    await tries.forget(tried)
    return await signing_in.admit(request, Entrance(agent["id"], agent["username"], data.again_as, data.to))


@post("/session/second-factor", guards=[public], status_code=200)
async def set_up_now(request: Request[Any, Any, Any], data: Form[Step]) -> Response[str]:
    access.refuse_other_sites(request)
    agent = await pending(data.pending)
    if agent is None or agent["totp_secret"]:
        return too_late(data)
    wait, tried = await tries.count(agent["username"], address_of(request))
    if wait:
        key = await key_being_set_up(agent["id"])
        return html(ui.demanded(data, key, {"code": tries.too_often(wait)}), status_code=429)
    codes = await confirm(agent["id"], data.code)
    if codes is None:
        key = await key_being_set_up(agent["id"])
        return html(ui.demanded(data, key, {"code": wrong_code()}), status_code=422)
    await no_longer_pending(data.pending)
    await tries.forget(tried)
    entrance = Entrance(agent["id"], agent["username"], data.again_as, data.to)
    return await signing_in.admit(request, entrance, ui.done(codes, signing_in.landing(data.to)))


def too_late(data: Step) -> Response[str]:
    words = _("That took too long. Sign in again.")
    return html(
        signing_in.ui.sign_in_form(data.again_as, data.again_as, {"password": words}), status_code=422
    )


def wrong_code() -> str:
    return _("This code is not right, or it has been used already. Wait for the next one and try again.")


# ---- codes -----------------------------------------------------------------------------------------------


async def accepted(agent: int, code: str) -> bool:
    """Six digits of the app, or one of the codes on paper; either works once."""
    code = "".join(code.split()).replace("-", "").lower()
    if code.isdecimal():
        return await right_now(agent, code)
    mine = RecoveryCode.code_hash == hashed(agent, code)
    async with db.transaction():
        found = (
            await RecoveryCode.delete()
            .where(RecoveryCode.agent == agent)
            .where(mine)
            .returning(RecoveryCode.id)
        )
        if found:
            await audit.note(agent, "recovery_code_used", f"agent:{agent}")
    return bool(found)


async def right_now(agent: int, code: str) -> bool:
    row = await Agent.select(Agent.totp_secret).where(Agent.id == agent).first()
    step = matching_step(row["totp_secret"], code) if row else None
    return step is not None and await take_step(agent, step)


def matching_step(key: str, code: str) -> int | None:
    """At which step this is the key's code, among those that may be now."""
    current = int(now().timestamp()) // STEP_S
    for step in range(current - LEEWAY, current + LEEWAY + 1):
        if key and secrets.compare_digest(pyotp.TOTP(key).at(step * STEP_S), code):
            return step
    return None


async def take_step(agent: int, step: int) -> bool:
    """False: a code of this step, or of a later one, has been used."""
    taken: dict[Column | str, Any] = {Agent.totp_step: step}
    return bool(
        await Agent.update(taken).where(Agent.id == agent).where(Agent.totp_step < step).returning(Agent.id)
    )


def hashed(agent: int, code: str) -> str:
    return desk.keyed("recovery code", str(agent), code)


async def new_codes(agent: int) -> list[str]:
    """Within a transaction. To be shown once; only their fingerprints are kept."""
    codes = ["".join(secrets.choice(ALPHABET) for _place in range(12)) for _code in range(CODES)]
    await RecoveryCode.delete().where(RecoveryCode.agent == agent)
    await RecoveryCode.insert(*(RecoveryCode(agent=agent, code_hash=hashed(agent, code)) for code in codes))
    return ["-".join((code[:4], code[4:8], code[8:])) for code in codes]


# ---- setting it up ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Key:
    """What the app has to know, as text and as a picture: `path` draws its dark squares."""

    text: str
    size: int
    path: str


async def new_key(agent: int) -> Key:
    """It counts once a code of it has come back."""
    new: dict[Column | str, Any] = {Agent.totp_new: pyotp.random_base32()}
    await Agent.update(new).where(Agent.id == agent)
    return await key_being_set_up(agent)


async def key_being_set_up(agent: int) -> Key:
    row = await Agent.select(Agent.username, Agent.totp_new).where(Agent.id == agent).first()
    if row is None or not row["totp_new"]:
        raise NotFoundException
    totp = pyotp.TOTP(row["totp_new"])
    qr = segno.make_qr(totp.provisioning_uri(name=row["username"], issuer_name=f"Balie {desk.facts.name}"))
    dark = [
        f"M{x} {y}h1v1h-1z"
        for y, line in enumerate(qr.matrix_iter(border=2))
        for x, is_dark in enumerate(line)
        if is_dark
    ]
    text = row["totp_new"]
    spaced = " ".join(text[place : place + 4] for place in range(0, len(text), 4))
    return Key(spaced, int(qr.symbol_size(border=2)[0]), "".join(dark))


async def confirm(agent: int, code: str) -> list[str] | None:
    """The recovery codes, if this is a code of the key that is being set up; it is the person's from now
    on."""
    row = await Agent.select(Agent.totp_new).where(Agent.id == agent).first()
    step = matching_step(row["totp_new"], "".join(code.split())) if row else None
    if row is None or step is None:
        return None
    on: dict[Column | str, Any] = {
        Agent.totp_secret: row["totp_new"],
        Agent.totp_new: "",
        Agent.totp_step: step,
    }
    async with db.transaction():
        still = Agent.update(on).where(Agent.id == agent).where(Agent.totp_secret == "")
        if not await still.where(Agent.totp_new == row["totp_new"]).returning(Agent.id):
            return None
        await audit.note(agent, "second_factor_on", f"agent:{agent}")
        return await new_codes(agent)


async def take_away(agent: int, by: int) -> None:
    """Within a transaction: by the person, or by an admin who was told that the telephone is gone."""
    off: dict[Column | str, Any] = {Agent.totp_secret: "", Agent.totp_new: ""}
    await Agent.update(off).where(Agent.id == agent)
    await RecoveryCode.delete().where(RecoveryCode.agent == agent)
    await audit.note(by, "second_factor_off" if by == agent else "second_factor_reset", f"agent:{agent}")


class Code(Struct):
    code: str = ""


async def problem_with(person: access.Person, connection: Request[Any, Any, Any], code: str) -> str:
    """Whoever sits at an open page shows that they have the telephone."""
    wait, tried = await tries.count(person.username, address_of(connection))
    if wait:
        return tries.too_often(wait)
    if not await accepted(person.id, code):
        return wrong_code()
    await tries.forget(tried)
    return ""


@get("/settings/me/second-factor", guards=[signed_in])
async def begin(request: Request[Any, Any, Any]) -> Response[str]:
    person = agent_of(request)
    if (await state_of(person.id)).on:
        raise NotFoundException
    return html(swap("#second-factor", ui.setting_up(await new_key(person.id), {}), "outerHTML"))


@put("/settings/me/second-factor", guards=[signed_in], status_code=200)
async def finish(request: Request[Any, Any, Any], data: Form[Code]) -> Response[str]:
    person = agent_of(request)
    codes = await confirm(person.id, data.code)
    if codes is None:
        key = await key_being_set_up(person.id)
        form = ui.setting_up(key, {"code": wrong_code()})
        return html(swap("#second-factor", form, "outerHTML"), status_code=422)
    return html(swap("#second-factor", ui.on_now(codes), "outerHTML"))


@delete("/settings/me/second-factor", guards=[signed_in], status_code=200)
async def stop(request: Request[Any, Any, Any]) -> Response[str]:
    person = agent_of(request)
    state = await state_of(person.id)
    if not state.on:
        raise NotFoundException
    if state.required:
        problem = _("Your role asks for a second step: it cannot be switched off.")
    else:
        problem = await problem_with(person, request, request.query_params.get("code", ""))
    if problem:
        region = ui.region(state, {"code": problem})
        return html(swap("#second-factor", region, "outerHTML"), status_code=422)
    async with db.transaction():
        await take_away(person.id, person.id)
    return html(swap("#second-factor", ui.region(await state_of(person.id), {}), "outerHTML"))


@post("/settings/me/recovery-codes", guards=[signed_in], status_code=200)
async def renew_codes(request: Request[Any, Any, Any], data: Form[Code]) -> Response[str]:
    person = agent_of(request)
    state = await state_of(person.id)
    if not state.on:
        raise NotFoundException
    if problem := await problem_with(person, request, data.code):
        region = ui.region(state, {"code": problem})
        return html(swap("#second-factor", region, "outerHTML"), status_code=422)
    async with db.transaction():
        codes = await new_codes(person.id)
        await audit.note(person.id, "recovery_codes_made", f"agent:{person.id}")
    return html(swap("#second-factor", ui.on_now(codes), "outerHTML"))


routes = [give_code, set_up_now, begin, finish, stop, renew_codes]

ui = template("""
{% from "components.html" import button, field, icon, notice, status %}

{# In the place of the form that asked for the password. #}
{% macro code_form(step, errors) %}
<form id="sign-in" class="stack" method="dialog" hx-post="/session/code" hx-swap="outerHTML" hx-sync="this:drop" novalidate>
  {{ hidden(step) }}
  {{ code_field(_("Code"), errors, _("The six digits that your app shows, or one of your recovery codes."), autofocus=true) }}
  {{ button(_("Sign in"), "primary", type="submit", attrs={"class": "large fill"}) }}
</form>
{% endmacro %}

{% macro demanded(step, key, errors) %}
<form id="sign-in" class="stack" method="dialog" hx-post="/session/second-factor" hx-swap="outerHTML" hx-sync="this:drop" novalidate>
  {{ hidden(step) }}
  <p>{{ _("Your role asks for a second step when you sign in: a code from an app on your telephone. Set it up now.") }}</p>
  {{ key_to_scan(key) }}
  {{ code_field(_("Code that the app shows"), errors, "") }}
  {{ button(_("Set up and sign in"), "primary", type="submit", attrs={"class": "large fill"}) }}
</form>
{% endmacro %}

{% macro done(codes, to) %}
<div id="sign-in" class="stack">
  {{ recovery(codes) }}
  {{ button(_("I have kept them: go on"), "primary", attrs={"href": to, "class": "large fill"}) }}
</div>
{% endmacro %}

{% macro hidden(step) %}
<input type="hidden" name="pending" value="{{ step.pending }}">
{% if step.again_as %}<input type="hidden" name="again_as" value="{{ step.again_as }}">{% endif %}
{% if step.to %}<input type="hidden" name="to" value="{{ step.to }}">{% endif %}
{% endmacro %}

{% macro code_field(label, errors, hint, autofocus=false) %}
{{ field(label, "code", "", errors, hint=hint, autocomplete="one-time-code", attrs={"autocapitalize": "none", "spellcheck": "false", "autofocus": true if autofocus or errors else none}) }}
{% endmacro %}

{% macro key_to_scan(key) %}
<ol class="steps">
  <li>{{ _("Open an authenticator app on your telephone and scan this code.") }}
    <svg class="qr" role="img" aria-label="{{ _("QR code for the app") }}" viewBox="0 0 {{ key.size }} {{ key.size }}" shape-rendering="crispEdges"><path d="{{ key.path }}"/></svg>
    <p class="soft small">{{ _("Cannot scan it? Type this key in the app:") }} <code class="secret" id="totp-key" translate="no">{{ key.text }}</code></p></li>
  <li>{{ _("Type the six digits that the app then shows.") }}</li>
</ol>
{% endmacro %}

{# On one's own page. #}
{% macro region(state, errors) %}
<section class="stack settings-part" id="second-factor" aria-labelledby="second-factor-title">
  {{ head() }}
  {% if state.on %}
  {{ status("green", _("On")) }}
  <p class="soft">{{ ngettext("%(num)s recovery code left.", "%(num)s recovery codes left.", state.left) }}</p>
  {% if state.required %}<p class="soft">{{ _("Your role asks for it.") }}</p>{% endif %}
  <form class="stack" method="dialog" hx-post="/settings/me/recovery-codes" hx-swap="none" novalidate>
    {{ code_field(_("To change something here: a code of the app, or a recovery code"), errors, "") }}
    <div class="actions">
      {{ button(_("New recovery codes"), "secondary", "refresh-cw", type="submit") }}
      {% if not state.required %}{{ button(_("Switch off"), "secondary", attrs={"hx-delete": "/settings/me/second-factor", "hx-include": "closest form", "hx-swap": "none"}) }}{% endif %}
    </div>
  </form>
  {% else %}
  {{ status("grey", _("Off")) }}
  <div class="actions">{{ button(_("Set up"), "secondary", "lock", attrs={"hx-get": "/settings/me/second-factor", "hx-swap": "none"}) }}</div>
  {% endif %}
</section>
{% endmacro %}

{% macro head() %}
<h2 class="title" id="second-factor-title">{{ _("Second step when signing in") }}</h2>
<p class="soft">{{ _("Besides your password, a code from an app on your telephone: a stolen password alone then opens nothing.") }}</p>
{% endmacro %}

{% macro setting_up(key, errors) %}
<section class="stack settings-part" id="second-factor" aria-labelledby="second-factor-title">
  {{ head() }}
  <form class="stack" method="dialog" hx-put="/settings/me/second-factor" hx-swap="none" novalidate>
    {{ key_to_scan(key) }}
    {{ code_field(_("Code that the app shows"), errors, "", autofocus=true) }}
    <div class="actions">{{ button(_("Switch on"), "primary", type="submit") }}{{ button(_("Cancel"), "quiet", attrs={"href": "/settings/me"}) }}</div>
  </form>
</section>
{% endmacro %}

{% macro on_now(codes) %}
<section class="stack settings-part" id="second-factor" aria-labelledby="second-factor-title">
  {{ head() }}
  {{ status("green", _("On")) }}
  {{ recovery(codes) }}
  <div class="actions">{{ button(_("I have kept them"), "primary", attrs={"href": "/settings/me"}) }}{{ button(_("Copy"), "secondary", "copy", attrs={"data-copy": "recovery-codes", "data-copied": _("Copied")}) }}</div>
</section>
{% endmacro %}

{% macro recovery(codes) %}
{{ notice("warning", _("Keep these recovery codes somewhere safe, on paper for example. Each lets you in once when your telephone is gone. They are not shown again."), attrs={"role": "status"}) }}
<ul class="recovery-codes" id="recovery-codes" translate="no">{% for code in codes %}<li><code>{{ code }}</code></li>
{% endfor %}</ul>
{% endmacro %}
""")  # noqa: E501
