"""Signing out: conversations are handed over, or go back to the queue; or the agent finishes them first.

DELETE /session    with chats open the page asks first: for each, to whom
"""

from dataclasses import dataclass
from typing import Any

from litestar import Request, Response, delete
from litestar.params import FromQuery

import layouts
from features import access, invites, participations, routing, single_sign_on
from features.access import Person, agent_of, signed_in
from layouts import html, swap, template


@dataclass(frozen=True)
class Running:
    """A conversation that the agent is still in."""

    id: int
    visitor: str
    colleagues: str  # who stay in it, by name
    invited: str  # or who has been invited
    to: str = ""  # agent-… or queue-…; "" = back to the queue
    problem: str = ""

    @property
    def goes_on(self) -> bool:
        return bool(self.colleagues or self.invited)


@delete("/session", guards=[signed_in], status_code=200)
async def sign_out(request: Request[Any, Any, Any], anyway: FromQuery[bool] = False) -> Response[str]:
    """What has not been handed over goes on with the colleagues in it, or to the head of its queue."""
    person = agent_of(request)
    running = await running_with(person)
    if running and not anyway:
        return await ask(person, running)
    refused = await hand_over(person, running, request.query_params)
    if refused:
        return await ask(person, await running_with(person, refused), 422)
    next_page = await single_sign_on.after(person.session)
    await routing.logout(person.id)
    await access.close_session(person)
    answer = html(headers={"HX-Redirect": next_page})
    answer.set_cookie(access.cookie(""))
    return answer


async def ask(person: Person, running: list[Running], status_code: int = 409) -> Response[str]:
    """Nobody who is in one of them already is offered for it by the verb; here all are, once for all."""
    drawn = ui.still_open(running, await invites.lines(0, person.id), await invites.colleagues(0, person.id))
    return html(swap("#ask-body", drawn, "innerHTML"), status_code=status_code)


async def hand_over(person: Person, running: list[Running], wanted: Any) -> dict[int, tuple[str, str]]:
    """Those that could not be: to whom, and why not, in words."""
    refused = {}
    for one in running:
        to = wanted.get(f"to-{one.id}", "")
        target = invites.target_of(to)
        if not target or one.goes_on:
            continue
        code = await invites.transfer(person.id, one.id, **target, note="")
        if code:
            refused[one.id] = (to, await invites.words_for(code, target))
    return refused


async def running_with(person: Person, refused: dict[int, tuple[str, str]] | None = None) -> list[Running]:
    rows = await participations.visitors_of(person.id)
    chats = [chat for chat, _name in rows]
    agents = await participations.agents_in(chats)
    invited = await invites.invitations_in(chats, person.id)
    found = []
    for chat, visitor in rows:
        open_one = invited.get(chat)
        others = [name for name in agents.get(chat, []) if name != person.name]
        to, problem = (refused or {}).get(chat, ("", ""))
        waiting_for = open_one.to if open_one and not open_one.outcome else ""
        found.append(Running(chat, visitor, layouts.all_of(others), waiting_for, to, problem))
    return found


routes = [sign_out]

ui = template("""
{% from "components.html" import button, icon %}
{% import "invites" as invites %}

{% macro still_open(running, lines, people) %}
<form data-ask class="stack" id="signing-out" method="dialog" hx-delete="/session?anyway=true" hx-swap="none">
  <h2 class="title" id="ask-title">{{ _("You still have conversations") }}</h2>
  {% set loose = running | rejectattr("goes_on") | list %}
  {% if loose %}<p>{{ _("Finish them first, or choose who takes over. What you hand to nobody goes back to the head of its queue.") }}</p>
  {% else %}<p>{{ _("They go on without you.") }}</p>{% endif %}
  {% if loose | length > 1 %}
  <div class="hand-over all">
    <label for="hand-over-all">{{ _("All conversations") }}</label>
    {{ choice("hand-over-all", "", lines, people, "", attrs="data-for-all", first=_("Chosen one by one")) }}
  </div>
  {% endif %}
  <ul class="hand-overs">
    {% for one in running %}
    <li class="hand-over">
      {% if one.goes_on %}
      <span class="hand-over-name" translate="no">{{ one.visitor or _("Visitor") }}</span>
      <span class="soft">{% if one.colleagues %}{{ _("%(name)s stays", name=one.colleagues) }}{% else %}{{ _("%(name)s has been invited", name=one.invited) }}{% endif %}</span>
      {% else %}
      <label class="hand-over-name" for="to-{{ one.id }}" translate="no">{{ one.visitor or _("Visitor") }}</label>
      {{ choice("to-" ~ one.id, "to-" ~ one.id, lines, people, one.to, problem=one.problem) }}
      {% if one.problem %}<p class="field-error" id="to-{{ one.id }}-error" role="alert">{{ icon("circle-alert") }}<span>{{ one.problem }}</span></p>{% endif %}
      {% endif %}
    </li>
    {% endfor %}
  </ul>
  <div class="actions end">
    {{ button(_("Cancel"), attrs={"data-close-dialog": true, "autofocus": true}) }}
    {{ button(_("Hand over and sign out") if loose else _("Sign out"), "primary", type="submit") }}
  </div>
</form>
{% endmacro %}

{% macro choice(id, name, lines, people, chosen, attrs="", first="", problem="") %}
<div class="select">
  <select class="input" id="{{ id }}"{% if name %} name="{{ name }}"{% endif %} {{ attrs }}{% if problem %} aria-invalid="true" aria-describedby="{{ id }}-error"{% endif %}>
    {% if first %}<option value="-">{{ first }}</option>{% endif %}
    <option value="">{{ _("Back to the queue") }}</option>
    {{ group(_("Queues"), lines, chosen) }}
    {{ group(_("Colleagues"), people, chosen) }}
  </select>
  {{ icon("chevron-down") }}
</div>
{% endmacro %}

{% macro group(words, ones, chosen) %}
{% set able = ones | selectattr("can_come") | list %}
{% if able %}
<optgroup label="{{ words }}">
  {% for one in able %}<option value="{{ one.value }}"{% if one.value == chosen %} selected{% endif %} translate="no">{{ one.name }}{% if one.state is defined and one.state == "full" %} ({{ _("full") }}){% endif %}</option>{% endfor %}
</optgroup>
{% endif %}
{% endmacro %}
""")  # noqa: E501
