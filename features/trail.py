"""Trail: the audit's page: who changed what, who looked at what, when; and whether the chain is whole.

    GET  /settings/audit                 newest first, with filters
    POST /settings/audit/verification    reads every row and says so

`bin/balie verify-audit` does the same from the command line.
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from litestar import Request, Response, get, post
from msgspec import Struct, convert, structs

import db
import layouts
from db.tables import TABLES, Agent
from features import audit, finding, numbers, settings
from features.access import agent_of, may
from layouts import _, html, ngettext, swap, template

A_PAGE = 50
LONGEST = 300  # characters of a value
SECRET = {column._meta.name for table in TABLES for column in table._meta.columns if column._meta.secret}
PERSONAL = ("chat", "attachment", "private_attachment")  # told by their number
NAMED = {table._meta.tablename: table for table in TABLES}

settings.entry("privacy", "/settings/audit", lambda: _("Audit"), "eye", "read_audit")

DONE: dict[str, Callable[[], str]] = {
    "made": lambda: _("made"),
    "changed": lambda: _("made a change to"),
    "deleted": lambda: _("deleted"),
    "imported": lambda: _("imported"),
    "looked": lambda: _("looked at"),
    "searched": lambda: _("searched"),
    "exported": lambda: _("exported"),
    "refused": lambda: _("refused"),
    "linked": lambda: _("linked"),
    "unlinked": lambda: _("unlinked"),
    "took_over": lambda: _("took over"),
    "moved": lambda: _("moved"),
    "blocked": lambda: _("shut out the visitor of"),
    "lifted": lambda: _("lifted the block of"),
    "raised": lambda: _("raised an emergency in"),
    "took_back": lambda: _("took back the emergency in"),
    "revealed": lambda: _("had a hidden number shown in"),
}
THINGS: dict[str, Callable[[], str]] = {
    "desk": lambda: _("Desk"),
    "role": lambda: _("Role"),
    "agent": lambda: _("Member of staff"),
    "queue": lambda: _("Queue"),
    "profile": lambda: _("Profile"),
    "widget": lambda: _("Widget"),
    "subject": lambda: _("Subject"),
    "signing_key": lambda: _("Signing key"),
    "preset": lambda: _("Preset"),
    "saved_offer": lambda: _("Saved offer"),
    "chat": lambda: _("Conversation"),
    "attachment": lambda: _("Attachment"),
    "private_attachment": lambda: _("Private attachment"),
    "log": lambda: _("Log"),
    "audit": lambda: _("Audit"),
    "sign_in_rules": lambda: _("Signing in"),
    "provider": lambda: _("Sign-in of the organisation"),
}
FIELDS: dict[str, Callable[[], str]] = {
    "name": lambda: _("Name"),
    "title": lambda: _("Title"),
    "body": lambda: _("Text"),
    "language": lambda: _("Language"),
    "queue": lambda: _("Queue"),
    "profile": lambda: _("Profile"),
    "agent": lambda: _("Staff"),
    "words": lambda: _("Words"),
    "since": lambda: _("From"),
    "until": lambda: _("Up to and including"),
    "how": lambda: _("Ended"),
    "rating": lambda: _("Rating"),
    "private": lambda: _("With private messages"),
    "files": lambda: _("With attachments"),
    "person": lambda: _("Verified id or e-mail address"),
    "case": lambda: _("Case number"),
    "conversations": lambda: _("Conversations"),
    "format": lambda: _("Format"),
    "email": lambda: _("E-mail"),
    "username": lambda: _("User name"),
    "permissions": lambda: _("Permissions"),
    "role": lambda: _("Role"),
    "reason": lambda: _("Reason"),
    "groups": lambda: _("Groups"),
    "passwords": lambda: _("Passwords"),
    "position": lambda: _("Place"),
    "shortcut": lambda: _("Shortcut"),
    "options": lambda: _("Options"),
    "house_style": lambda: _("House style"),
    "look": lambda: _("Display"),
    "message": lambda: _("Message"),
    "numbers": lambda: _("Numbers"),
}


class Wish(Struct):
    agent: str = ""
    what: str = ""
    about: str = ""
    since: str = ""
    until: str = ""


@dataclass(frozen=True)
class Change:
    """Of one field. Without values: only that it was set, or that it was looked by."""

    field: str
    before: str = ""
    after: str = ""
    told: bool = True


@dataclass(frozen=True)
class Entry:
    id: int
    at: datetime
    who: str
    what: str
    thing: str
    path: str
    changes: tuple[Change, ...]


@get("/settings/audit", guards=[may("read_audit")])
async def index(request: Request[Any, Any, Any]) -> Response[str]:
    given = {name: request.query_params.get(name, "")[:100] for name in Wish.__struct_fields__}
    wish, before = convert(given, Wish), finding.number(request.query_params.get("before", ""))
    errors = finding.problems_with(finding.Wish(since=wish.since, until=wish.until))
    rows = [] if errors else await read(wish, before)
    shown = rows[:A_PAGE]
    older = query(wish, before=shown[-1]["id"]) if len(rows) > A_PAGE else ""
    told = await entries(shown)
    drawn = ui.page(agent_of(request), wish, errors, await choices(), told, query(wish), older, bool(before))
    return html(drawn, status_code=422 if errors else 200)


@post("/settings/audit/verification", guards=[may("read_audit")], status_code=200)
async def verify(request: Request[Any, Any, Any]) -> Response[str]:
    checked = await audit.check()
    return html(swap("#verified", ui.verified(checked.broken, said(checked)), "innerHTML"))


def said(checked: audit.Checked) -> str:
    if checked.broken is None:
        words = ngettext(
            "Chain checked: %(num)s line, in order", "Chain checked: %(num)s lines, in order", checked.rows
        )
        return words % {"num": layouts.number(checked.rows)}
    return _("The chain is broken at line %(id)s: it was changed, or one before it was taken out.") % {
        "id": layouts.number(checked.broken)
    }


async def read(wish: Wish, before: int) -> list[dict[str, Any]]:
    """One more than a page shows."""
    said: list[tuple[str, list[Any]]] = [("audit.id < {}", [before or finding.LARGEST])]
    if wish.agent == "desk":
        said.append(("audit.agent IS NULL", []))
    elif wish.agent:
        said.append(("audit.agent = {}", [finding.number(wish.agent)]))
    if wish.what:
        said.append(("audit.what = {}", [wish.what]))
    if wish.about:  # everything of one kind; ";" comes after ":"
        kind = "audit.about = {} OR (audit.about >= {} AND audit.about < {})"
        said.append((f"({kind})", [wish.about, f"{wish.about}:", f"{wish.about};"]))
    if since := finding.day(wish.since):
        said.append(("audit.at >= {}", [finding.midnight(since)]))
    if until := finding.day(wish.until):
        said.append(("audit.at < {}", [finding.midnight(finding.next_day(until))]))
    return await db.sql(
        "SELECT audit.id, audit.at, audit.what, audit.about, audit.fields, agent.name FROM audit"  # noqa: S608
        f" LEFT JOIN agent ON agent.id = audit.agent WHERE {' AND '.join(where for where, _given in said)}"
        " ORDER BY audit.id DESC LIMIT {}",
        *(value for _where, given in said for value in given),
        A_PAGE + 1,
    )


# ---- in words --------------------------------------------------------------------------------------------


async def entries(rows: Sequence[dict[str, Any]]) -> list[Entry]:
    names = await names_of({row["about"] for row in rows})
    return [
        Entry(
            row["id"],
            row["at"],
            row["name"] or _("The desk itself"),
            DONE[row["what"]]() if row["what"] in DONE else row["what"],
            thing(row["about"], names),
            f"/settings/log/{row['about'][5:]}" if row["about"].startswith("chat:") else "",
            tuple(changes(json.loads(row["fields"]))),
        )
        for row in rows
    ]


async def names_of(abouts: set[str]) -> dict[str, str]:
    """What they are called now, one query for each kind that has names."""
    wanted: dict[str, list[int]] = {}
    for about in abouts:
        kind, _sep, id = about.partition(":")
        if id.isdecimal() and kind in NAMED and kind not in PERSONAL:
            wanted.setdefault(kind, []).append(int(id))
    found: dict[str, str] = {}
    for kind, ids in wanted.items():
        columns = {column._meta.name for column in NAMED[kind]._meta.columns}
        if called := next((name for name in ("name", "title") if name in columns), ""):
            rows = await db.sql(
                f"SELECT id, {called} AS name FROM {kind} WHERE id IN ({', '.join(map(str, ids))})"  # noqa: S608
            )
            found |= {f"{kind}:{row['id']}": row["name"] for row in rows}
    return found


def thing(about: str, names: Mapping[str, str]) -> str:
    kind, _sep, id = about.partition(":")
    called = THINGS[kind]() if kind in THINGS else kind.replace("_", " ")
    return " ".join(filter(None, (called, names.get(about) or id)))


def changes(fields: Mapping[str, Any]) -> Iterator[Change]:
    for name, values in sorted(fields.items()):
        called = FIELDS[name]() if name in FIELDS else name.replace("_", " ")
        if isinstance(values, list) and len(values) == 2 and name not in SECRET:
            before, after = (in_full(each) if name == "numbers" else each for each in values)
            yield Change(called, shown(before), shown(after))
        else:
            yield Change(called, told=False)


def in_full(kinds: Any) -> Any:
    return numbers.called(kind for kind in str(kinds).split() if kind in numbers.NAMES) if kinds else kinds


def shown(value: Any) -> str:
    """As a person reads it; the beginning of what is long."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        with contextlib.suppress(ValueError):
            value = json.loads(value)
    match value:
        case None | "" | [] | {}:
            return "–"
        case True:
            return _("yes")
        case False:
            return _("no")
        case dict():
            text = ", ".join(f"{name}: {shown(each)}" for name, each in value.items())
        case list():
            text = ", ".join(shown(each) for each in value)
        case int():
            return layouts.number(value)
        case _:
            text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


# ---- the form --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Choices:
    agents: list[tuple[str, str]]
    done: list[tuple[str, str]]
    things: list[tuple[str, str]]


async def choices() -> Choices:
    rows = await Agent.select(Agent.id, Agent.name).order_by(Agent.name)
    people = [("", "–"), *((str(row["id"]), row["name"]) for row in rows), ("desk", _("The desk itself"))]
    return Choices(people, options(DONE), options(THINGS))


def options(words: Mapping[str, Callable[[], str]]) -> list[tuple[str, str]]:
    return [("", "–"), *sorted(((code, say()) for code, say in words.items()), key=lambda each: each[1])]


def query(wish: Wish, **more: Any) -> str:
    return urlencode({name: value for name, value in structs.asdict(wish).items() if value} | more)


routes: list[Any] = [index, verify]

ui = template("""
{% from "components.html" import button, empty, field, icon, notice, select_field %}
{% import "settings" as settings %}

{% macro page(person, wish, errors, choices, entries, newest, older, further) %}
{% call settings.page(person, _("Audit"), _("Who changed what, and who looked at what. Lines are only ever added; each holds a fingerprint of the one before it."), "/settings/audit", wide=true) %}
<div class="log-found">
  <div id="verified" role="status">{{ button(_("Check the chain"), "secondary", "refresh-cw", attrs={"hx-post": "/settings/audit/verification", "hx-swap": "none"}) }}</div>
</div>
<form class="log-search" method="get" action="/settings/audit" novalidate>
  <div class="log-grid">
    {{ select_field(_("Person"), "agent", choices.agents, wish.agent, required=false) }}
    {{ select_field(_("What was done"), "what", choices.done, wish.what, required=false) }}
    {{ select_field(_("To what"), "about", choices.things, wish.about, required=false) }}
    {{ field(_("From"), "since", wish.since, errors, type="date", required=false) }}
    {{ field(_("Up to and including"), "until", wish.until, errors, type="date", required=false) }}
    <div class="actions">{{ button(_("Apply filters"), "secondary", type="submit") }}{% if newest %}{{ button(_("Clear"), "quiet", attrs={"href": "/settings/audit"}) }}{% endif %}</div>
  </div>
</form>
{% if entries %}
<ol class="trail">{% for each in entries %}{{ entry(each) }}{% endfor %}</ol>
<nav class="actions" aria-label="{{ _("Pages") }}">
  {% if further %}{{ button(_("Newest"), "quiet", "arrow-left", attrs={"href": "/settings/audit?" ~ newest}) }}{% endif %}
  {% if older %}{{ button(_("Older lines"), "secondary", "arrow-right", attrs={"href": "/settings/audit?" ~ older}) }}{% endif %}
</nav>
{% elif not errors %}
{% call empty(_("Nothing here"), _("Each change of a setting and each look at a conversation appears here as a line."), "list") %}{% endcall %}
{% endif %}
{% endcall %}
{% endmacro %}

{% macro entry(each) %}
<li>
  <p><strong translate="no">{{ each.who }}</strong> {{ each.what }}: {% if each.path %}<a href="{{ each.path }}">{{ each.thing }}</a>{% else %}<span>{{ each.thing }}</span>{% endif %}
    <span class="soft small"><time datetime="{{ each.at.isoformat() }}">{{ each.at | short_day }} {{ each.at | clock_time }}</time> · {{ _("line %(n)s", n=each.id) }}</span></p>
  {% if each.changes %}
  <dl class="trail-changes">
    {% for change in each.changes %}
    <div><dt>{{ change.field }}</dt>{% if change.told %}<dd translate="no">{{ change.before }} → {{ change.after }}</dd>{% else %}<dd class="soft">{{ _("(not kept)") }}</dd>{% endif %}</div>
    {% endfor %}
  </dl>
  {% endif %}
</li>
{% endmacro %}

{% macro verified(broken, words) %}{{ notice("error" if broken else "success", words) }}{% endmacro %}
""")  # noqa: E501
