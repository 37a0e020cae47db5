"""From the press on the button to a chat that waits: the form, and the place that is held meanwhile."""

import asyncio
from datetime import timedelta

import pytest

from db.settings import settings
from db.tables import Chat, Identity, OpeningHours, Queue, Start
from features import arrival
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


KNOWN = {"name": " Jef  Peeters ", "email": "jef@voorbeeld.be", "subject": "  vergunningen"}


async def test_what_the_host_page_knows_stands_in_the_form(desk: Desk) -> None:
    await scenes.at_work(desk)
    jef = desk.visitor()
    await jef.open()
    await jef.must("POST", "/chat/hold", KNOWN)
    assert jef.screen.first("#name").attributes["value"] == "Jef Peeters"
    assert jef.screen.first("#email").attributes["value"] == "jef@voorbeeld.be"
    assert jef.screen.first("#subject option[selected]").text() == "Vergunningen"
    (held,) = await Chat.select(Chat.subject.label, Chat.visitor_name)
    assert "Vergunningen" in held["subject.label"], "the place is held in its queue"
    assert held["visitor_name"] == "", "nobody has sent it yet"
    await jef.start("Mag dat?", name="Jan", email="", subject=jef.subjects()[0])
    (chat,) = await Chat.select(Chat.visitor_name, Chat.visitor_email)
    assert chat == {"visitor_name": "Jan", "visitor_email": ""}, "the person knows better"


async def test_what_the_host_page_says_wrong_is_left_out(desk: Desk) -> None:
    await scenes.at_work(desk)
    jef = desk.visitor()
    await jef.open()
    await jef.must("POST", "/chat/hold", {"name": "x" * 81, "email": "jef", "subject": "Zwembad"})
    assert jef.screen.first("#name").attributes["value"] == "x" * 80
    assert jef.screen.first("#email").attributes["value"] == ""
    assert jef.screen.first("#subject option[selected]").attributes["value"] == jef.subjects()[0]
    assert not jef.screen.css("#form [aria-invalid]")
    assert scenes.state(jef) == "forming"


async def test_a_subject_without_a_place_is_chosen_and_one_elsewhere_held(desk: Desk) -> None:
    await desk.agent("bram", "Vergunningen", ready=True)
    jef = desk.visitor()
    await jef.open()
    await jef.must("POST", "/chat/hold", {**KNOWN, "subject": "Algemene vraag"})
    assert jef.screen.first("#subject option[selected]").text() == "Algemene vraag (nu niet beschikbaar)"
    assert scenes.state(jef) == "forming"
    (held,) = await Chat.select(Chat.queue.name.as_alias("queue"))
    assert held["queue"] == "Vergunningen"


async def test_without_a_form_it_goes_with_the_chat_and_nobody_vouches_for_it(desk: Desk) -> None:
    await scenes.at_work(desk)
    jef = desk.visitor(widget="direct")
    await jef.open()
    await jef.must("POST", "/chat/hold", {**KNOWN, "subject": "", "email": "geen adres"})
    (chat,) = await Chat.select(Chat.visitor_name, Chat.visitor_email, Chat.state)
    assert chat == {"visitor_name": "Jef Peeters", "visitor_email": "", "state": "waiting"}
    assert not await Identity.count()


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


@pytest.mark.usefixtures("by_itself")
async def test_a_place_is_kept_while_somebody_types_and_given_up_when_nobody_does(
    desk: Desk, clock: Clock
) -> None:
    await scenes.at_work(desk)
    jef = await pressed(desk)
    async with jef.stream() as stream:
        clock.shift(35)
        await jef.beat("/chat/beat", stream)
        await jef.must("PATCH", "/chat/hold", {"subject": jef.subjects()[0]})
        clock.shift(35)
        await jef.beat("/chat/beat", stream)
        await jef.get("/chat")
        assert scenes.state(jef) == "forming", "60 s after the last sign of life"
        clock.shift(35)
        await stream.wait_for("Uw plaats is niet langer gereserveerd")
    assert scenes.state(jef) == "none"
    assert jef.screen.has("#form"), "the form stays as it is"


@pytest.mark.usefixtures("by_itself")
async def test_a_place_that_is_gone_is_asked_for_again_by_typing_on(desk: Desk, clock: Clock) -> None:
    await scenes.at_work(desk)
    jef = await pressed(desk)
    async with jef.stream() as stream:
        clock.shift(31)
        await jef.beat("/chat/beat", stream)
        clock.shift(30)
        await stream.wait_for("Uw plaats is niet langer gereserveerd")
    await jef.must("PATCH", "/chat/hold", {"subject": jef.subjects()[0]})
    assert not jef.screen.text("#place")
    await jef.open()
    assert scenes.state(jef) == "forming"


@pytest.mark.usefixtures("by_itself")
async def test_with_its_place_gone_the_form_still_starts_a_chat(desk: Desk, clock: Clock) -> None:
    await scenes.at_work(desk)
    jef = await pressed(desk)
    async with jef.stream() as stream:
        clock.shift(31)
        await jef.beat("/chat/beat", stream)
        clock.shift(30)
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
    assert jef.screen.text("#place").startswith("De chat over “Vergunningen” is op dit moment gesloten.")
    await jef.start("Dan algemeen.")
    assert scenes.state(jef) == "waiting"


async def test_the_words_name_the_subject_when_only_that_one_is_closed(desk: Desk) -> None:
    await scenes.at_work(desk)
    jef = await pressed(desk)
    await Queue.update({Queue.always_open: False}).where(Queue.name == "Vergunningen")
    await OpeningHours.delete(force=True)
    form = {"name": "Jef", "subject": jef.subjects()[1], "question": "?", "key": new_key()}
    await Queue.update({Queue.always_open: True}).where(Queue.name == "Algemeen")
    assert (await jef.post("/chat", form)).status_code == 409
    assert jef.screen.text("#place").startswith("De chat over “Vergunningen” is op dit moment gesloten.")
    await Queue.update({Queue.always_open: False}, force=True)
    assert (await jef.post("/chat", form)).status_code == 409
    assert jef.screen.text("#place").startswith("De chat is op dit moment gesloten.")


# ---- a subject that nobody serves: as routing's model has it ---------------------------------------------


async def test_with_a_held_place_a_subject_that_nobody_serves_waits_with_its_ticket(desk: Desk) -> None:
    await desk.agent("bram", "Vergunningen", ready=True)
    jef = await pressed(desk)
    general = jef.subjects()[0]
    await jef.must("PATCH", "/chat/hold", {"subject": general})
    (held,) = await Chat.select().where(Chat.state == "forming")
    await jef.start(subject=general)
    (chat,) = await scenes.chats()
    assert (chat["id"], chat["ticket_at"], chat["promised_to"]) == (held["id"], held["ticket_at"], None)
    assert scenes.status(jef) == "Alle medewerkers zijn in gesprek"
    assert jef.screen.has("#waiting [data-act=info]"), "to wait, or the info card"


async def test_without_one_nobody_is_left_waiting_where_nobody_serves(desk: Desk) -> None:
    await desk.agent("bram", "Vergunningen", ready=True)
    jef = desk.visitor()
    await jef.open()
    form = {"name": "Jef", "subject": jef.subjects()[0], "question": "?", "key": new_key()}
    assert (await jef.post("/chat", form)).status_code == 409
    assert "niemand beschikbaar" in jef.screen.text("#place")
    assert not await scenes.chats()


# ---- many from one address -------------------------------------------------------------------------------


async def many(desk: Desk, count: int) -> list[int]:
    """So many fresh visitors, from one address."""
    statuses = []
    for _one in range(count):
        jef = desk.visitor()
        await jef.open()
        form = {"name": "Jef", "subject": jef.subjects()[0], "question": "Waarom?", "key": new_key()}
        statuses.append((await jef.post("/chat", form)).status_code)
    return statuses


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch, desk: Desk) -> None:
    """Three instead of twenty."""
    object.__setattr__(settings, "starts_per_address", 3)


@pytest.mark.usefixtures("few")
async def test_so_many_chats_start_from_one_address_in_ten_minutes(desk: Desk, clock: Clock) -> None:
    await scenes.at_work(desk)
    assert await many(desk, 3) == [200, 200, 200]
    jef = await pressed(desk)
    form = {"name": "Jef", "subject": jef.subjects()[0], "question": "Mijn lange vraag", "key": new_key()}
    answer = await jef.post("/chat", form)
    assert answer.status_code == 429
    assert "Vanaf uw netwerk zijn in korte tijd veel gesprekken begonnen" in jef.screen.text("#place")
    assert len(await scenes.chats()) == 3, "the start is undone"
    assert len(await scenes.bodies()) == 3
    french = desk.visitor(language="fr")
    await french.open()
    assert "De nombreuses conversations" in (await french.post("/chat", form)).text
    direct = desk.visitor(widget="direct")
    await direct.open()
    assert (await direct.post("/chat/hold")).status_code == 429
    assert "Vanaf uw netwerk" in direct.screen.text("#panel #place")
    await Start.update({Start.started_at: clock.now() - timedelta(minutes=10)}, force=True)
    assert (await jef.post("/chat", form)).status_code == 200
    assert await Start.count() == 1, "earlier addresses are forgotten"


@pytest.mark.usefixtures("few")
async def test_the_same_form_again_is_no_further_start(desk: Desk) -> None:
    await scenes.at_work(desk)
    jef = await pressed(desk)
    form = {"name": "Jef", "subject": jef.subjects()[0], "question": "Eén vraag", "key": new_key()}
    answers = await asyncio.gather(*(jef.post("/chat", form) for _time in range(6)))
    assert {answer.status_code for answer in answers} == {200}
    assert await Start.count() == 1
    assert await many(desk, 2) == [200, 200]


@pytest.mark.usefixtures("few")
async def test_a_conversation_goes_on_and_others_start_although_one_has_too_many(desk: Desk) -> None:
    await scenes.at_work(desk)
    jef = await desk.visitor().begin("Ik was er al")
    assert await many(desk, 3) == [200, 200, 429]
    await jef.say("En ik praat verder")
    await Start.update({Start.address_hash: "elsewhere"}).where(Start.id.is_not_null())
    assert await many(desk, 1) == [200]


async def test_no_address_is_stored_in_the_clear_and_none_for_long(desk: Desk, clock: Clock) -> None:
    await scenes.at_work(desk)
    await desk.visitor().begin("Een")
    (row,) = await Start.select()
    assert "127.0.0.1" not in str(row)
    await arrival.forget_starts()
    assert await Start.count() == 1
    clock.shift(600)
    await arrival.forget_starts()
    assert not await Start.count()
