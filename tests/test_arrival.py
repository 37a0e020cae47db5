"""From the press on the button to a chat that waits: the form, and the place that is held meanwhile."""

import asyncio

import pytest

from db.tables import Chat
from tests import scenes
from tests.conftest import Clock, Desk
from tests.people import Visitor, new_key


async def pressed(desk: Desk) -> Visitor:
    jef = desk.visitor()
    await jef.open()
    await jef.press()
    return jef


async def test_the_press_holds_a_place_and_shows_the_form_with_its_privacy_notice(desk: Desk) -> None:
    await scenes.at_work(desk, places=1)
    jef = await pressed(desk)
    assert scenes.state(jef) == "forming"
    assert [node.attributes["name"] for node in jef.screen.css("#form [name]")] == [
        "name",
        "email",
        "subject",
        "question",
    ]
    assert "We gebruiken uw gegevens alleen om uw vraag te beantwoorden." in jef.screen.text("#form .privacy")
    assert jef.screen.first("#form .privacy a").attributes["href"] == "https://example.org/nl/privacy"
    marie = desk.visitor()
    await marie.open()
    assert "(nu niet beschikbaar)" in (await marie.press()).text, "the only place is Jef's"
    assert scenes.state(marie) == "none"


MISTAKES = [
    ("name", " ", "Vul uw naam in."),
    ("email", "jef@", "Vul een e-mailadres in"),
    ("subject", "", "Kies een onderwerp."),
    ("subject", "999", "Kies een onderwerp."),
    ("question", " ", "Schrijf uw vraag."),
    ("question", "x" * 4001, "4.001"),
]


async def test_mistakes_are_named_at_their_field_and_what_was_typed_stays(desk: Desk) -> None:
    await scenes.at_work(desk)
    jef = await pressed(desk)
    subject = jef.subjects()[1]
    typed = {
        "name": 'Jef "<b>',
        "email": "jef@voorbeeld.be",
        "subject": subject,
        "question": "\nWaarom?",
        "key": new_key(),
    }
    for field, value, words in MISTAKES:
        answer = await jef.post("/chat", {**typed, field: value})
        assert answer.status_code == 422
        assert words in jef.screen.text(f"#{field}-error")
        assert [node.attributes["id"] for node in jef.screen.css("#form [aria-invalid]")] == [field]
        now = {**typed, field: value}
        assert jef.screen.first("#name").attributes["value"] == now["name"]
        assert jef.screen.first("#email").attributes["value"] == now["email"]
        assert jef.screen.first("#question").text().strip() == now["question"].strip()
        if field != "subject":
            assert jef.screen.first("#subject option[selected]").attributes["value"] == subject
    assert not await scenes.chats()
    assert (await jef.post("/chat", typed)).status_code == 200


async def test_all_mistakes_are_named_at_once(desk: Desk) -> None:
    await scenes.at_work(desk)
    jef = await pressed(desk)
    await jef.post("/chat", {"email": "geen adres"})
    assert {node.attributes["id"] for node in jef.screen.css("#form [aria-invalid]")} == {
        "name",
        "email",
        "subject",
        "question",
    }


async def test_the_subject_chooses_the_queue_and_the_rest_is_kept_with_the_chat(desk: Desk) -> None:
    await scenes.at_work(desk)
    jef = await pressed(desk)
    page = "https://www.voorbeeld.be/aanvraag?stap=2"
    await jef.start(
        "Hoe?", subject=jef.subjects()[1], email=" jef@voorbeeld.be ", name=" Jef\0  Peeters ", page=page
    )
    (row,) = await Chat.select(
        Chat.queue.name.as_alias("queue"), Chat.visitor_name, Chat.visitor_email, Chat.page_url, Chat.language
    )
    assert row == {
        "queue": "Vergunningen",
        "visitor_name": "Jef Peeters",
        "visitor_email": "jef@voorbeeld.be",
        "page_url": page,
        "language": "nl",
    }
    assert jef.screen.texts("#thread .bubble") == ["Hoe?"]


async def test_a_form_that_is_sent_twice_starts_one_chat_with_one_question(desk: Desk) -> None:
    await scenes.at_work(desk)
    jef = await pressed(desk)
    form = {"name": "Jef", "subject": jef.subjects()[0], "question": "Eén vraag?", "key": new_key()}
    answers = await asyncio.gather(*(jef.post("/chat", form) for _time in range(5)))
    answers.append(await jef.post("/chat", form))
    assert [answer.status_code for answer in answers] == [200] * 6
    assert len(await scenes.chats()) == 1
    assert await scenes.bodies() == ["Eén vraag?"]
    assert scenes.state(jef) == "waiting"


async def test_two_tabs_of_one_visitor_are_one_chat(desk: Desk) -> None:
    await scenes.at_work(desk)
    jef = await pressed(desk)
    tab = desk.visitor(token=jef.token)
    await tab.open()
    assert scenes.state(tab) == "forming"
    await asyncio.gather(jef.start("Uit de ene"), tab.start("Uit de andere"))
    assert len(await scenes.chats()) == 1
    assert sorted(await scenes.bodies()) == ["Uit de andere", "Uit de ene"], "nothing that was typed is lost"


async def test_without_a_form_the_press_is_the_start_and_what_is_not_asked_is_not_taken(desk: Desk) -> None:
    await scenes.at_work(desk)
    jef = desk.visitor(widget="direct")
    await jef.open()
    answer = await jef.post("/chat/hold", {"question": "x" * 5000, "name": "Jef\0", "page": "http://[x"})
    assert answer.status_code == 200
    assert scenes.state(jef) == "waiting"
    assert await scenes.bodies() == []
    await jef.press()
    assert len(await scenes.chats()) == 1, "a second press is the same chat"


async def test_a_place_is_kept_while_somebody_types_and_given_up_when_nobody_does(
    desk: Desk, clock: Clock
) -> None:
    await scenes.at_work(desk)
    jef = await pressed(desk)
    async with jef.stream() as stream:
        clock.shift(35)
        await jef.must("PATCH", "/chat/hold", {"subject": jef.subjects()[0]})
        clock.shift(35)
        await jef.get("/chat")
        assert scenes.state(jef) == "forming", "60 s after the last sign of life"
        clock.shift(35)
        await stream.wait_for("Uw plaats is niet langer gereserveerd")
    assert scenes.state(jef) == "none"
    assert jef.screen.has("#form"), "the form stays as it is"


async def test_a_place_that_is_gone_is_asked_for_again_by_typing_on(desk: Desk, clock: Clock) -> None:
    await scenes.at_work(desk)
    jef = await pressed(desk)
    async with jef.stream() as stream:
        clock.shift(61)
        await stream.wait_for("Uw plaats is niet langer gereserveerd")
    await jef.must("PATCH", "/chat/hold", {"subject": jef.subjects()[0]})
    assert not jef.screen.text("#place")
    await jef.open()
    assert scenes.state(jef) == "forming"


async def test_with_its_place_gone_the_form_still_starts_a_chat(desk: Desk, clock: Clock) -> None:
    await scenes.at_work(desk)
    jef = await pressed(desk)
    async with jef.stream() as stream:
        clock.shift(61)
        await stream.wait_for("Uw plaats is niet langer gereserveerd")
    await jef.start("Toch nog")
    assert scenes.state(jef) == "waiting"
    assert await scenes.bodies() == ["Toch nog"]


async def test_a_place_that_is_given_back_leaves_nothing(desk: Desk) -> None:
    """Nothing began, so nothing has ended."""
    await scenes.at_work(desk)
    jef = await pressed(desk)
    await jef.end()
    assert scenes.state(jef) == "none"
    await jef.open()
    assert scenes.state(jef) == "none"
    assert (await jef.get("/chat/stream")).status_code == 404


async def test_a_subject_with_no_place_is_said_to_have_none_and_can_be_chosen(desk: Desk) -> None:
    await desk.agent("bram", "Vergunningen", ready=True)
    jef = await pressed(desk)
    general, permits = jef.screen.texts("#subject option")
    assert (general, permits) == ("Algemene vraag (nu niet beschikbaar)", "Vergunningen")
    await jef.start(subject=jef.subjects()[0])
    assert scenes.status(jef) == "Alle medewerkers zijn in gesprek"
    assert jef.screen.has("#waiting [data-act=info]")


async def test_when_the_last_agent_went_a_moment_ago_the_press_says_so_and_leads_on(desk: Desk) -> None:
    """The button was still green. Neither with a form nor without is there an empty window."""
    an = await scenes.at_work(desk)
    await an.pause()
    for widget, path in (("voorbeeld", "/chat/hold"), ("direct", "/chat/hold")):
        jef = desk.visitor(widget=widget)
        jef.screen.show((await jef.get(f"/widget/{widget}")).text)
        await jef.post(path)
        assert "niemand beschikbaar" in jef.screen.text("#panel #place")
        assert jef.screen.has("#panel [data-act=info]")
    assert not await scenes.chats()


@pytest.mark.parametrize("time_of_day", ["2026-03-14T10:00:00+01:00"], ids=["Saturday"])
async def test_a_closed_queue_is_said_to_be_closed(desk: Desk) -> None:
    await scenes.at_work(desk)
    jef = await pressed(desk)
    answer = await jef.post(
        "/chat", {"name": "Jef", "subject": jef.subjects()[1], "question": "?", "key": new_key()}
    )
    assert answer.status_code == 409
    assert jef.screen.text("#place").startswith("De chat is op dit moment gesloten.")
    await jef.start("Dan algemeen.")
    assert scenes.state(jef) == "waiting"
