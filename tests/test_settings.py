"""The settings pages as such: who gets in, what stands in the navigation, how saving goes."""

import json

import pytest

import db
from db.tables import Audit, Queue
from features import audit
from tests import scenes
from tests.conftest import Desk
from tests.people import PASSWORD

pytestmark = pytest.mark.either

QUEUE = {
    "name": "Parkeren",
    "answer_s": "40",
    "grace_s": "60",
    "overdue_s": "5",
    "away_s": "10",
    "idle_minutes": "0",
}


async def test_who_is_not_signed_in_signs_in_and_comes_to_the_page_that_was_asked_for(desk: Desk) -> None:
    somebody = desk.nobody()
    answer = await somebody.get("/settings/queues")
    assert answer.status_code == 401
    somebody.screen.show(answer.text)
    to = somebody.screen.first("#sign-in [name=to]").attributes["value"]
    assert to == "/settings/queues"
    form = {"username": "admin", "password": PASSWORD, "to": to}
    assert (await somebody.post("/session", form)).headers["hx-redirect"] == "/settings/queues"


@pytest.mark.parametrize(
    "to", ["https://elders.example/", "//elders.example", "/settings/../elders", "/chats/1/ending"]
)
async def test_signing_in_leads_to_no_other_place(desk: Desk, to: str) -> None:
    form = {"username": "admin", "password": PASSWORD, "to": to}
    assert (await desk.nobody().post("/session", form)).headers["hx-redirect"] == "/console"


async def test_the_first_page_is_one_that_one_may_see(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    answer = await admin.get("/settings", follow_redirects=True)
    assert answer.status_code == 200
    admin.screen.show(answer.text)
    assert admin.screen.text(".settings-link[aria-current=page]") == admin.screen.text("h1")


async def test_an_agent_has_no_settings(desk: Desk) -> None:
    an = await desk.agent("an", "Loket")
    assert (await an.get("/settings")).status_code == 403
    assert (await an.get("/settings/queues")).status_code == 403
    assert not an.screen.has("a[href='/settings']")
    assert an.screen.has("a[href='/settings/me']"), "but an account"
    assert (await an.get("/settings/me")).status_code == 200


async def test_a_queue_is_made_and_waits_for_its_first_chat(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    assert (await admin.post("/settings/queues", QUEUE)).headers["hx-redirect"] == "/settings/queues"
    admin.screen.show((await admin.get("/settings/queues")).text)
    assert "Parkeren" in admin.screen.text("tbody")
    row = await Queue.select().where(Queue.name == "Parkeren").first()
    assert row
    assert (row["answer_s"], row["overdue_s"], row["away_s"], row["idle_minutes"]) == (40, 300, 600, 0)


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"name": "  "}, "name", "Geef een naam."),
        ({"name": "x" * 61}, "name", "61 tekens; er passen er hoogstens 60."),
        ({"name": "algemeen "}, "name", "Er is al een wachtrij met deze naam."),
        ({"answer_s": "9"}, "answer_s", "Een geheel getal van 10 tot 300."),
        ({"answer_s": "half"}, "answer_s", "Een geheel getal van 10 tot 300."),
        ({"away_s": ""}, "away_s", "Een geheel getal van 1 tot 120."),
        ({"overdue_s": "1.5"}, "overdue_s", "Een geheel getal van 1 tot 120."),
    ],
)
async def test_what_is_wrong_is_said_at_the_field_and_what_was_typed_stays(
    desk: Desk, changes: dict[str, str], field: str, words: str
) -> None:
    admin = await scenes.sign_in_admin(desk)
    admin.screen.show((await admin.get("/settings/queues/new")).text)
    answer = await admin.post("/settings/queues", QUEUE | changes)
    assert answer.status_code == 422
    admin.screen.show(answer.text)
    assert admin.screen.text(f"#{field}-error") == words
    assert admin.screen.first(f"#{field}").attributes["value"] == (QUEUE | changes)[field]
    assert await Queue.count() == 2


async def test_two_admins_do_not_undo_each_other_unseen(desk: Desk) -> None:
    first, second = await scenes.sign_in_admin(desk), await scenes.sign_in_admin(desk)
    path = f"/settings/queues/{await algemeen()}"
    for admin in (first, second):
        admin.screen.show((await admin.get(path)).text)
    version = first.screen.first("[name=version]").attributes["value"]
    mine = QUEUE | {"name": "Algemeen", "version": version}
    assert (await first.send("PUT", path, mine | {"answer_s": "45"})).status_code == 200
    late = await second.send("PUT", path, mine | {"answer_s": "50"})
    assert late.status_code == 409
    second.screen.show(late.text)
    assert "Beheerder heeft dit om 10:00 opgeslagen" in second.screen.text("[data-problem]")
    assert second.screen.first("#answer_s").attributes["value"] == "50", "what was typed stays"
    again = mine | {"answer_s": "50", "version": second.screen.first("[name=version]").attributes["value"]}
    assert (await second.send("PUT", path, again)).status_code == 200
    row = await Queue.select(Queue.answer_s).where(Queue.name == "Algemeen").first()
    assert row == {"answer_s": 50}


async def test_a_queue_that_is_used_stays_and_says_by_what(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    path = f"/settings/queues/{await algemeen()}"
    for answer in (await admin.get(path + "/deletion"), await admin.send("DELETE", path)):
        assert "Profiel Loket" in answer.text
        assert "Widget E-loket" in answer.text
    assert answer.status_code == 409
    assert await Queue.exists().where(Queue.name == "Algemeen")


async def test_a_queue_that_nothing_uses_goes(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    await admin.post("/settings/queues", QUEUE)
    row = await Queue.select(Queue.id).where(Queue.name == "Parkeren").first()
    assert row
    path = f"/settings/queues/{row['id']}"
    assert "De wachtrij Parkeren verwijderen?" in (await admin.get(path + "/deletion")).text
    assert (await admin.send("DELETE", path)).headers["hx-redirect"] == "/settings/queues"
    assert not await Queue.exists().where(Queue.name == "Parkeren")
    assert (await admin.get(path)).status_code == 404


# ---- the audit -------------------------------------------------------------------------------------------


async def test_each_change_is_written_down_with_what_it_was_before(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    queue = await algemeen()
    form = QUEUE | {"name": "Algemeen", "version": "1", "idle_minutes": "10"}
    await admin.send("PUT", f"/settings/queues/{queue}", form)
    await admin.send("PUT", f"/settings/queues/{queue}", form | {"version": "2"})
    (row,) = await Audit.select().where(Audit.about == f"queue:{queue}")
    assert row["what"] == "changed"
    assert json.loads(row["fields"]) == {"answer_s": [30, 40]}


@pytest.mark.parametrize(
    "tamper", ["UPDATE audit SET what = 'looked' WHERE id = 2", "DELETE FROM audit WHERE id = 2"]
)
async def test_a_row_that_was_changed_or_taken_out_shows(desk: Desk, tamper: str) -> None:
    admin = await scenes.sign_in_admin(desk)
    for name in ("Een", "Twee", "Drie"):
        await admin.post("/settings/queues", QUEUE | {"name": name})
    assert await audit.first_break() is None
    await db.sql(tamper)
    assert await audit.first_break() in (2, 3)


async def algemeen() -> int:
    row = await Queue.select(Queue.id).where(Queue.name == "Algemeen").first()
    assert row
    return int(row["id"])
