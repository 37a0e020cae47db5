"""The settings pages of the opening hours: what an admin sets there is what visitors and agents find."""

from typing import Any

import pytest

from db.tables import Audit, Chat, Holiday, OpeningHours, Queue, SpecialDay
from db.tables import Desk as DeskTable
from features import desk as the_desk
from tests import scenes
from tests.conftest import Clock, Desk
from tests.people import AgentClient
from tests.scenes import eventually_true

pytestmark = pytest.mark.either

OFFICE = {str(day): [("09:00", "12:00"), ("13:00", "17:00")] for day in range(5)}
WEDNESDAY, SATURDAY, ARMISTICE, KINGS_DAY = "2026-03-11", "2026-03-14", "2026-11-11", "2026-04-27"


async def id_of(name: str) -> int:
    row = await Queue.select(Queue.id).where(Queue.name == name).first()
    assert row
    return int(row["id"])


def week(blocks: dict[str, list[tuple[str, str]]], version: int = 1, **more: str) -> dict[str, Any]:
    """The form, as the page sends it."""
    form: dict[str, Any] = {"always": "no", "last_intake_minutes": "0", "version": str(version), **more}
    for day, pairs in blocks.items():
        form[f"opens-{day}"] = [opens for opens, _closes in pairs]
        form[f"closes-{day}"] = [closes for _opens, closes in pairs]
    return form


async def answer(admin: AgentClient, queue: str, day: str, time: str) -> str:
    """What the page says of a moment."""
    admin.screen.show((await admin.get("/settings/hours")).text)
    asked = f"/settings/hours/answer?queue={await id_of(queue)}&day={day}&time={time}"
    await admin.must("GET", asked)
    return admin.screen.text("#answer")


# ---- the week --------------------------------------------------------------------------------------------


async def test_the_page_says_who_is_open_until_when_and_why(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    admin.screen.show((await admin.get("/settings/hours")).text)
    general, permits = admin.screen.texts("#now tbody tr")
    assert "Open: altijd open" in general
    assert "Open: woensdag 09:00 – 12:00" in permits
    assert "Tot 12:00." in permits


async def test_without_a_queue_the_page_says_what_to_do_first(empty_desk: Desk) -> None:
    for path in ("/settings/hours", "/settings/days", "/settings/desk"):
        assert (await empty_desk.nobody().get(path)).status_code == 401


async def test_hours_that_are_saved_count_at_once(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    queue = await id_of("Vergunningen")
    path = f"/settings/hours/{queue}"
    admin.screen.show((await admin.get(path)).text)
    shown = [each.attributes["value"] for each in admin.screen.css("#day-0 input")]
    assert shown == ["09:00", "12:00", "13:00", "17:00"]
    saved = await admin.send("PUT", path, week({"5": [("08:30", "10:30"), ("22:00", "02:00")]}))
    assert saved.status_code == 200
    assert "Open: zaterdag 08:30 – 10:30" in await answer(admin, "Vergunningen", SATURDAY, "08:30")
    assert "Open: zaterdag 22:00 – 02:00" in await answer(admin, "Vergunningen", "2026-03-15", "01:59")
    closed = await answer(admin, "Vergunningen", "2026-03-15", "02:00")
    assert "Gesloten: geen openingsuren op deze dag" in closed
    assert "Gaat open: za 21 mrt 2026, 08:30." in closed
    assert "buiten de uren van zaterdag" in await answer(admin, "Vergunningen", SATURDAY, "12:00")
    (noted,) = await Audit.select().where(Audit.about == f"queue:{queue}")
    assert '"hours"' in noted["fields"]


async def test_until_midnight_and_all_day_are_midnight_to_midnight(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    path = f"/settings/hours/{await id_of('Vergunningen')}"
    form = week({"2": [("00:00", "00:00")], "3": [("18:00", "00:00")]})
    assert (await admin.send("PUT", path, form)).status_code == 200
    rows = await OpeningHours.select().order_by(OpeningHours.weekday)
    assert [(row["opens_minute"], row["closes_minute"]) for row in rows] == [(0, 1440), (1080, 1440)]
    admin.screen.show((await admin.get(path)).text)
    assert [each.attributes["value"] for each in admin.screen.css("#day-3 input")] == ["18:00", "00:00"]


@pytest.mark.parametrize(
    ("blocks", "at", "words"),
    [
        ({"0": [("09:00", "12:00"), ("11:59", "13:00")]}, "day-0-1", "Overlapt met maandag 09:00 – 12:00."),
        (
            {"0": [("22:00", "02:00")], "1": [("01:00", "03:00")]},
            "day-1-0",
            "Overlapt met maandag 22:00 – 02:00.",
        ),
        (
            {"0": [("00:30", "03:00")], "6": [("22:00", "01:00")]},
            "day-6-0",
            "Overlapt met maandag 00:30 – 03:00.",
        ),
        ({"4": [("09:00", "09:00")]}, "day-4-0", "Dit blok is leeg: het sluit zodra het opent."),
        ({"4": [("09:00", "")]}, "day-4-0", "Vul beide tijden in, of verwijder dit blok."),
        ({"4": [("25:00", "26:00")]}, "day-4-0", "Vul beide tijden in, of verwijder dit blok."),
    ],
)
async def test_a_block_that_cannot_be_is_refused_where_it_stands(
    desk: Desk, blocks: dict[str, list[tuple[str, str]]], at: str, words: str
) -> None:
    admin = await scenes.sign_in_admin(desk)
    path = f"/settings/hours/{await id_of('Vergunningen')}"
    admin.screen.show((await admin.get(path)).text)
    before = await OpeningHours.count()
    refused = await admin.send("PUT", path, week(blocks))
    assert refused.status_code == 422
    admin.screen.show(refused.text)
    assert admin.screen.texts(".block .field-error") == [words]
    assert admin.screen.first(f"#{at}-opens").attributes["aria-invalid"] == "true"
    typed = [pair for day in sorted(blocks) for pair in blocks[day]]
    values = [each.attributes["value"] for each in admin.screen.css(".week-day ul input")]
    assert values == [time for pair in typed for time in pair], "what was typed stays"
    assert await OpeningHours.count() == before


async def test_blocks_that_only_touch_are_welcome(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    path = f"/settings/hours/{await id_of('Vergunningen')}"
    form = week(
        {"0": [("09:00", "12:00"), ("12:00", "13:00"), ("22:00", "02:00")], "1": [("02:00", "03:00")]}
    )
    assert (await admin.send("PUT", path, form)).status_code == 200


async def test_always_open_and_back_to_the_hours_as_they_were(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    path = f"/settings/hours/{await id_of('Vergunningen')}"
    await admin.must("PUT", path, week({}, always="yes"))
    assert "altijd open" in await answer(admin, "Vergunningen", SATURDAY, "03:00")
    admin.screen.show((await admin.get(path)).text)
    assert [each.attributes["value"] for each in admin.screen.css("#day-0 input")][:2] == ["09:00", "12:00"]
    await admin.must("PUT", path, week(OFFICE, version=2))
    assert "Gesloten" in await answer(admin, "Vergunningen", SATURDAY, "03:00")


async def test_two_admins_do_not_undo_each_others_hours_unseen(desk: Desk) -> None:
    first, second = await scenes.sign_in_admin(desk), await scenes.sign_in_admin(desk)
    path = f"/settings/hours/{await id_of('Vergunningen')}"
    await first.must("PUT", path, week({"5": [("10:00", "12:00")]}))
    late = await second.send("PUT", path, week(OFFICE))
    assert late.status_code == 409
    second.screen.show(late.text)
    assert "Beheerder heeft dit om 10:00 opgeslagen" in second.screen.text("[data-problem]")
    assert len(second.screen.css("#day-0 li")) == 2, "what was typed stays"
    assert await OpeningHours.count() == 1


# ---- the last intake -------------------------------------------------------------------------------------


@pytest.mark.parametrize("minutes", ["-1", "241", "kwartier", ""])
async def test_the_last_intake_is_a_number_of_minutes(desk: Desk, minutes: str) -> None:
    admin = await scenes.sign_in_admin(desk)
    path = f"/settings/hours/{await id_of('Vergunningen')}"
    refused = await admin.send("PUT", path, week(OFFICE, last_intake_minutes=minutes))
    assert refused.status_code == 422
    admin.screen.show(refused.text)
    assert admin.screen.text("#last_intake_minutes-error") == "Een geheel getal van 0 tot 240."


@pytest.mark.parametrize("time_of_day", [f"{WEDNESDAY}T11:44:40+01:00"], ids=["at-11:44:40"])
async def test_after_the_last_intake_nobody_new_comes_and_who_waits_is_still_helped(
    desk: Desk, clock: Clock
) -> None:
    admin = await scenes.sign_in_admin(desk)
    bram = await desk.agent("bram", "Vergunningen", ready=True)
    path = f"/settings/hours/{await id_of('Vergunningen')}"
    await admin.must("PUT", path, week(OFFICE, last_intake_minutes="15"))
    early, late = desk.visitor(), desk.visitor()
    await early.open()
    await late.open()
    permits = early.subjects()[1]
    await early.start("Net op tijd", subject=permits)
    clock.shift(21)
    assert "Gesloten: laatste intake om 11:45" in await answer(admin, "Vergunningen", WEDNESDAY, "11:46")
    form = {"name": "Lien", "subject": permits, "question": "Te laat?", "key": "a" * 32}
    assert (await late.post("/chat", form)).status_code == 409
    assert "is op dit moment gesloten" in late.screen.text("#place")
    await bram.open()
    assert (await bram.accept()).is_success
    card = (await desk.nobody().get("/widget/voorbeeld/info")).text
    assert "Nieuwe chats tot 15 minuten vóór sluitingstijd" in card


# ---- holidays --------------------------------------------------------------------------------------------


async def holidays_form(admin: AgentClient, *keys: str) -> dict[str, Any]:
    admin.screen.show((await admin.get("/settings/days")).text)
    version = admin.screen.first("#holidays [name=version]").attributes["value"]
    return {"holiday": list(keys), "version": version}


async def test_the_list_has_the_dates_of_this_year_and_the_next(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    admin.screen.show((await admin.get("/settings/days")).text)
    belgium, communities, others, netherlands = admin.screen.texts(".calendar")
    assert "2026 2027" in belgium
    assert "Paasmaandag ma 6 apr ma 29 mrt" in belgium
    assert "Feestdag van de Vlaamse Gemeenschap za 11 jul zo 11 jul" in communities
    assert "Feestdag van de Duitstalige Gemeenschap" in communities
    assert "Goede vrijdag" in others
    assert "Koningsdag ma 27 apr di 27 apr" in netherlands
    ticked = [str(each.attributes["value"]) for each in admin.screen.css("[name=holiday][checked]")]
    assert "BE:Armistice Day" in ticked
    assert not [key for key in ticked if key.startswith("NL")]


async def test_a_holiday_is_closed_when_ticked_and_open_as_usual_when_not(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    assert "Gesloten: feestdag Wapenstilstand" in await answer(admin, "Vergunningen", ARMISTICE, "10:00")
    assert "Open" in await answer(admin, "Vergunningen", KINGS_DAY, "10:00")
    form = await holidays_form(admin, "NL:King's Day", "BE:Nonsense")
    await admin.must("PUT", "/settings/days/holidays", form)
    assert "Open: woensdag 09:00" in await answer(admin, "Vergunningen", ARMISTICE, "10:00")
    assert "Gesloten: feestdag Koningsdag" in await answer(admin, "Vergunningen", KINGS_DAY, "10:00")
    assert [row["name"] for row in await Holiday.select()] == ["King's Day"]


async def test_a_queue_may_be_open_on_holidays(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    path = f"/settings/hours/{await id_of('Vergunningen')}"
    await admin.must("PUT", path, week(OFFICE, keeps_holidays="yes"))
    assert "Gesloten" in await answer(admin, "Vergunningen", ARMISTICE, "10:00")
    await admin.must("PUT", path, week(OFFICE))
    assert "Open" in await answer(admin, "Vergunningen", ARMISTICE, "10:00")


async def test_two_admins_do_not_untick_each_others_holidays_unseen(desk: Desk) -> None:
    first, second = await scenes.sign_in_admin(desk), await scenes.sign_in_admin(desk)
    late = await holidays_form(second, "BE:Labor Day")
    await first.must("PUT", "/settings/days/holidays", await holidays_form(first, "BE:National Day"))
    refused = await second.send("PUT", "/settings/days/holidays", late)
    assert refused.status_code == 409
    second.screen.show(refused.text)
    ticked = [each.attributes["value"] for each in second.screen.css("[name=holiday][checked]")]
    assert ticked == ["BE:Labor Day"], "what was ticked stays"
    assert [row["name"] for row in await Holiday.select()] == ["National Day"]


@pytest.mark.parametrize("time_of_day", ["2026-11-11T10:00:00+01:00"], ids=["Armistice"])
async def test_on_a_holiday_the_card_and_the_window_say_which(desk: Desk) -> None:
    await Queue.update({Queue.always_open: False, Queue.keeps_holidays: True}, force=True)
    await desk.agent("an", "Loket", ready=True)
    card = (await desk.nobody().client.get("/widget/voorbeeld/info?lang=fr")).text
    assert "Fermé aujourd’hui\N{NO-BREAK SPACE}: Jour de l&#39;Armistice" in card
    jef = desk.visitor()
    await jef.open()
    await jef.post("/chat", {"name": "J", "subject": jef.subjects()[0], "question": "Open?", "key": "b" * 32})
    assert "De chat is vandaag gesloten: Wapenstilstand." in jef.screen.text("#place")


# ---- days of one's own -----------------------------------------------------------------------------------

DAY: dict[str, Any] = {"name": "Personeelsdag", "first": "2026-03-12", "last": "", "queue": "", "open": "no"}


async def test_a_day_of_ones_own_closes_all_queues_until_it_is_taken_away(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    assert (await admin.post("/settings/days", DAY)).headers["hx-redirect"] == "/settings/days"
    for queue in ("Algemeen", "Vergunningen"):
        assert "Gesloten: Personeelsdag" in await answer(admin, queue, "2026-03-12", "10:00")
        assert "Open" in await answer(admin, queue, "2026-03-13", "10:00")
    admin.screen.show((await admin.get("/settings/days")).text)
    listed = "Personeelsdag do 12 mrt 2026 Alle wachtrijen gesloten"
    assert listed in admin.screen.text("[aria-labelledby=own] tbody")
    row = await SpecialDay.select(SpecialDay.id).first()
    assert row
    path = f"/settings/days/{row['id']}"
    assert "Personeelsdag verwijderen?" in (await admin.get(path + "/deletion")).text
    assert (await admin.send("DELETE", path)).headers["hx-redirect"] == "/settings/days"
    assert "Open" in await answer(admin, "Vergunningen", "2026-03-12", "10:00")


async def test_a_day_off_of_one_queue_is_said_of_its_subject_alone(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    permits = str(await id_of("Vergunningen"))
    await admin.post("/settings/days", DAY | {"first": "2026-03-11", "queue": permits})
    await desk.agent("an", "Loket", ready=True)
    jef = desk.visitor()
    await jef.open()
    await jef.post("/chat", {"name": "J", "subject": jef.subjects()[1], "question": "Open?", "key": "b" * 32})
    said = jef.screen.text("#place")
    assert "De chat over “Vergunningen” is vandaag gesloten: Personeelsdag. Kies een ander onderwerp." in said


async def test_exceptional_hours_of_one_queue_go_before_a_closing_day_of_all(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    permits = str(await id_of("Vergunningen"))
    hours = {"open": "yes", "opens-day": ["10:00", "14:00"], "closes-day": ["11:00", "15:00"]}
    await admin.post("/settings/days", DAY | hours | {"name": "Noodloket", "queue": permits})
    await admin.post("/settings/days", DAY | {"last": "2026-03-20"})
    said = await answer(admin, "Vergunningen", "2026-03-12", "14:30")
    assert "Open: Noodloket, donderdag 14:00 – 15:00" in said
    said = await answer(admin, "Vergunningen", "2026-03-12", "12:00")
    assert "Gesloten: buiten de uren van Noodloket (10:00 – 11:00, 14:00 – 15:00)" in said
    assert "Gesloten: Personeelsdag" in await answer(admin, "Algemeen", "2026-03-12", "14:30")
    assert "Gesloten: Personeelsdag" in await answer(admin, "Vergunningen", "2026-03-20", "10:00")
    assert "Open" in await answer(admin, "Vergunningen", "2026-03-23", "10:00")


@pytest.mark.parametrize(
    ("changes", "at", "words"),
    [
        ({"name": " "}, "#name-error", "Geef een naam."),
        ({"first": ""}, "#first-error", "Kies een dag."),
        ({"first": "12 maart"}, "#first-error", "Kies een dag."),
        ({"last": "2026-03-11"}, "#last-error", "De laatste dag komt vóór de eerste."),
        ({"last": "2028-03-11"}, "#last-error", "Hoogstens een jaar."),
        ({"queue": "999"}, "#queue-error", "Kies een wachtrij."),
        ({"open": "yes"}, "[data-problem]", "Voeg de uren toe, of kies “Hele dag gesloten”."),
        (
            {"open": "yes", "opens-day": ["10:00", "10:30"], "closes-day": ["11:00", "12:00"]},
            "#day-rows-1-error",
            "Overlapt met 10:00 – 11:00.",
        ),
    ],
)
async def test_what_is_wrong_with_a_day_is_said_where_it_stands(
    desk: Desk, changes: dict[str, Any], at: str, words: str
) -> None:
    admin = await scenes.sign_in_admin(desk)
    refused = await admin.post("/settings/days", DAY | changes)
    assert refused.status_code == 422
    admin.screen.show(refused.text)
    assert admin.screen.text(at) == words
    assert not await SpecialDay.count()


async def test_a_day_is_changed_and_two_admins_are_told(desk: Desk) -> None:
    first, second = await scenes.sign_in_admin(desk), await scenes.sign_in_admin(desk)
    await first.post("/settings/days", DAY)
    row = await SpecialDay.select(SpecialDay.id).first()
    assert row
    path = f"/settings/days/{row['id']}"
    moved = DAY | {"first": "2026-03-13", "version": "1"}
    assert (await first.send("PUT", path, moved)).headers["hx-redirect"] == "/settings/days"
    assert "Open" in await answer(first, "Algemeen", "2026-03-12", "10:00")
    assert "Gesloten" in await answer(first, "Algemeen", "2026-03-13", "10:00")
    assert (await second.send("PUT", path, moved | {"name": "Anders"})).status_code == 409
    for gone in (await first.get("/settings/days/999"), await first.send("PUT", "/settings/days/999", DAY)):
        assert gone.status_code == 404


# ---- "Close chat now" ------------------------------------------------------------------------------------


async def greens() -> set[str]:
    return {row["name"] for row in await Queue.select(Queue.name).where(Queue.green.eq(True))}


CLOSE = {"how": "hand", "words-nl": "We oefenen de brandtrap.", "words-fr": "Exercice incendie."}


@pytest.mark.usefixtures("by_itself")
async def test_closed_now_is_blue_now_and_says_why_until_it_is_reopened(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    an = await desk.agent("an", "Loket", ready=True)
    permits = await id_of("Vergunningen")
    await eventually_true(lambda: has_greens({"Algemeen", "Vergunningen"}))
    admin.screen.show((await admin.get("/settings/hours")).text)
    await admin.must("POST", "/settings/hours/closing", CLOSE | {"queue": str(permits)})
    assert "Nu gesloten door Beheerder: We oefenen de brandtrap." in admin.screen.text("#now")
    await eventually_true(lambda: has_greens({"Algemeen"}))
    await an.open()
    assert "gesloten" in an.screen.text("#lines")
    said = await answer(admin, "Vergunningen", "2026-03-12", "10:00")
    assert "Nu gesloten door Beheerder: We oefenen de brandtrap." in said
    assert "Tot iemand heropent." in said
    card = (await desk.nobody().client.get("/widget/voorbeeld/info?lang=fr")).text
    assert "Exercice incendie." in card
    assert "Altijd open" in (await desk.nobody().get("/widget/voorbeeld/info")).text, "the other one"
    await admin.must("DELETE", f"/settings/hours/closing?queue={permits}")
    await eventually_true(lambda: has_greens({"Algemeen", "Vergunningen"}))
    assert "brandtrap" not in (await desk.nobody().get("/widget/voorbeeld/info")).text
    noted = await Audit.select(Audit.fields).where(Audit.about == f"queue:{permits}").order_by(Audit.id)
    assert len(noted) == 2


async def has_greens(names: set[str]) -> bool:
    return await greens() == names


async def test_whoever_had_begun_reads_the_message_and_keeps_what_was_typed(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    await desk.agent("an", "Loket", ready=True)
    jef = desk.visitor()
    await jef.open()
    await admin.must("POST", "/settings/hours/closing", CLOSE | {"queue": ""})
    form = {"name": "Jef", "subject": jef.subjects()[0], "question": "Nog open?", "key": "c" * 32}
    assert (await jef.post("/chat", form)).status_code == 409
    assert "We oefenen de brandtrap." in jef.screen.text("#place")
    assert not await Chat.count().where(Chat.state == "waiting")


@pytest.mark.usefixtures("by_itself")
async def test_closing_all_leaves_running_conversations_alone(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    talk = await scenes.connected(desk)
    await admin.must("POST", "/settings/hours/closing", {"how": "hand", "queue": ""})
    await eventually_true(lambda: has_greens(set()))
    await talk.jef.say("Bent u er nog?")
    await talk.an.say(talk.chat, "Ja hoor.")
    await admin.must("DELETE", "/settings/hours/closing")
    await eventually_true(lambda: has_greens({"Algemeen", "Vergunningen"}))


@pytest.mark.usefixtures("by_itself")
async def test_it_reopens_by_itself_at_the_time_that_was_set(desk: Desk, clock: Clock) -> None:
    admin = await scenes.sign_in_admin(desk)
    await desk.agent("an", "Loket", ready=True)
    form = CLOSE | {"queue": "", "how": "time", "until": f"{WEDNESDAY}T11:00"}
    await admin.must("POST", "/settings/hours/closing", form)
    await eventually_true(lambda: has_greens(set()))
    assert "Vanaf 11:00 kunt u weer chatten." in (await desk.nobody().get("/widget/voorbeeld/info")).text
    assert "Open" in await answer(admin, "Algemeen", WEDNESDAY, "11:00")
    clock.shift(61 * 60)
    assert "brandtrap" not in (await desk.nobody().get("/widget/voorbeeld/info")).text
    admin.screen.show((await admin.get("/settings/hours")).text)
    assert "Open: altijd open" in admin.screen.text("#now")


@pytest.mark.parametrize(
    ("changes", "at", "words"),
    [
        ({"how": "time", "until": ""}, "#closing-until-error", "Kies een dag en een tijdstip."),
        (
            {"how": "time", "until": f"{WEDNESDAY}T09:59"},
            "#closing-until-error",
            "Kies een moment dat nog moet komen.",
        ),
        ({"words-fr": "x" * 301}, "#words-fr-error", "301 tekens; er passen er hoogstens 300."),
    ],
)
async def test_a_closing_that_cannot_be_is_refused_in_words(
    desk: Desk, changes: dict[str, str], at: str, words: str
) -> None:
    admin = await scenes.sign_in_admin(desk)
    admin.screen.show((await admin.get("/settings/hours")).text)
    await admin.get("/settings/hours/closing?queue=")
    refused = await admin.post("/settings/hours/closing", CLOSE | {"queue": ""} | changes)
    assert refused.status_code == 422
    admin.screen.show(refused.text)
    assert admin.screen.text(at) == words
    assert "We oefenen de brandtrap." in (admin.screen.tree.html or ""), "what was typed stays"
    assert not await Queue.exists().where(Queue.closed_at.is_not_null())


async def test_what_is_no_queue_cannot_be_closed(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    for queue in ("999", "x"):
        assert (await admin.post("/settings/hours/closing", CLOSE | {"queue": queue})).status_code == 404
        assert (await admin.send("DELETE", f"/settings/hours/closing?queue={queue}")).status_code == 404


@pytest.mark.parametrize(
    "what", ["queue=&day=2026-03-11&time=10:00", "queue=1&day=morgen&time=10:00", "queue=1"]
)
async def test_a_moment_that_is_none_is_asked_again(desk: Desk, what: str) -> None:
    admin = await scenes.sign_in_admin(desk)
    admin.screen.show((await admin.get("/settings/hours")).text)
    assert (await admin.get(f"/settings/hours/answer?{what}")).status_code == 422
    assert admin.screen.text("#answer") == "Kies een wachtrij, een dag en een tijdstip."


# ---- the desk itself -------------------------------------------------------------------------------------


async def test_the_desks_name_zone_and_language_count_at_once(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    form = {"name": " Gemeente  Elders ", "time_zone": "Asia/Tokyo", "language": "de", "version": "1"}
    try:
        await admin.must("PUT", "/settings/desk", form)
        assert the_desk.facts.name == "Gemeente Elders"
        admin.screen.show((await admin.get("/settings/hours")).text)
        assert "Gemeente Elders" in admin.screen.text(".settings-desk")
        assert "buiten de uren van woensdag" in admin.screen.text("#now"), "it is 18:00 there"
        assert admin.screen.first(".trial [name=time]").attributes["value"] == "18:00"
        stranger = await desk.nobody().client.get(
            "/widget/voorbeeld/nergens", headers={"Accept-Language": "xx"}
        )
        assert '<html lang="de"' in stranger.text
    finally:
        await DeskTable.update({DeskTable.time_zone: "Europe/Brussels", DeskTable.language: "nl"}, force=True)
        await the_desk.load()


@pytest.mark.parametrize(
    ("changes", "at", "words"),
    [
        ({"name": ""}, "#name-error", "Geef een naam."),
        ({"name": "x" * 61}, "#name-error", "61 tekens; er passen er hoogstens 60."),
        ({"time_zone": "Europe/Brugge"}, "#time_zone-error", "Kies een tijdzone uit de lijst."),
        ({"language": "es"}, "#language-error", "Kies een taal uit de lijst."),
    ],
)
async def test_what_is_wrong_with_the_desk_is_said(
    desk: Desk, changes: dict[str, str], at: str, words: str
) -> None:
    admin = await scenes.sign_in_admin(desk)
    form = {"name": "Elders", "time_zone": "Europe/Brussels", "language": "nl", "version": "1"}
    refused = await admin.send("PUT", "/settings/desk", form | changes)
    assert refused.status_code == 422
    admin.screen.show(refused.text)
    assert admin.screen.text(at) == words
    assert the_desk.facts.name == "Gemeente Voorbeeld"
    late = await admin.send("PUT", "/settings/desk", form | {"version": "0"})
    assert late.status_code == 409
