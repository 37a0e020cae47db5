"""Reports: the figures of a scripted day, worked out by hand; when and why buttons turned; the wall."""

import csv
import io
from datetime import datetime, timedelta

import pytest

from db.tables import Agent, Chat, Participation, Queue, Rating, Reservation, Role, Turn, Visitor, Widget
from features import figures, routing, turns
from tests import scenes
from tests.conftest import Clock, Desk
from tests.people import AgentClient

DAY = "2026-03-10"  # the Tuesday before: +01:00
PAGE = f"/settings/reports?period=own&since={DAY}&until={DAY}"
# Pressed at, queue, seconds until an answer (none: given up), by whom, seconds of talk, rating, how it ended.
SCRIPT = [
    ("09:00:00", "Algemeen", 10, "an", 300, 5, "by_visitor"),
    ("09:30:00", "Algemeen", 20, "bram", 600, 4, "by_agent"),
    ("09:59:59", "Algemeen", 30, "an", 60, None, "idle"),
    ("10:00:00", "Algemeen", 100, "an", 900, 1, "by_agent"),
    ("10:10:00", "Algemeen", None, "", 45, None, "by_visitor"),
    ("16:50:00", "Algemeen", None, "", 900, None, "closed"),
    ("09:05:00", "Vergunningen", 5, "bram", 120, None, "by_agent"),
]


async def scripted(day: str = DAY) -> None:
    widget = await Widget.select(Widget.id).first()
    assert widget
    queues = {row["name"]: row["id"] for row in await Queue.select(Queue.id, Queue.name)}
    agents = {row["username"]: row["id"] for row in await Agent.select(Agent.id, Agent.username)}
    for n, (at, queue, waits_s, agent, lasts_s, rating, how) in enumerate(SCRIPT):
        pressed = datetime.fromisoformat(f"{day}T{at}+01:00")
        answered = pressed + timedelta(seconds=waits_s or 0)
        ended = answered + timedelta(seconds=lasts_s)
        visitor = await Visitor.insert(Visitor(widget=widget["id"], token_hash=f"{day}-{n}"))
        row = Chat(visitor=visitor[0]["id"], widget=widget["id"], queue=queues[queue], state="ended")
        row.ticket_at, row.started_at, row.ended_at, row.ended_how = pressed, pressed, ended, how
        chat = (await Chat.insert(row))[0]["id"]
        if waits_s is not None:
            seat = Participation(chat=chat, agent=agents[agent], queue=queues[queue], joined_at=answered)
            seat.left_at, seat.left_how = ended, "ended"
            await Participation.insert(seat)
            asked = Reservation(chat=chat, agent=agents[agent], queue=queues[queue], opened_at=pressed)
            asked.expires_at, asked.outcome, asked.closed_at = answered, "accepted", answered
            await Reservation.insert(asked)
        if rating:
            await Rating.insert(Rating(chat=chat, value=rating, rated_at=ended))


async def refused(username: str, outcome: str) -> None:
    """On that day, of the first chat."""
    agent = await Agent.select(Agent.id).where(Agent.username == username).first()
    chat = await Chat.select(Chat.id, Chat.queue, Chat.ticket_at).order_by(Chat.id).first()
    assert agent
    assert chat
    asked = Reservation(chat=chat["id"], agent=agent["id"], queue=chat["queue"], opened_at=chat["ticket_at"])
    asked.expires_at = asked.closed_at = chat["ticket_at"]
    asked.outcome = outcome
    await Reservation.insert(asked)


async def looked(desk: Desk, path: str = PAGE, username: str = "eva") -> AgentClient:
    person = await desk.agent(username)
    person.screen.show((await person.must("GET", path)).text)
    return person


def shown(person: AgentClient) -> dict[str, str]:
    terms, values = person.screen.texts(".figures dt"), person.screen.texts(".figures .figure")
    return dict(zip(terms, values, strict=True))


# ---- the figures -----------------------------------------------------------------------------------------


async def test_the_figures_of_a_day_are_those_worked_out_by_hand(desk: Desk) -> None:
    await scripted()
    await refused("bram", "rejected")
    await refused("an", "no_answer")
    eva = await looked(desk)
    # Waited 5 10 20 30 100: median 20, and the fifth of five is within "9 of 10". Talked 60 120 300 600 900.
    assert shown(eva) == {
        "Chats": "7",
        "Beantwoord": "5",
        "Afgehaakt in de wachtrij": "1",
        "Niemand meer beschikbaar": "1",
        "Wachttijd, mediaan": "0:20",
        "Gespreksduur, mediaan": "5:00",
        "Afgewezen verzoeken": "1",
        "Niet beantwoorde verzoeken": "1",
        "Hoogste aantal plaatsen tegelijk": "2",  # for five seconds, from 9:05:05
        "Gemiddelde beoordeling": "3,3",
    }
    text = eva.screen.text(".figures")
    assert "9 op de 10 binnen 1:40" in text
    assert "9 op de 10 binnen 15:00" in text
    assert "van 7 verzoeken" in text
    assert "3 beoordelingen" in text


async def test_an_hour_is_that_of_the_clock_on_the_wall(desk: Desk) -> None:
    await scripted()
    eva = await looked(desk)
    rows = {r[0]: r[1:] for r in map(cells, eva.screen.css("#hours-table tbody tr"))}
    assert rows["09:00 – 10:00"][:2] == ["4", "0"], "a second before ten is nine"
    assert rows["10:00 – 11:00"][:2] == ["1", "1"]
    assert rows["16:00 – 17:00"][:2] == ["0", "1"]
    # Places: from nine to ten 300 + 600 + 120 seconds, from ten to eleven 29 s to 1:29 and 900.
    assert rows["09:00 – 10:00"][2] == "0,3"


def cells(row: object) -> list[str]:
    return [" ".join(cell.text().split()) for cell in row.css("th, td")]  # type: ignore[attr-defined]


async def test_one_queue_shows_its_own_and_nothing_else(desk: Desk) -> None:
    await scripted()
    queue = await Queue.select(Queue.id).where(Queue.name == "Vergunningen").first()
    assert queue
    eva = await looked(desk, f"{PAGE}&queue={queue['id']}")
    assert shown(eva)["Chats"] == "1"
    assert shown(eva)["Wachttijd, mediaan"] == "0:05"
    assert [cells(row)[0] for row in eva.screen.css("#minutes-table tbody tr")] == ["Vergunningen"]


async def test_other_days_do_not_count(desk: Desk) -> None:
    await scripted("2026-03-09")
    eva = await looked(desk)
    assert shown(eva)["Chats"] == "0"
    assert "Geen chats in deze periode" in eva.screen.text("#main")
    eva = await looked(desk, "/settings/reports?period=own&since=2026-03-09&until=2026-03-10")
    assert shown(eva)["Chats"] == "7"


@pytest.mark.parametrize(
    ("period", "chats"), [("today", "0"), ("yesterday", "7"), ("week", "7"), ("month", "0"), ("x", "0")]
)
async def test_a_period_has_its_days(desk: Desk, period: str, chats: str) -> None:
    await scripted()
    eva = await looked(desk, f"/settings/reports?period={period}")
    assert shown(eva)["Chats"] == chats


@pytest.mark.parametrize(
    ("since", "until", "field", "said"),
    [
        ("", "2026-03-10", "since", "Kies een dag."),
        ("2026-02-30", "2026-03-10", "since", "Kies een dag."),
        ("9999-12-31", "9999-12-31", "since", "Kies een dag."),
        ("2026-03-10", "x", "until", "Kies een dag."),
        ("2026-03-10", "2026-03-09", "until", "De laatste dag komt vóór de eerste."),
        ("2024-01-01", "2026-03-09", "until", "Hoogstens een jaar."),
    ],
)
async def test_days_that_are_wrong_are_said_and_kept(
    desk: Desk, since: str, until: str, field: str, said: str
) -> None:
    eva = await desk.agent("eva")
    answer = await eva.get(f"/settings/reports?period=own&since={since}&until={until}")
    assert answer.status_code == 422
    eva.screen.show(answer.text)
    assert eva.screen.text(f"#{field}-error") == said
    assert eva.screen.first("#until").attributes["value"] == until
    assert (await eva.get(f"/settings/reports/table?period=own&since={since}&until={until}")).is_error


async def test_the_table_that_is_taken_along_says_the_same(desk: Desk) -> None:
    await scripted()
    eva = await desk.agent("eva")
    answer = await eva.must("GET", PAGE.replace("reports?", "reports/table?"))
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=";"))
    assert [(row["Dag"], row["Wachtrij"], row["Chats"]) for row in rows] == [
        (DAY, "Algemeen", "6"),
        (DAY, "Vergunningen", "1"),
    ]
    assert rows[0]["Wachttijd, mediaan (s)"] == "25"  # between 20 and 30
    assert rows[0]["Gemiddelde beoordeling"] == "3,3"


async def test_figures_per_agent_need_a_permission_of_their_own(desk: Desk) -> None:
    await scripted()
    await refused("bram", "rejected")
    eva = await looked(desk)
    assert "Per medewerker" not in eva.screen.text("#main")
    assert "Bram" not in eva.screen.text("#main")
    path = PAGE.replace("reports?", "reports/agents?")
    assert (await eva.get(path)).status_code == 403
    role = await Role.select().where(Role.name == "supervisor").first()
    assert role
    more = role["permissions"].replace("]", ', "see_agent_reports"]')
    await Role.update({Role.permissions: more}).where(Role.id == role["id"])
    eva.screen.show((await eva.must("GET", PAGE)).text)
    rows = {r[0]: r[1:] for r in map(cells, eva.screen.css("[aria-labelledby=agents-title] tbody tr"))}
    assert rows == {"An": ["3", "0", "0", "5:00", "3,0"], "Bram": ["2", "1", "0", "6:00", "4,0"]}
    assert "Bram;2;1;0;360;1;4,0" in (await eva.must("GET", path)).text


@pytest.mark.parametrize(
    ("spans", "median", "ninety"),
    [([7], 7, 7), ([1, 3], 2, 3), (range(1, 11), 5.5, 9), (range(1, 102), 51, 91)],
)
def test_half_are_no_longer_than_the_median(spans: list[float], median: float, ninety: float) -> None:
    found = figures.times(reversed(list(spans)))
    assert (found.median, found.ninety) == (median, ninety)


# ---- green and blue --------------------------------------------------------------------------------------


async def turned(queue: str) -> list[str]:
    rows = await Turn.select(Turn.what).where(Turn.queue.name == queue).order_by(Turn.id)
    return [row["what"] for row in rows]


async def test_each_turn_of_a_button_is_kept_with_its_cause(desk: Desk, clock: Clock) -> None:
    assert await turned("Algemeen") == ["nobody"]
    an = await desk.agent("an", "Loket")
    assert (await turned("Algemeen"))[1:] == ["paused"]
    await an.ready()
    assert (await turned("Algemeen"))[2:] == ["green"]
    await an.pause()
    await an.ready()
    await an.sign_out()
    assert (await turned("Algemeen"))[3:] == ["paused", "green", "nobody"]
    await routing.settle()
    assert len(await turned("Algemeen")) == 6, "what stays as it is, is not written again"


async def test_all_places_taken_is_a_cause_of_its_own(desk: Desk) -> None:
    an = await scenes.at_work(desk, places=1)
    await desk.visitor().begin()
    await scenes.taken(an)
    assert (await turned("Algemeen"))[-1] == "full"


async def test_a_queue_that_closes_is_blue_for_that(desk: Desk, clock: Clock) -> None:
    await scenes.at_work(desk)
    assert (await turned("Vergunningen"))[-1] == "green"
    clock.start_at("2026-03-11T22:00:00+01:00")
    await routing.settle()
    assert (await turned("Vergunningen"))[-1] == "closed"
    assert (await turned("Algemeen"))[-1] != "closed", "it is always open"


async def test_the_minutes_add_up_to_the_day_so_far(desk: Desk, clock: Clock) -> None:
    at = datetime.fromisoformat(f"{DAY}T12:00:00+01:00")
    queue = await Queue.select(Queue.id).where(Queue.name == "Algemeen").first()
    assert queue
    await Turn.delete(force=True)
    for what, after_minutes in (("closed", -1000), ("green", 0), ("full", 90), ("green", 100), ("down", 700)):
        moment = at + timedelta(minutes=after_minutes)
        await Turn.insert(Turn(queue=queue["id"], what=what, turned_at=moment))
    eva = await looked(desk)
    rows = {r[0]: r[1:] for r in map(cells, eva.screen.css("#minutes-table tbody tr"))}
    # closed from midnight to noon; green 90 + 600 minutes; full 10; down the last 20 of the day
    assert rows["Algemeen"] == ["11:30", "0:10", "0:00", "0:00", "12:00", "0:20"]
    assert rows["Vergunningen"] == ["0:00"] * 6, "nothing is known of it"


async def test_a_stop_of_the_server_is_no_green(desk: Desk, clock: Clock) -> None:
    await scenes.at_work(desk)
    before = clock.now()
    await turns.were_down(before + timedelta(minutes=10), before + timedelta(minutes=15))
    await turns.were_down(before + timedelta(minutes=20), before + timedelta(minutes=20, seconds=59))
    assert (await turned("Algemeen"))[-3:] == ["green", "down", "green"]


# ---- the wall --------------------------------------------------------------------------------------------


async def test_the_wall_shows_every_queue_as_it_is(desk: Desk, clock: Clock) -> None:
    an = await scenes.at_work(desk, places=2)
    await desk.visitor().begin()
    await scenes.taken(an)
    await desk.visitor().begin()
    eva = await looked(desk, "/settings/wallboard")
    rows = {r[0]: r[1:] for r in map(cells, eva.screen.css("#board tbody tr"))}
    assert rows["Algemeen"][1:] == ["1", "0:00", "1", "1", "0"], "one talks, one is asked: no place is free"
    assert rows["Vergunningen"][1:] == ["0", "–", "0", "1", "0"], "the same agent"
    await an.pause()
    clock.shift(75)
    eva.screen.show((await eva.must("GET", "/settings/wallboard/now")).text)
    rows = {r[0]: r[1:] for r in map(cells, eva.screen.css("#board tbody tr"))}
    assert rows["Algemeen"] == ["Blauw: niemand beschikbaar", "1", "1:15", "1", "0", "0"]
