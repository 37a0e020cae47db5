"""The log's filters: what each lets through and what it keeps back, on both databases; page after page."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from db import tables
from features import finding, searching
from features.finding import Wish
from tests.conftest import Clock
from tests.room import made


@dataclass
class Kept:
    """Conversations in the log, by the letter of what is special about each."""

    clock: Clock
    queues: list[int]
    agents: list[int]
    widget: int
    ids: dict[str, int]

    async def chat(self, letter: str, text: str = "Goeiedag", **more: Any) -> int:
        visitor = await made(tables.Visitor(widget=self.widget, token_hash=letter))
        row: dict[str, Any] = {"queue": self.queues[0], "state": "ended", "begun": True, "seq": 1}
        row |= {"ended_how": "by_visitor", "started_at": self.clock.now(), "ended_at": self.clock.now()}
        chat = await made(tables.Chat(visitor=visitor, widget=self.widget, **(row | more)))
        message = tables.Message(chat=chat, seq=1, key=f"key-{letter:>08}", author="visitor", body=text)
        await made(message)
        self.ids[letter] = chat
        return chat

    async def found(self, **wish: str) -> str:
        page = await finding.listed(finding.tidy(Wish(**wish)))
        letters = {id: letter for letter, id in self.ids.items()}
        found = "".join(letters[row.id] for row in page.rows)
        assert page.count == len(found)
        return found


@pytest.fixture
async def kept(connected: str, clock: Clock) -> Kept:
    """Seven conversations, of which "b" to "f" each have something of their own."""
    role, widget = await made(tables.Role(name="agent")), await made(tables.Widget(key="k"))
    queues = [await made(tables.Queue(name=name)) for name in ("Algemeen", "Vergunningen")]
    agents = [await made(tables.Agent(username=name, name=name, role=role)) for name in ("an", "bram")]
    log = Kept(clock, queues, agents, widget, {})
    moment = clock.now()
    await log.chat("a", started_at=moment - timedelta(days=40))
    b = await log.chat("b", "Mijn caravan", queue=queues[1], language="fr", ended_how="idle")
    await made(
        tables.Participation(chat=b, agent=agents[1], queue=queues[1], left_at=moment, left_how="ended")
    )
    c = await log.chat("c", case_number="DOS-2026/17", visitor_name="Zoë")
    await made(tables.PrivateThread(chat=c, seq=1))
    await made(
        tables.PrivateMessage(chat=c, seq=1, key="key-c-000", after_seq=1, agent=agents[0], body="geheim")
    )
    d = await log.chat("d", state="waiting", ended_at=None, ended_how="", visitor_email="Fatima@example.be")
    file = tables.Attachment(chat=d, key="key-d-000", seq=1, name="plan.pdf", sha256="x")
    await made(file)
    e = await log.chat("e", begun=False)
    row = await tables.Chat.select(tables.Chat.visitor).where(tables.Chat.id == e).first()
    assert row
    known = tables.Identity(visitor=row["visitor"], widget=widget, sub="Burger-7", email="jan@example.be")
    known.name, known.site, known.variables = "Jan", "Voorbeeld", json.dumps({"Rol": "penningmeester"})
    await made(known)
    f = await log.chat("f")
    await made(tables.Rating(chat=f, value=2, remark="te traag"))
    g = await log.chat("g")
    await made(tables.Rating(chat=g, value=5))
    await log.chat("-", state="forming", started_at=None, ended_at=None)  # fills in the form: not in the log
    unsent = tables.Attachment(chat=g, key="key-g-000", name="niet-verzonden.pdf", sha256="y")
    await made(unsent)
    await searching.catch_up()
    return log


WISHES: list[tuple[Callable[[Kept], dict[str, str]], str]] = [
    (lambda log: {}, "gfedcba"),
    (lambda log: {"queue": str(log.queues[1])}, "b"),
    (lambda log: {"queue": "999"}, ""),
    (lambda log: {"queue": "1 OR 1=1"}, ""),
    (lambda log: {"agent": str(log.agents[1])}, "b"),
    (lambda log: {"agent": str(log.agents[0])}, ""),
    (lambda log: {"language": "fr"}, "b"),
    (lambda log: {"how": "idle"}, "b"),
    (lambda log: {"how": "running"}, "d"),
    (lambda log: {"how": "unanswered"}, "e"),
    (lambda log: {"how": "by_visitor"}, "gfca"),
    (lambda log: {"rating": "any"}, "gf"),
    (lambda log: {"rating": "low"}, "f"),
    (lambda log: {"rating": "remark"}, "f"),
    (lambda log: {"rating": "none"}, "edcba"),
    (lambda log: {"private": "yes"}, "c"),
    (lambda log: {"files": "yes"}, "d"),
    (lambda log: {"person": "burger-7"}, "e"),
    (lambda log: {"person": "JAN@example.be"}, "e"),
    (lambda log: {"person": "fatima@EXAMPLE.be"}, "d"),
    (lambda log: {"person": "fatima"}, ""),
    (lambda log: {"case": "dos 2026 17"}, "c"),
    (lambda log: {"case": "dos 2026 1"}, ""),
    (lambda log: {"words": "caravan"}, "b"),
    (lambda log: {"words": "geheim"}, "c"),
    (lambda log: {"words": "ZOE"}, "c"),
    (lambda log: {"words": "plan pdf"}, "d"),
    (lambda log: {"words": "niet verzonden"}, ""),
    (lambda log: {"words": "penningmeester"}, "e"),
    (lambda log: {"words": "traag"}, "f"),
    (lambda log: {"words": "?!"}, ""),
    (lambda log: {"words": "goeiedag", "private": "yes"}, "c"),
    (lambda log: {"words": "caravan", "private": "yes"}, ""),
    (lambda log: {"since": "2026-03-11"}, "gfedcb"),
    (lambda log: {"until": "2026-03-10"}, "a"),
    (lambda log: {"since": "2026-01-30", "until": "2026-01-30"}, "a"),
    (lambda log: {"since": "2026-01-31", "until": "2026-03-10"}, ""),
]


async def test_each_filter_lets_through_what_it_should_and_nothing_else(kept: Kept) -> None:
    wrong = []
    for wish, expected in WISHES:
        if (found := await kept.found(**wish(kept))) != expected:
            wrong.append((wish(kept), found, expected))
    assert not wrong


async def test_a_day_is_the_desks_own(kept: Kept) -> None:
    """Half past midnight in Brussels is still the day before in UTC."""
    await kept.chat("n", started_at=datetime.fromisoformat("2026-03-01T23:30:00+00:00"))
    assert await kept.found(since="2026-03-02", until="2026-03-02") == "n"
    assert await kept.found(since="2026-03-01", until="2026-03-01") == ""


async def test_page_after_page_nothing_twice_and_nothing_missed(kept: Kept) -> None:
    for at in range(60):
        await kept.chat(f"{at:02}", "bladeren")
    await searching.catch_up()
    seen: list[int] = []
    wish = Wish(words="bladeren")
    page = await finding.listed(wish)
    assert page.count == 60
    while page.older:
        seen += [row.id for row in page.rows]
        await kept.chat(f"while {len(seen)} were read", "bladeren")  # a new one shifts nothing
        await searching.catch_up()
        page = await finding.listed(wish, page.older)
    seen += [row.id for row in page.rows]
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == 60


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"since": "gisteren"}, "since"),
        ({"until": "2026-02-30"}, "until"),
        ({"since": "2026-03-02", "until": "2026-03-01"}, "until"),
    ],
)
def test_a_day_that_is_none_is_named(wish: dict[str, str], field: str) -> None:
    assert list(finding.problems_with(Wish(**wish))) == [field]
