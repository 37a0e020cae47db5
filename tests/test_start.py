"""The first steps of a new desk, over HTTP: from nothing to a green button."""

import re

import pytest
from selectolax.lexbor import LexborHTMLParser, LexborNode

from db import example_desk
from db.tables import Agent, Desk, Holiday, OpeningHours, Profile, Queue, Role, Subject, Widget
from features import desk as the_desk
from features.first_admin import first_admin_link
from tests.conftest import Desk as Running
from tests.people import PASSWORD, AgentClient
from tests.scenes import sign_in_admin

LONG = "een-lang-wachtwoord"
QUEUE = {"desk": "Stad Ergens", "language": "fr", "name": "Onthaal"}
HOURS = {"how": "weekdays", "opens": "09:00", "closes": "17:00", "time_zone": "Europe/Brussels"}


@pytest.fixture
async def admin(empty_desk: Running) -> AgentClient:
    """Just made by the link that works once."""
    await example_desk.empty("Balie")
    await the_desk.load()
    path = await first_admin_link()
    assert path
    mia = empty_desk._come(AgentClient(empty_desk.url, "mia"))
    made = await mia.post(path, {"username": "mia", "name": "Mia", "password": LONG})
    assert made.headers["HX-Redirect"] == "/settings"
    await mia.get("/settings/start")
    csrf = await page(mia)
    mia.client.headers["X-CSRF-Token"] = one(csrf, "#csrf").attributes["content"] or ""
    return mia


async def page(who: AgentClient, step: str = "") -> LexborHTMLParser:
    return LexborHTMLParser((await who.must("GET", f"/settings/start?step={step}")).text)


def one(shown: LexborHTMLParser, selector: str) -> LexborNode:
    found = shown.css_first(selector)
    assert found is not None, selector
    return found


def hidden(shown: LexborHTMLParser) -> dict[str, str]:
    return {
        each.attributes["name"] or "": each.attributes["value"] or "" for each in shown.css("[type=hidden]")
    }


def done(shown: LexborHTMLParser) -> list[int]:
    return [
        at
        for at, each in enumerate(shown.css(".start-step"), 1)
        if "done" in (each.attributes["class"] or "")
    ]


async def walk(mia: AgentClient, upto: int) -> None:
    if upto >= 1:
        await mia.must("POST", "/settings/start/queue", QUEUE | hidden(await page(mia)))
    if upto >= 2:
        form = HOURS | {"holidays": "BE"} | hidden(await page(mia))
        await mia.must("PUT", "/settings/start/hours", form)
    if upto >= 3:
        await mia.must("POST", "/settings/start/agent", {"who": "me"})
    if upto >= 4:
        await mia.must("POST", "/settings/start/widget", {"name": "Stad", "origin": "https://stad.example"})


async def test_a_new_admin_lands_on_the_first_step(admin: AgentClient) -> None:
    answer = await admin.get("/settings", follow_redirects=False)
    assert answer.headers["location"] == "/settings/start"
    shown = await page(admin)
    assert "Stap 1 van 5" in one(shown, "#step-title").text()
    assert one(shown, "#name").attributes["value"] == "Algemeen"
    assert done(shown) == []


async def test_five_steps_lead_to_a_green_button(admin: AgentClient) -> None:
    await walk(admin, 4)
    (queue,) = await Queue.select(Queue.name, Queue.green)
    assert queue == {"name": "Onthaal", "green": False}
    hours = await OpeningHours.select(OpeningHours.weekday, OpeningHours.opens_minute)
    assert [(row["weekday"], row["opens_minute"]) for row in hours] == [(day, 540) for day in range(5)]
    assert {"Christmas Day", "National Day"} < {row["name"] for row in await Holiday.select()}
    assert (await Desk.select(Desk.name, Desk.language)) == [{"name": "Stad Ergens", "language": "fr"}]
    (widget,) = await Widget.select(Widget.origins, Widget.language, Widget.form)
    assert widget["origins"] == '["https://stad.example"]'
    assert "subject" not in widget["form"], "there is nothing to choose"
    assert await Subject.count() == 1

    shown = await page(admin)
    assert done(shown) == [1, 2, 3, 4]
    assert "De knop is blauw" in one(shown, "#state").text()
    assert "Open de console" in one(shown, "#state").text()
    snippet = one(shown, "#snippet").text()
    assert re.search(r'<script async src="http[^"]+/embed.js" data-widget="[a-z0-9]{10}"></script>', snippet)

    await admin.open()
    await admin.choose_profile("Onthaal")
    async with admin.stream():
        assert "nog niet beschikbaar" in (await admin.get("/settings/start/state")).text
        await admin.ready()
        state = (await admin.get("/settings/start/state")).text
        assert "De knop is groen" in state
        assert done(LexborHTMLParser(state)) == [1, 2, 3, 4, 5]


async def test_what_is_lacking_for_green_is_said(admin: AgentClient, clock: object) -> None:
    await walk(admin, 4)
    await OpeningHours.update({OpeningHours.weekday: 6}, force=True)
    state = LexborHTMLParser((await admin.get("/settings/start/state")).text)
    assert "Gesloten: geen openingsuren op deze dag" in one(state, "#state").text()
    assert (one(state, "#state a").attributes["href"] or "").startswith("/settings/hours/")
    await OpeningHours.update({OpeningHours.weekday: 2}, force=True)
    await Profile.delete(force=True)
    assert "Nog niemand kan antwoorden" in (await admin.get("/settings/start/state")).text
    await Subject.delete(force=True)
    assert "nog geen onderwerp" in (await admin.get("/settings/start/state")).text


async def test_a_colleague_is_invited_by_a_link(admin: AgentClient, empty_desk: Running) -> None:
    await walk(admin, 2)
    wrong = await admin.post("/settings/start/agent", {"who": "other", "name": "Dirk", "username": "d!"})
    assert wrong.status_code == 422
    form = LexborHTMLParser(wrong.text)
    assert one(form, "#username").attributes["value"] == "d!"
    assert form.css_first("#username-error")
    assert one(form, "[value=other]").attributes.keys() >= {"checked"}
    answer = await admin.must(
        "POST", "/settings/start/agent", {"who": "other", "name": "Dirk", "username": "dirk"}
    )
    link = one(LexborHTMLParser(answer.text), "#link-address").attributes["value"]
    assert link
    assert (await empty_desk.nobody().get(link)).is_success
    assert done(await page(admin)) == [1, 2, 3]
    await walk_widget(admin)
    state = (await admin.get("/settings/start/state")).text
    assert "Dirk: uitgenodigd, maar nog zonder wachtwoord" in state
    (admins,) = await Agent.select(Agent.role.name).where(Agent.username == "mia")
    assert admins["role.name"] == "admin", "nobody else's permissions have changed"


async def walk_widget(mia: AgentClient) -> None:
    await mia.must("POST", "/settings/start/widget", {"name": "Stad"})


async def test_whoever_answers_keeps_what_the_role_may_and_may_chat(admin: AgentClient) -> None:
    await walk(admin, 1)
    refused = await admin.post("/settings/start/agent", {"who": ""})
    assert refused.status_code == 422
    assert await Role.count() == 3
    await walk(admin, 0)
    await admin.must("POST", "/settings/start/agent", {"who": "me"})
    (row,) = await Agent.select(Agent.role.name, Agent.role.permissions)
    assert row["role.name"] == "Beheerder en medewerker"
    assert '"chat"' in row["role.permissions"]
    assert '"manage_people"' in row["role.permissions"]
    await admin.must("POST", "/settings/start/agent", {"who": "me"})
    assert await Role.count() == 4
    assert await Profile.count() == 1


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"desk": ""}, "#desk-error"),
        ({"name": " "}, "#name-error"),
        ({"language": "es"}, "#language-error"),
    ],
)
async def test_what_is_wrong_is_said_in_its_place_and_kept(
    admin: AgentClient, form: dict[str, str], field: str
) -> None:
    answer = await admin.post("/settings/start/queue", QUEUE | hidden(await page(admin)) | form)
    assert answer.status_code == 422
    shown = LexborHTMLParser(answer.text)
    assert shown.css_first(field)
    if "desk" not in form:
        assert one(shown, "#desk").attributes["value"] == "Stad Ergens"
    assert await Queue.count() == 0


async def test_hours_that_cannot_be_are_refused(admin: AgentClient) -> None:
    await walk(admin, 1)
    form = hidden(await page(admin))
    for wrong in ({"opens": ""}, {"closes": "09:00"}, {"time_zone": "Europe/Brugge"}):
        answer = await admin.send("PUT", "/settings/start/hours", HOURS | form | wrong)
        assert answer.status_code == 422, wrong
    assert await OpeningHours.count() == 0
    answer = await admin.send("PUT", "/settings/start/hours", HOURS | form | {"queue": "999"})
    assert answer.status_code == 404
    await admin.must("PUT", "/settings/start/hours", HOURS | form | {"how": "always", "opens": ""})
    assert [row["always_open"] for row in await Queue.select(Queue.always_open)] == [True]


async def test_a_site_that_is_none_is_refused(admin: AgentClient) -> None:
    assert (await admin.post("/settings/start/widget", {"name": "Stad"})).status_code == 422, "no queue yet"
    await walk(admin, 1)
    form = {"name": "Stad", "origin": ["https://stad.example", "stad.example/contact"]}
    answer = await admin.post("/settings/start/widget", form)
    assert answer.status_code == 422
    shown = LexborHTMLParser(answer.text)
    assert shown.css_first("#origin-1-error")
    assert not shown.css_first("#origin-0-error")
    assert one(shown, "#origin-1").attributes["value"] == "stad.example/contact"


async def test_two_admins_do_not_take_the_same_step(admin: AgentClient) -> None:
    first, hours = hidden(await page(admin)), None
    await admin.must("POST", "/settings/start/queue", QUEUE | first)
    again = await admin.post("/settings/start/queue", QUEUE | first | {"name": "Balie"})
    assert again.status_code == 409
    assert "intussen uitgevoerd" in again.text
    assert "Onthaal" in again.text
    hours = HOURS | hidden(await page(admin))
    await Desk.update({Desk.version: 9}, force=True)
    answer = await admin.send("PUT", "/settings/start/hours", hours | {"opens": "08:15"})
    assert answer.status_code == 409
    kept = LexborHTMLParser(answer.text)
    assert one(kept, "#opens").attributes["value"] == "08:15"
    await admin.must("PUT", "/settings/start/hours", hours | hidden(kept))
    assert (await admin.send("PUT", "/settings/start/hours", hours)).status_code == 409
    await walk_widget(admin)
    assert (await admin.post("/settings/start/widget", {"name": "Andere"})).status_code == 409
    assert (await Queue.count(), await Widget.count()) == (1, 1)


async def test_what_is_done_elsewhere_counts_and_a_step_can_be_skipped(admin: AgentClient) -> None:
    await admin.must("POST", "/settings/queues", {"name": "Elders"})
    shown = await page(admin)
    assert done(shown) == [1]
    assert "Stap 2 van 5" in one(shown, "#step-title").text()
    assert "Stap 4 van 5" in one((await page(admin, "4")), "#step-title").text()
    assert "Elders" in one((await page(admin, "1")), "#start").text()
    assert one((await page(admin, "5")), "#start a").attributes["href"] == "/settings/start?step=4"


async def test_the_steps_are_in_the_menu_until_they_are_put_away(admin: AgentClient) -> None:
    link = '.settings-nav a[href="/settings/start"]'
    queues = LexborHTMLParser((await admin.get("/settings/queues")).text)
    assert queues.css_first(link)
    answer = await admin.must("DELETE", "/settings/start")
    assert answer.headers["HX-Redirect"] == "/settings"
    assert not LexborHTMLParser((await admin.get("/settings/queues")).text).css_first(link)
    assert (await admin.get("/settings", follow_redirects=False)).headers["location"] == "/settings/queues"
    assert (await admin.get("/settings/start")).is_success, "but whoever knows the address may look"
    assert await Desk.select(Desk.guided) == [{"guided": False}]


async def test_the_example_desk_needs_no_first_steps(desk: Running) -> None:
    admin = await sign_in_admin(desk)
    assert (await admin.get("/settings", follow_redirects=False)).headers["location"] == "/settings/queues"
    assert "/settings/start" not in (await admin.get("/settings/queues")).text


async def test_the_trial_page_carries_the_button(desk: Running) -> None:
    admin = await sign_in_admin(desk)
    (row,) = await Widget.select(Widget.id, Widget.key).order_by(Widget.id).limit(1)
    shown = LexborHTMLParser((await admin.get(f"/settings/widgets/{row['id']}/trial")).text)
    assert one(shown, "script[data-widget]").attributes["data-widget"] == row["key"]


async def test_a_role_that_may_not_do_a_step_is_told(desk: Running) -> None:
    await Role.update({Role.permissions: '["manage_desk"]'}).where(Role.name == "supervisor")
    eva = await sign_in_as(desk, "eva")
    shown = await page(eva, "3")
    assert "Met uw rol kunt u deze stap niet doen" in shown.text()
    assert not shown.css_first("form#start")
    assert (await eva.post("/settings/start/agent", {"who": "me"})).status_code == 403
    assert (await eva.post("/settings/start/widget", {"name": "X"})).status_code == 403


async def sign_in_as(desk: Running, username: str) -> AgentClient:
    eva = desk._come(AgentClient(desk.url, username))
    await eva.post("/session", {"username": username, "password": PASSWORD})
    shown = LexborHTMLParser((await eva.get("/settings/start")).text)
    eva.client.headers["X-CSRF-Token"] = one(shown, "#csrf").attributes["content"] or ""
    return eva
