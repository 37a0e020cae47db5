"""Register: all that is stored: what, why, how long, who sees it. Made from the schema and what is said here.

    GET /settings/privacy/register
    GET /settings/privacy/register/file    as CSV

A column that nothing is said of is a fault: `undocumented` names it, and a test fails.
"""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from litestar import Request, Response, get

from db.tables import TABLES
from features import settings
from features.access import agent_of, may
from layouts import _, html, template

settings.entry("privacy", "/settings/privacy/register", lambda: _("Register"), "list", "manage_privacy")

Words = Callable[[], str]


@dataclass(frozen=True)
class Purpose:
    why: Words
    how_long: Words
    who: Words


@dataclass(frozen=True)
class Line:
    """A column, or several of one kind."""

    table: str
    columns: str
    what: str
    why: str
    how_long: str
    who: str


KINDS: dict[str, Words] = {
    "person": lambda: _("who a visitor is"),
    "words": lambda: _("what people wrote or chose"),
    "file": lambda: _("a file, and what describes it"),
    "staff": lambda: _("who of the desk, and how they sign in"),
    "secret": lambda: _("a secret or a fingerprint that nobody can read"),
    "course": lambda: _("times, numbers and states"),
    "setting": lambda: _("a setting"),
    "link": lambda: _("which row, and which it belongs to"),
}


def of_its_queue() -> str:
    return _("as long as its queue keeps conversations or files, or is told to by a legal hold")


def until_deleted() -> str:
    return _("until an admin deletes it")


def for_good() -> str:
    return _("for as long as the desk exists")


def some_hours() -> str:
    return _("minutes to days, then it goes by itself")


def nobody() -> str:
    return _("nobody")


PURPOSES = {
    "setup": Purpose(
        lambda: _("to run the desk as it has been set up"),
        until_deleted,
        lambda: _("admins; visitors what is meant for them"),
    ),
    "staff": Purpose(
        lambda: _("to let the people of the desk sign in and work"),
        until_deleted,
        lambda: _("they themselves and whoever manages people; visitors the display name"),
    ),
    "door": Purpose(lambda: _("to know who is signed in, and to keep guessers out"), some_hours, nobody),
    "audit": Purpose(
        lambda: _("to show who changed or looked at what"), for_good, lambda: _("whoever may read the audit")
    ),
    "talk": Purpose(
        lambda: _("to hold the conversation, and to show later what was said"),
        of_its_queue,
        lambda: _("its visitor, its agents and whoever may read the log"),
    ),
    "private": Purpose(
        lambda: _("for colleagues to work together"),
        of_its_queue,
        lambda: _("agents and whoever may read the log; never the visitor"),
    ),
    "routing": Purpose(
        lambda: _("to bring a chat to the right agent, and to show why"),
        of_its_queue,
        lambda: _("agents and whoever may read the log; never the visitor"),
    ),
    "order": Purpose(
        lambda: _("to keep out who behaved badly, and to help who is in danger"),
        of_its_queue,
        lambda: _("its agents and whoever leads the desk; never the visitor"),
    ),
    "moment": Purpose(lambda: _("to know who is there now, and to stop abuse"), some_hours, nobody),
    "privacy": Purpose(
        lambda: _("to show that data goes in time"), for_good, lambda: _("whoever manages privacy")
    ),
}

# Table: its purpose, then its columns by kind; "id" is of kind link everywhere.
SAID: dict[str, tuple[str, dict[str, str]]] = {
    "desk": (
        "setup",
        {
            "setting": "name time_zone language dutch version guided block_days emergency_numbers"
            " accessibility_contact accessibility_body accessibility_on security_contact house_style numbers",
            "secret": "secret",
            "course": "alive_at",
        },
    ),
    "role": ("staff", {"setting": "name permissions second_factor version"}),
    "agent": (
        "staff",
        {
            "staff": "username name email language languages look active created_at version",
            "secret": "password_hash totp_secret totp_new totp_step",
            "link": "role",
        },
    ),
    "session": (
        "door",
        {
            "staff": "browser seen_at created_at expires_at issuer",
            "secret": "token_hash csrf",
            "link": "agent",
        },
    ),
    "recovery_code": ("staff", {"secret": "code_hash", "link": "agent"}),
    "provider_identity": ("staff", {"staff": "issuer subject linked_at", "link": "agent"}),
    "provider_visit": (
        "door",
        {"secret": "state_hash browser_hash address_hash nonce verifier", "course": "page expires_at"},
    ),
    "sign_in_rules": ("setup", {"setting": "passwords version", "link": "local_agent"}),
    "group_role": ("setup", {"setting": "name position", "link": "role"}),
    "sign_in_failure": ("door", {"secret": "who", "course": "failed_at"}),
    "one_time_link": ("door", {"course": "purpose expires_at", "secret": "token_hash", "link": "agent"}),
    "audit": ("audit", {"course": "at what about fields", "secret": "previous hash", "link": "agent"}),
    "queue": (
        "setup",
        {
            "setting": "name always_open answer_s grace_s overdue_s away_s idle_minutes version"
            " keeps_holidays last_intake_minutes closed_until_at closed_words",
            "course": "green closed_at turned",
            "link": "closed_by",
        },
    ),
    "opening_hours": ("setup", {"setting": "weekday opens_minute closes_minute", "link": "queue"}),
    "holiday": ("setup", {"setting": "calendar name"}),
    "special_day": ("setup", {"setting": "name first_day last_day blocks version", "link": "queue"}),
    "profile": ("setup", {"setting": "name places version"}),
    "profile_queue": ("setup", {"setting": "priority", "link": "profile queue"}),
    "agent_profile": ("setup", {"link": "agent profile"}),
    "readiness": ("staff", {"course": "ready reason gone_at here idle_since_at", "link": "agent profile"}),
    "widget": (
        "setup",
        {
            "setting": "key name language origins form privacy info_url info_card documents version"
            " colours button clear_bottom clear_right"
        },
    ),
    "signing_key": (
        "setup",
        {"setting": "kid algorithm created_at revoked_at used_at", "secret": "material", "link": "widget"},
    ),
    "subject": ("setup", {"setting": "label position", "link": "widget queue"}),
    "visitor": ("talk", {"secret": "token_hash", "course": "created_at", "link": "widget"}),
    "identity": (
        "talk",
        {"person": "sub name email variables site", "course": "verified_at", "link": "visitor widget"},
    ),
    "shown_token": ("moment", {"course": "jti expires_at", "link": "widget visitor"}),
    "chat": (
        "talk",
        {
            "person": "visitor_name visitor_email case_number language page_url",
            "secret": "address_hash",
            "course": "state ticket_at hold_until_at returned begun visitor_gone_at visitor_here"
            " alone_since_at outlook started_at ended_at ended_how seq visitor_got_seq"
            " visitor_read_seq unanswered_since_at silent_since_at idle_asked_at log_seq",
            "link": "visitor widget queue promised_to ended_by subject",
        },
    ),
    "device": ("talk", {"secret": "token_hash", "course": "added_at", "link": "chat"}),
    "token_check": ("moment", {"secret": "address_hash", "course": "checked_at"}),
    "turn": ("routing", {"course": "what turned_at", "link": "queue"}),
    "presence": ("moment", {"course": "key alive_until_at", "link": "agent chat"}),
    "start": ("moment", {"secret": "address_hash", "course": "started_at", "link": "chat"}),
    "message": (
        "talk",
        {
            "words": "body data",
            "person": "name author",
            "course": "seq key kind sent_at withdrawn_at numbers",
            "link": "chat agent",
        },
    ),
    "invite": (
        "routing",
        {
            "words": "note",
            "course": "opened_at expires_at outcome reason closed_at put_away",
            "link": "chat inviter agent queue",
        },
    ),
    "reservation": (
        "routing",
        {"course": "opened_at expires_at outcome closed_at kind", "link": "chat agent queue invite"},
    ),
    "participation": (
        "routing",
        {"course": "joined_at left_at left_how read_seq tab_open", "link": "chat agent queue"},
    ),
    "refusal": ("routing", {"course": "how refused_at", "link": "chat agent"}),
    "step": ("routing", {"course": "what data happened_at", "link": "chat agent"}),
    "preset": (
        "setup",
        {"setting": "title shortcut body language position version", "link": "queue profile"},
    ),
    "saved_offer": ("setup", {"setting": "title options several language position version", "link": "queue"}),
    "offer": (
        "talk",
        {
            "words": "title options several chosen",
            "course": "key offered_at chosen_at withdrawn_at",
            "link": "chat agent",
        },
    ),
    "private_thread": ("private", {"course": "seq log_seq", "link": "chat"}),
    "private_message": (
        "private",
        {"words": "body", "staff": "name", "course": "seq key after_seq sent_at", "link": "chat agent"},
    ),
    "rating": ("talk", {"words": "value remark", "course": "rated_at", "link": "chat"}),
    "mail": (
        "talk",
        {
            "person": "address language",
            "secret": "address_hash asked_by_hash",
            "course": "kind asked_at attempts next_attempt_at sent_at problem",
            "link": "chat agent",
        },
    ),
    "attachment": (
        "talk",
        {
            "file": "name sha256 media size width height thumbnail",
            "course": "key seq refused uploaded_at",
            "link": "chat agent",
        },
    ),
    "private_attachment": (
        "private",
        {
            "file": "name sha256 media size width height thumbnail",
            "course": "key seq refused uploaded_at",
            "link": "chat agent",
        },
    ),
    "retention": ("setup", {"setting": "text_days file_days version", "link": "queue"}),
    "legal_hold": ("privacy", {"words": "reason", "course": "held_at", "link": "chat agent"}),
    "block": (
        "order",
        {"words": "reason", "course": "blocked_at until_at lifted_at", "link": "chat agent lifted_by"},
    ),
    "emergency": (
        "order",
        {"course": "shown raised_at ended_at", "link": "chat agent hold ended_by"},
    ),
    "erasure": ("privacy", {"course": "code conversations files stayed erased_at wiped_at", "link": "agent"}),
}


def schema() -> dict[str, set[str]]:
    return {table._meta.tablename: {each._meta.name for each in table._meta.columns} for table in TABLES}


def documented() -> dict[str, set[str]]:
    return {
        table: {"id"} | {column for columns in kinds.values() for column in columns.split()}
        for table, (_purpose, kinds) in SAID.items()
    }


def undocumented() -> set[str]:
    """ "table.column" of what is stored and not said, or said and not stored."""
    stored, said = (
        {f"{table}.{each}" for table, columns in all.items() for each in columns}
        for all in (schema(), documented())
    )
    return stored ^ said


def lines() -> list[Line]:
    """In the viewer's language, in the order of the tables."""
    found = []
    for table in schema():
        if table not in SAID:
            continue
        name, kinds = SAID[table]
        purpose = PURPOSES[name]
        whole = {**kinds, "link": f"id {kinds.get('link', '')}".strip()}
        for kind, columns in whole.items():
            facts = (KINDS[kind](), purpose.why(), purpose.how_long(), purpose.who())
            found.append(Line(table, ", ".join(columns.split()), *facts))
    return found


@get("/settings/privacy/register", guards=[may("manage_privacy")])
async def show(request: Request[Any, Any, Any]) -> Response[str]:
    return html(ui.page(agent_of(request), lines()))


@get("/settings/privacy/register/file", guards=[may("manage_privacy")])
async def file() -> Response[str]:
    made = io.StringIO()
    writer = csv.writer(made, delimiter=";")
    writer.writerow([_("Table"), _("Columns"), _("What"), _("Why"), _("How long"), _("Who sees it")])
    writer.writerows(
        [each.table, each.columns, each.what, each.why, each.how_long, each.who] for each in lines()
    )
    headers = {"Content-Disposition": 'attachment; filename="balie-register.csv"'}
    return Response("\ufeff" + made.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


routes: list[Any] = [show, file]

ui = template("""
{% from "components.html" import button %}
{% import "settings" as settings %}

{% macro page(person, lines) %}
{% call settings.page(person, _("Register"), _("All that is stored: what, why, how long, and who sees it. Made from the database itself."), "/settings/privacy/register", wide=true) %}
<div class="actions">{{ button(_("Download as CSV"), "secondary", "download", attrs={"href": "/settings/privacy/register/file", "download": true}) }}</div>
<table class="cards-on-phone" aria-labelledby="page-title">
  <thead><tr><th scope="col">{{ _("Table") }}</th><th scope="col">{{ _("What") }}</th><th scope="col">{{ _("Why") }}</th><th scope="col">{{ _("How long") }}</th><th scope="col">{{ _("Who sees it") }}</th></tr></thead>
  <tbody>
    {% for each in lines %}
    <tr>
      <th scope="row" translate="no">{{ each.table }}</th>
      <td data-label="{{ _("What") }}"><div><p>{{ each.what }}</p><p class="soft small" translate="no">{{ each.columns }}</p></div></td>
      <td data-label="{{ _("Why") }}">{{ each.why }}</td>
      <td data-label="{{ _("How long") }}">{{ each.how_long }}</td>
      <td data-label="{{ _("Who sees it") }}">{{ each.who }}</td>
    </tr>
    {% endfor %}
  </tbody>
</table>
{% endcall %}
{% endmacro %}
""")  # noqa: E501
