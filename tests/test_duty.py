"""Profile and readiness: who takes chats, from which queues, and since when not."""

import json

import pytest

from db.tables import Profile, ProfileQueue, Queue, Readiness
from features import queues, routing
from tests import scenes
from tests.conftest import Clock, Desk
from tests.people import AgentClient
from tests.screen import words


async def profile_id(name: str) -> str:
    row = await Profile.select(Profile.id).where(Profile.name == name).first()
    assert row
    return str(row["id"])


async def is_here(agent: AgentClient) -> bool:
    """Its line, not the person."""
    gone_at = Readiness.select(Readiness.gone_at).where(Readiness.agent.username == agent.username)
    return (await gone_at)[0]["gone_at"] is None


async def eventually(agent: AgentClient, here: bool) -> None:
    async def is_so() -> bool:
        return await is_here(agent) is here

    await scenes.eventually_true(is_so)


async def is_green(name: str = "Algemeen") -> bool:
    row = await Queue.select(Queue.green).where(Queue.name == name).first()
    assert row
    return bool(row["green"])


# ---- the profile -------------------------------------------------------------------------------------------


async def test_an_agent_chooses_among_its_own_profiles(desk: Desk) -> None:
    bram = await desk.agent("bram")
    offered = [words(choice) for choice in bram.screen.css("label:has([name=profile])")]
    assert offered == [
        "Loket Algemeen, Vergunningen · 3 chats tegelijk",
        "Vergunningen Vergunningen · 2 chats tegelijk",
    ]
    assert len(bram.screen.css("[name=profile][checked]")) == 1


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_a_profile_of_somebody_else_is_refused_with_words(desk: Desk) -> None:
    an = await desk.agent("an")
    for profile in (await profile_id("Vergunningen"), "0", "999999", "9" * 30, "-1"):
        answer = await an.post("/session/profile", {"profile": profile})
        assert answer.status_code == 422
        assert "Kies een van uw profielen." in answer.text
    assert (await an.post("/session/profile", {"profile": "x"})).status_code == 400
    assert "Profiel" in (await an.open()).text(), "nothing has been chosen"


async def test_a_profile_without_queues_says_that_nothing_will_come(desk: Desk) -> None:
    an = await desk.agent("an", "Backoffice")
    assert "Uw profiel bevat geen chatwachtrijen; u ontvangt geen chatverzoeken." in an.screen.text(
        "#pane-none"
    )
    await an.ready()
    assert not await is_green()


async def test_one_begins_paused_and_nothing_is_asked(desk: Desk) -> None:
    an = await desk.agent("an", "Loket")
    assert "Beschikbaar" in an.screen.text("#me")
    assert not await is_green()
    await an.ready()
    assert await is_green()


async def test_another_profile_is_chosen_with_chats_open_and_they_stay(desk: Desk) -> None:
    bram = await desk.agent("bram", "Loket", ready=True)
    await desk.visitor().begin()
    chat = await scenes.taken(bram)
    bram.screen.show((await bram.get("/session/profile")).text)
    await bram.choose_profile("Vergunningen")
    assert bram.chats == [chat]
    assert bram.screen.texts("#lines li > span:first-child") == ["Vergunningen"]
    assert (await bram.say(chat, "Ik ben er nog.")).is_success


# ---- ready and paused --------------------------------------------------------------------------------------


async def test_a_pause_stops_requests_only(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    await talk.an.pause("lunch")
    assert "Lunch" in talk.an.screen.text("#me")
    assert not await is_green()
    assert (await talk.an.say(talk.chat, "We praten gewoon door.")).is_success


async def test_a_pause_gives_the_open_request_to_somebody_else(desk: Desk) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    await desk.visitor().begin()
    bram = await desk.agent("bram", "Loket", ready=True)
    await an.open()
    assert an.request
    await an.pause()
    await bram.open()
    assert bram.request


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_state_that_there_is_not_is_refused(desk: Desk) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    for state in ("", "not_answered", "logged_out", "<b>"):
        assert (await an.send("PUT", "/readiness", {"state": state})).status_code == 404
    assert await is_green(), "and changes nothing"


async def test_who_has_no_line_hears_that_it_cannot_be_ready_yet(desk: Desk) -> None:
    """Its computer has been asleep, and the button is pressed before the page has found its line again."""
    an = await desk.agent("an", "Loket", ready=True)
    await an.pause()
    async with an.stream():
        pass
    await eventually(an, here=False)
    answer = await an.send("PUT", "/readiness", {"state": "ready"})
    assert answer.status_code == 409
    assert "Niet verbonden" in an.screen.text("#notices")
    assert "Lunch" in an.screen.text("#me")
    assert not await is_green()
    async with an.stream():
        await eventually(an, here=True)
        await an.ready()
        assert await is_green()


async def test_what_is_chosen_in_one_window_shows_in_the_other(desk: Desk) -> None:
    bram = await desk.agent("bram", "Loket")
    async with scenes.second_window(desk, bram) as (window, stream):
        await bram.ready()
        await stream.wait_for(lambda: window.screen.has("#me .dot.green"))
        await bram.pause("meeting")
        await stream.wait_for(lambda: "Overleg" in window.screen.text("#me"))
        await bram.must("POST", "/session/profile", {"profile": await profile_id("Vergunningen")})
        await stream.wait_for(
            lambda: lines(window.screen.text("#lines")) == ["Vergunningen", "0", "0", "wachtend"]
        )


# ---- the lines in the head ---------------------------------------------------------------------------------


def lines(text: str) -> list[str]:
    return text.split()


async def test_the_head_counts_who_waits_in_each_queue(desk: Desk) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    await an.pause()
    async with an.stream() as console:
        await console.wait_for('id="lines"')
        assert lines(an.screen.text("#lines")) == [
            "Algemeen",
            "0",
            "0",
            "wachtend",
            "Vergunningen",
            "0",
            "0",
            "wachtend",
        ]
        bram = await desk.agent("bram", "Vergunningen", ready=True)
        await Profile.update({Profile.places: 1}).where(Profile.name == "Vergunningen")
        for _who in range(2):
            jef = desk.visitor()
            await jef.open()
            await jef.press()
            await jef.start(subject=jef.subjects()[1])
        await console.wait_for(lambda: "Vergunningen 2" in an.screen.text("#lines"))
        assert await queues.waiting_counts() == {1: 0, 2: 2}
        await scenes.taken(bram)
        await console.wait_for(lambda: "Vergunningen 1" in an.screen.text("#lines"))
        await jef.end()
        await console.wait_for(lambda: "Vergunningen 0" in an.screen.text("#lines"))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("time_of_day", ["2026-03-11T08:59:00+01:00"], ids=["before nine"])
async def test_a_closed_queue_is_said_to_be_closed_and_opens_by_itself(desk: Desk, clock: Clock) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    async with an.stream() as console:
        await console.wait_for('id="lines"')
        assert lines(an.screen.text("#lines"))[-2:] == ["Vergunningen", "gesloten"]
        clock.shift(31)
        await an.beat("/console/beat", console)
        clock.shift(30)
        await console.wait_for(lambda: "gesloten" not in an.screen.text("#lines"))


# ---- another window, another browser ---------------------------------------------------------------------


async def test_who_signs_in_anew_after_the_browser_vanished_is_asked_for_the_profile(
    desk: Desk, clock: Clock
) -> None:
    bram = await desk.agent("bram", "Loket", ready=True)
    async with bram.stream() as console:
        await console.wait_for('id="panels"')
    await scenes.line_is_gone("bram")
    clock.shift(12)
    await routing.settle()
    await bram.open()
    assert bram.screen.has("#console"), "a reload of the same session goes on"
    again = await desk.agent("bram")
    assert again.screen.has("#profile-form")
    assert not again.screen.has("#profile-form [href='/console']"), "there is no console to go back to"
    await again.choose_profile("Vergunningen")
    assert again.screen.has("#console")
    assert again.screen.text("#my-profile").startswith("Profiel Vergunningen")
    assert "Beschikbaar" in again.screen.text("#me"), "paused, as after any sign-in"
    assert again.screen.has("#me.paused")


async def test_who_signs_in_anew_beside_a_live_console_shares_its_profile(desk: Desk) -> None:
    bram = await desk.agent("bram", "Vergunningen", ready=True)
    async with bram.stream() as console:
        await console.wait_for('id="panels"')
        again = await desk.agent("bram")
        assert again.screen.has("#console")
        assert again.screen.text("#my-profile").startswith("Profiel Vergunningen")


async def test_signing_out_elsewhere_is_said_and_one_press_goes_on(desk: Desk) -> None:
    bram = await desk.agent("bram", "Loket", ready=True)
    async with bram.stream() as console:
        await console.wait_for('id="panels"')
        other = await desk.agent("bram")
        assert (await other.sign_out()).is_success
        await console.wait_for("U bent niet in dienst")
        assert "in een ander venster of een andere browser afgemeld" in bram.screen.text("#pane-none")
        assert "Niet in dienst" in bram.screen.text("#me")
        (button,) = bram.screen.css("#pane-none [hx-post='/session/profile']")
        again = json.loads(str(button.attributes["hx-vals"]))
        assert again == {"profile": await profile_id("Loket")}
        answer = await bram.post("/session/profile", again)
        assert answer.headers["HX-Redirect"] == "/console"
        await console.wait_for(lambda: "Beschikbaar" in bram.screen.text("#me"))
        assert not bram.screen.has("#pane-none [hx-post='/session/profile']")


async def test_a_profile_without_queues_is_not_called_off_duty(desk: Desk) -> None:
    bram = await desk.agent("bram", "Loket")
    await ProfileQueue.delete(force=True)
    await bram.open()
    assert "Geen chatverzoeken" in bram.screen.text("#me")
    assert "Uw profiel bevat geen chatwachtrijen" in bram.screen.text("#pane-none")


async def test_the_profile_in_the_menu_follows_the_other_window(desk: Desk) -> None:
    bram = await desk.agent("bram", "Loket", ready=True)
    async with scenes.second_window(desk, bram) as (window, stream):
        assert window.screen.text("#my-profile").startswith("Profiel Loket")
        await bram.post("/session/profile", {"profile": await profile_id("Vergunningen")})
        await stream.wait_for(lambda: window.screen.text("#my-profile").startswith("Profiel Vergunningen"))
