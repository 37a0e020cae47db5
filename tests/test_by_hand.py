"""All that the example desk contains can be made by hand, from nothing, with the settings pages."""

import json
import re
from typing import Any

import pytest
from piccolo.columns import ForeignKey
from piccolo.table import Table
from selectolax.lexbor import LexborHTMLParser, LexborNode

import db
from db import example_desk
from db.tables import TABLES, Agent, Desk, Profile, Queue, Role, SigningKey, Widget
from features import demo
from features import desk as the_desk
from features.first_admin import first_admin_link
from tests.conftest import Desk as Running
from tests.people import PASSWORD, AgentClient, Person

# Of these tables a desk has rows by itself, or by being used.
NOT_MADE = {"step", "session", "audit", "turn", "one_time_link", "presence", "readiness", "sign_in_failure"}
# Chosen by the desk itself; or counts, and says nothing of what there is.
OWN = {"id", "version", "key", "green", "turned", "position"}
NAMES: dict[type[Table], str] = {Agent: "username"}

Contents = dict[str, list[str]]


async def contents() -> Contents:
    """What there is, by table: names in the place of ids, without times, keys and hashes."""
    names: dict[type[Table], dict[int, str]] = {}
    for table in TABLES:
        name = NAMES.get(table, "name")
        if name in [column._meta.name for column in table._meta.columns]:
            names[table] = {row["id"]: row[name] for row in await table.select()}
    return {
        table._meta.tablename: sorted([said(table, row, names) for row in await table.select()])
        for table in TABLES
        if table._meta.tablename not in NOT_MADE
    }


def said(table: type[Table], row: dict[str, Any], names: dict[type[Table], dict[int, str]]) -> str:
    kept = {}
    for column in table._meta.columns:
        name, value = column._meta.name, row[column._meta.name]
        if name in OWN or name.endswith("_at") or column._meta.secret:
            continue
        if isinstance(column, ForeignKey):
            value = names.get(column._foreign_key_meta.resolved_references, {}).get(value, value)
        kept[name] = sorted(json.loads(value)) if name == "languages" else tidy(value)
    return json.dumps(kept, ensure_ascii=False, sort_keys=True)


def tidy(value: Any) -> Any:
    """Words without what no one can see; JSON as what it says, in no particular order of languages."""
    if not isinstance(value, str):
        return value
    try:
        read = json.loads(value)
    except ValueError:
        return value.strip()
    if isinstance(read, dict):
        return {key: tidy(each) for key, each in read.items()}
    return read if isinstance(read, list) else value


@pytest.fixture
async def example(example_database: str) -> Contents:
    """With the key that its site signs with, which is made when it first runs."""
    await db.connect(example_database)
    try:
        row = await Widget.select(Widget.id).where(Widget.key == example_desk.WIDGET).first()
        assert row
        await SigningKey.insert(SigningKey(widget=row["id"], kid=demo.KID, algorithm="HS256", material="x"))
        return await contents()
    finally:
        await db.disconnect()


# ---- by hand ---------------------------------------------------------------------------------------------


class Hand:
    """An admin who opens a page, fills in its form, and sends it."""

    def __init__(self, person: Person) -> None:
        self.person = person

    async def form(self, path: str, selector: str = "form[data-guard]") -> LexborNode:
        shown = LexborHTMLParser((await self.person.must("GET", path)).text)
        token = shown.css_first("#csrf")
        if token:
            self.person.client.headers["X-CSRF-Token"] = token.attributes["content"] or ""
        found = shown.css_first(selector)
        assert found is not None, f"{path} has no {selector}"
        return found

    async def fill(
        self, path: str, given: dict[str, Any], selector: str = "form[data-guard]"
    ) -> LexborHTMLParser:
        """Each field by its name; a list where there are several, None for what is left unticked."""
        form = await self.form(path, selector)
        sent = fields(form)
        unknown = given.keys() - set(names_in(form))
        assert not unknown, f"{path} does not ask for {unknown}"
        sent.update(given)
        data = {name: value for name, value in sent.items() if value is not None}
        method, url = next(
            (name.removeprefix("hx-").upper(), value)
            for name, value in form.attributes.items()
            if name in ("hx-post", "hx-put") and value
        )
        answer = await self.person.send(method, url, data)
        assert answer.is_success, f"{path}: {answer.text}"
        return LexborHTMLParser(answer.text)


def fields(form: LexborNode) -> dict[str, Any]:
    """What the form would send as it is."""
    sent: dict[str, Any] = {}
    for each in form.css("input[name], select[name], textarea[name]"):
        name, kind = each.attributes["name"] or "", each.attributes.get("type")
        if kind in ("checkbox", "radio") and "checked" not in each.attributes:
            continue
        if each.tag == "select":
            chosen = each.css_first("option[selected]") or each.css_first("option")
            value = (chosen.attributes.get("value") or "") if chosen else ""
        else:
            value = each.text() if each.tag == "textarea" else each.attributes.get("value") or ""
        sent.setdefault(name, []).append(value)
    return {name: value if len(value) > 1 else value[0] for name, value in sent.items()}


def names_in(form: LexborNode) -> list[str]:
    """Also of the rows that can be added to it."""
    return re.findall(r'\bname="([^"]+)"', form.html or "")


async def ids(table: type[Table]) -> dict[str, str]:
    rows = await table.select(*[table._meta.get_column_by_name(name) for name in ("id", "name")])
    return {row["name"]: str(row["id"]) for row in rows}


@pytest.fixture
async def hand(example: Contents, empty_desk: Running) -> Hand:
    """The first admin, who has come by the link; after the example desk has been looked at."""
    await example_desk.empty("Balie")
    await the_desk.load()
    path = await first_admin_link()
    person = empty_desk._come(AgentClient(empty_desk.url, "admin"))
    hand = Hand(person)
    given = {"username": "admin", "name": "Beheerder", "password": f"{PASSWORD}-lang"}
    await hand.fill(path or "", given, "form")
    return hand


async def test_the_example_desk_can_be_made_by_hand(
    example: Contents, hand: Hand, empty_desk: Running
) -> None:
    await make_the_desk(hand)
    await make_queues_and_hours(hand)
    await make_people(hand, empty_desk)
    await make_widgets(hand)
    await make_words(hand)
    made = await contents()
    for table, rows in example.items():
        assert made[table] == rows, table


async def make_the_desk(hand: Hand) -> None:
    await hand.fill("/settings/desk", {"name": "Gemeente Voorbeeld", "time_zone": "Europe/Brussels"})
    keys = [f"BE:{name}" for name in example_desk.HOLIDAYS]
    await hand.fill("/settings/days", {"holiday": keys}, "form[hx-put]")
    assert (await hand.person.send("DELETE", "/settings/start")).is_success


async def make_queues_and_hours(hand: Hand) -> None:
    for name in ("Algemeen", "Vergunningen"):
        await hand.fill("/settings/queues/new", {"name": name})
    queues = await ids(Queue)
    always = {"always": "yes", "keeps_holidays": None}
    await hand.fill(f"/settings/hours/{queues['Algemeen']}", always)
    week: dict[str, Any] = {"always": "no"}
    for day in example_desk.WEEKDAYS:
        week |= {f"opens-{day}": ["09:00", "13:00"], f"closes-{day}": ["12:00", "17:00"]}
    await hand.fill(f"/settings/hours/{queues['Vergunningen']}", week)


async def make_people(hand: Hand, desk: Running) -> None:
    queues = await ids(Queue)
    for name, places, served in example_desk.PROFILES:
        priorities = {f"queue-{queues[queue]}": str(priority) for queue, priority in served.items()}
        nowhere = {f"queue-{id}": "" for name, id in queues.items() if name not in served}
        await hand.fill(
            "/settings/profiles/new", {"name": name, "places": str(places)} | priorities | nowhere
        )
    profiles, roles = await ids(Profile), await ids(Role)
    for username, name, role, languages, theirs in example_desk.PEOPLE:
        if role == "admin":
            continue
        given = {
            "username": username,
            "name": name,
            "role": roles[role],
            "language": languages[0],
            "languages": list(languages),
            "profiles": [profiles[each] for each in theirs],
        }
        told = await hand.fill("/settings/people/new", given)
        link = told.css_first("#link-address")
        assert link is not None
        await Hand(desk.nobody()).fill(
            link.attributes["value"] or "", {"password": f"{PASSWORD}-lang"}, "form"
        )


async def make_widgets(hand: Hand) -> None:
    queues = await ids(Queue)
    everything = ["name", "email", "subject", "question"]
    for name, asked, served in (
        ("E-loket", everything, ["Algemeen", "Vergunningen"]),
        ("E-loket zonder formulier", [], ["Algemeen"]),
    ):
        rows: dict[str, Any] = {"subject": [""] * len(served), "queue": [queues[each] for each in served]}
        for code in example_desk.PRIVACY_TEXT:
            rows[f"label_{code}"] = [example_desk.LABELS[each][code] for each in served]
        await hand.fill("/settings/widgets/new", {"name": name, "asked": asked, **rows})
        texts: dict[str, str] = {}
        for code, notice in example_desk.PRIVACY.items():
            texts |= {f"privacy_{code}": notice["text"], f"address_{code}": notice["url"]}
            texts[f"card_{code}"] = example_desk.INFO_CARD[code]
        await hand.fill(f"/settings/widgets/{(await ids(Widget))[name]}/texts", texts)
    keys = f"/settings/widgets/{(await ids(Widget))['E-loket']}/keys"
    await hand.fill(keys, {"kid": demo.KID, "algorithm": "HS256"}, "form[hx-post]")


async def make_words(hand: Hand) -> None:
    queues = await ids(Queue)
    for language, shortcut, title, body, queue in example_desk.PRESETS:
        given = {"language": language, "shortcut": shortcut, "title": title, "body": body}
        await hand.fill("/settings/presets/new", given | {"queue": queues.get(queue or "", "")})
    for language, title, options, several, queue in example_desk.OFFERS:
        given = {"language": language, "title": title, "options": "\n".join(options)}
        given |= {"queue": queues.get(queue or "", "")} | ({"several": "yes"} if several else {})
        await hand.fill("/settings/offers/new", given)


async def test_the_first_desk_has_only_what_nobody_has_to_make(hand: Hand) -> None:
    made = {table for table, rows in (await contents()).items() if rows}
    assert made == {"desk", "role", "agent"}
    assert await Desk.count() == 1
