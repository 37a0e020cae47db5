"""The number guard: what is found in a text, the warning before it is sent, and the mask that the desk's side
sees until somebody who may asks for it."""

import csv
import io
import json
import re
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

import db
from db.tables import Attachment, Audit, Chat, Message, Role
from features import desk as the_desk
from features import numbers, searching
from tests import scenes
from tests.conftest import Desk
from tests.people import Person, Visitor, new_key
from tests.test_attachments import added, corpora

pytestmark = pytest.mark.either

RRN = "85.07.30-033.28"
DIGITS = "85073003328"
MASK = "•••••••••28"
SENTENCE = f"Mijn rijksregisternummer is {RRN}, kunt u kijken?"
WARNING = "Dit lijkt een rijksregisternummer."
SURE = {"sure": "rrn"}


# ---- finding ---------------------------------------------------------------------------------------------


FOUND = [
    ("999990019", "bsn"),
    ("BSN: 999 990 019.", "bsn"),
    ("BSN999990019", "bsn"),
    ("(9999.90.019)", "bsn"),
    ("99999-00-19", "bsn"),
    ("op 12-03-2024 gaf ik 999990019 door", "bsn"),
    ("9 9 9 9 9 0 0 1 9", "bsn"),
    ("９９９９９００１９", "bsn"),
    ("999\u200b990\u200b019", "bsn"),
    ("85073003328", "rrn"),
    ("85.07.30-033.28", "rrn"),
    ("85 07 30 033 28", "rrn"),
    ("850730-033-28", "rrn"),
    ("85.07.30–033.28", "rrn"),
    ("85/07/30 033 28", "rrn"),
    ("17 07 30 033 84", "rrn"),  # born in 2017
    ("98.47.28-997.65", "rrn"),  # BIS
    ("BE54000000000097", "iban"),
    ("be54 0000 0000 0097 alstublieft", "iban"),
    ("IBAN:BE54-0000-0000-0097", "iban"),
    ("BE54\u00a00000\u00a00000\u00a00097", "iban"),
    ("NL96 TEST 0000 0000 00", "iban"),
    ("4111 1111 1111 1111", "card"),
    ("4111-1111-1111-1111", "card"),
    ("3782 822463 10005", "card"),
    ("zaaknummer 5, rijksregisternummer 85073003328", "rrn"),
    ("dossier 85.07.30-033.28", "rrn"),
    ("ik vertel u 999990019", "bsn"),
    ("om 10:00 999990019", "bsn"),
]
LEFT_ALONE = [
    "",
    "999990018",  # the check digit
    "85.07.30-033.29",
    "85.77.30-033.28",
    "BE55000000000097",
    "BE5400000000009",
    "4111111111111112",
    "1234567890123456",
    "zaaknummer 999990019",
    "dossier: 999-990-019",
    "mijn cliëntnummer is: 999990019",
    "voorbeeld.be/zaak/999990019",
    "uw kenmerk 999990019",
    "factuur nr. 999990019",
    "numéro de téléphone 999990019",
    "#999990019",
    "2024/999990019",
    "999990019/2",
    "12-999990019",
    "X999990019",
    "999990019B01",
    "1999990019",
    "9999900190",
    "123 999 990 019",
    "999 990 019 123",
    "123.999.990.019",
    "€ 999990019",
    "999.990.019,00 euro",
    "+31 999990019",
    "0031 999990019",
    "(+31) 999990019",
    "https://voorbeeld.be/zaak/999990019",
    "jan.999990019@voorbeeld.be",
    "999990\n019",
    "12 03 2024 5",
    "02 123 45 67",
    "0478 12 34 56",
    "31-12-2024 23:59:59",
    "+++090/9337/55493+++",
]


@pytest.mark.parametrize(("text", "kind"), FOUND)
def test_a_number_is_found_however_people_write_it(text: str, kind: str) -> None:
    ((start, end, found),) = numbers.find(text)
    assert found == kind
    assert text[start].isalnum()
    assert text[end - 1].isalnum()


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_a_near_miss_is_left_alone(text: str) -> None:
    assert numbers.find(text) == ()


def test_belgian_telephone_numbers_with_the_right_check_digits_are_left_alone() -> None:
    """One landline in eleven is a BSN by its digits."""
    right = [each for n in range(40_000) if numbers.is_bsn(each := f"02{5_000_000 + n * 7}")]
    mobile = [each for n in range(60_000) if numbers.is_rrn(each := f"3247{1_000_000 + n * 7}")]
    assert len(mobile) > 50
    assert not any(map(numbers.find, mobile[:50])), "as one dials it from abroad"
    phones = [each for each in right if numbers.is_phone(each)]
    assert len(phones) > 100
    for each in phones[:50]:
        assert numbers.find(f"Bel mij op {each}") == ()
        assert numbers.find(f"BSN {each}"), "who says what it is, is believed"


def test_several_are_found_in_order_and_none_reaches_into_another() -> None:
    text = f"BE54 0000 0000 0097 en 999990019,999990020\n{RRN} of 4111 1111 1111 1111"
    spans = numbers.find(text)
    assert [kind for _start, _end, kind in spans] == ["iban", "bsn", "bsn", "rrn", "card"]
    assert numbers.find(text, ("bsn",)) == spans[1:3]


def listed() -> list[tuple[str, str]]:
    found = corpora()
    if not found:
        return []
    with (Path(found) / "pii_nl_be_synthetic.csv").open(encoding="utf-8") as file:
        return [(row["kind"], row["value"]) for row in csv.DictReader(file)]


@pytest.mark.skipif(not listed(), reason="the corpus is not here")
def test_all_of_the_corpus_is_judged_as_its_label_says() -> None:
    wrong, judged = [], 0
    for label, text in listed():
        miss = "invalid" in label or label == "must_not_mask"
        expected = [] if miss else [label.partition("_")[0]]
        judged += 1
        if [kind for _start, _end, kind in numbers.find(text)] != expected:
            wrong.append((label, text))
    assert judged > 100
    assert not wrong


WRITTEN = st.text(st.sampled_from("0123456789BENL .-/,+\n9X•\u200b９") | st.characters(), max_size=60)
NUMBERS = st.sampled_from([each for each, _kind in FOUND])


@given(st.lists(WRITTEN | NUMBERS, max_size=6).map("".join))
@settings(max_examples=300, deadline=None)
def test_whatever_is_written_the_spans_lie_in_it_and_the_masks_tell_four_characters_at_most(
    text: str,
) -> None:
    spans = numbers.find(text)
    before = 0
    for start, end, kind in spans:
        assert before <= start < end <= len(text)
        mask = numbers.masked(text[start:end], kind)
        assert 2 <= len(mask.lstrip("•")) <= 4
        assert text[start:end] not in mask
        before = end
    assert bool(spans) == (numbers.hidden(text, spans) != text)


HOSTILE = [
    "1 " * 2000,
    "1.2-3 4" * 570,
    "9" * 4000,
    "999990019 " * 400,
    "BE54 " * 800,
    "9 9 9 9 9 0 0 1 9\n" * 220,
    "٣" * 4000,
    "9\u200b" * 2000,
    "tel " * 950 + "999990019",
    "a@" * 1990 + "999990019",
    "021234567\n" * 400,
    " nr" * 1300 + "999990019",
    "tel 999990019 " * 280,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
def test_four_thousand_hostile_characters_cost_little(text: str) -> None:
    numbers.find("BE54 0000 0000 0097")  # the tables are read
    began = time.process_time()
    numbers.find(text[:4000])
    assert time.process_time() - began < 0.5


# ---- the warning -----------------------------------------------------------------------------------------


async def say(visitor: Visitor, text: str, **more: str) -> httpx.Response:
    return await visitor.post("/chat/messages", {"key": new_key(), "body": text, **more})


async def test_the_visitor_is_warned_in_words_and_nothing_is_kept_of_it(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    before = await rows()
    answer = await say(talk.jef, SENTENCE)
    assert answer.status_code == 422
    warning = talk.jef.screen.text("#refused")
    assert WARNING in warning
    assert "Aanpassen" in warning
    assert "Toch verzenden" in warning
    assert DIGITS[:6] not in re.sub(r"\D", "", warning), "what was typed stands in the bar, not here too"
    assert await rows() == before


async def rows() -> tuple[int, int, str]:
    everything = [str(row) for row in await Message.select()]
    chat = await Chat.select(Chat.seq).first()
    assert chat
    return len(everything), chat["seq"], "".join(everything)


async def test_sent_anyway_it_is_one_message_however_often_it_is_sent(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    key = new_key()
    assert (await say(talk.jef, SENTENCE, key=key)).status_code == 422
    assert (await say(talk.jef, SENTENCE, key=key, **SURE)).status_code == 200
    assert (await say(talk.jef, SENTENCE, key=key, **SURE)).status_code == 200
    assert (await say(talk.jef, SENTENCE, key=key)).status_code == 200, "it is there: nothing to warn of"
    assert await scenes.bodies() == [scenes.QUESTION, SENTENCE]


async def test_who_was_warned_of_one_kind_is_warned_of_another(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    both = f"{SENTENCE} Rekening BE54 0000 0000 0097"
    assert (await say(talk.jef, both, **SURE)).status_code == 422
    warning = talk.jef.screen.text("#refused")
    assert "Dit lijkt een rijksregisternummer en een rekeningnummer (IBAN)." in warning
    assert (await say(talk.jef, both, sure="rrn iban")).status_code == 200


@pytest.mark.parametrize("text", ["999990018", "Zaak 999990019", "Bel +32 2 123 45 67", "Op 12-03-2024"])
async def test_nobody_is_warned_of_a_near_miss(desk: Desk, text: str) -> None:
    talk = await scenes.connected(desk)
    assert (await say(talk.jef, "999990019")).status_code == 422, "a real one is"
    assert (await say(talk.jef, text)).status_code == 200
    await talk.an.open()
    assert text in talk.an.screen.text(f"#thread-{talk.chat}")


async def test_with_a_file_too_and_the_file_stays_for_the_next_try(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    ticket = await added(talk.jef, "/chat/files", b"een brief", "brief.txt")
    assert (await say(talk.jef, SENTENCE, files=ticket)).status_code == 422
    assert await Attachment.count().where(Attachment.seq.is_null()) == 1
    assert (await say(talk.jef, SENTENCE, files=ticket, **SURE)).status_code == 200
    await talk.an.open()
    bubble = talk.an.screen.texts(f"#thread-{talk.chat} .with-files")[0]
    assert MASK in bubble
    assert "brief.txt" in bubble
    assert RRN not in bubble


async def test_the_first_question_waits_for_the_visitors_word(desk: Desk) -> None:
    await desk.agent("an", "Loket", ready=True)
    jef = desk.visitor()
    await jef.open()
    await jef.press()
    form = {"name": "Jef", "subject": jef.subjects()[0], "question": SENTENCE, "key": new_key()}
    answer = await jef.post("/chat", form)
    assert answer.status_code == 422
    assert WARNING in jef.screen.text("#form")
    assert jef.screen.text("#form textarea") == SENTENCE
    assert await scenes.chats() == []
    first, *_others = jef.screen.css("#form [type=submit]")
    assert first.text(strip=True) == "Gesprek starten", "what Enter presses does not send it anyway"
    await jef.must("POST", "/chat", form | SURE)
    await jef.must("POST", "/chat", form)
    assert await scenes.bodies() == [SENTENCE]


async def test_a_remark_with_a_number_waits_for_it_too_and_is_hidden_in_the_log(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    await talk.jef.end()
    opinion = {"value": "4", "remark": SENTENCE}
    assert (await talk.jef.post("/chat/rating", opinion)).status_code == 422
    assert WARNING in talk.jef.screen.text("#rating")
    await talk.jef.must("POST", "/chat/rating", opinion | SURE)
    admin = await scenes.sign_in_admin(desk)
    page = (await admin.must("GET", f"/settings/log/{talk.chat}")).text
    assert MASK in page
    assert RRN not in page


@pytest.mark.parametrize("language", ["nl", "fr", "de", "en"])
async def test_the_warning_speaks_the_visitors_language(desk: Desk, language: str) -> None:
    await desk.agent("an", "Loket", ready=True)
    jef = await desk.visitor(language=language).begin()
    await say(jef, SENTENCE)
    words = {
        "nl": ("een rijksregisternummer", "Toch verzenden"),
        "fr": ("un numéro de registre national", "Envoyer quand même"),
        "de": ("eine Nationalregisternummer", "Trotzdem senden"),
        "en": ("a national register number", "Send anyway"),
    }
    for each in words[language]:
        assert each in jef.screen.text("#refused")


# ---- the mask --------------------------------------------------------------------------------------------


async def sent(desk: Desk) -> scenes.Talk:
    talk = await scenes.connected(desk)
    assert (await say(talk.jef, SENTENCE, **SURE)).status_code == 200
    return talk


def bare(text: str) -> str:
    return re.sub(r"[^0-9]", "", text)


async def test_agent_supervisor_and_log_see_it_hidden_and_the_visitor_sees_it_whole(desk: Desk) -> None:
    async with scenes.live(desk) as talk:
        assert (await say(talk.jef, SENTENCE, **SURE)).status_code == 200
        await talk.console.wait_for(MASK)
        await talk.window.wait_for(RRN)
        assert DIGITS not in bare(str([event.data for event in talk.console.events]))
        shown = talk.an.screen.text(f"#thread-{talk.chat}")
        assert f"Mijn rijksregisternummer is {MASK}" in shown
        assert "rijksregisternummer, verborgen" in shown
        eva = await desk.agent("eva")
        admin = await scenes.sign_in_admin(desk)
        pages = {
            "console": await talk.an.must("GET", "/console"),
            "copy": await talk.an.must("GET", f"/chats/{talk.chat}/text"),
            "reading along": await eva.must("GET", f"/settings/running/{talk.chat}"),
            "log": await admin.must("GET", f"/settings/log/{talk.chat}"),
            "lines": await admin.must("GET", f"/settings/log/{talk.chat}/export?format=jsonl"),
        }
        for name, page in pages.items():
            assert MASK in page.text, name
            assert RRN not in page.text, name
        paper = await admin.must("GET", f"/settings/log/{talk.chat}/export?format=pdf")
        printed = "".join(page.extract_text() for page in PdfReader(io.BytesIO(paper.content)).pages)
        assert MASK in printed
        assert DIGITS not in bare(printed)
        for path in ("/chat", "/chat/transcript.txt"):
            own = (await talk.jef.must("GET", path)).text
            assert RRN in own
            assert "•" not in own


async def test_a_request_shows_the_question_hidden(desk: Desk) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    await desk.visitor().begin(SENTENCE, sure="rrn")
    await an.open()
    pane = an.screen.text(f"#pane-request-{an.request}")
    assert MASK in pane
    assert RRN not in (an.screen.tree.html or "")
    assert "/numbers" not in (an.screen.tree.html or ""), "it is for whoever accepts"


async def test_nobody_finds_a_conversation_by_the_number(desk: Desk) -> None:
    talk = await sent(desk)
    await talk.an.say(talk.chat, "Onze rekening is BE68 5390 0754 7034")
    await searching.catch_up()
    admin = await scenes.sign_in_admin(desk)

    async def is_found(words: str) -> bool:
        page = await admin.must("GET", f"/settings/log?{httpx.QueryParams({'words': words})}")
        return f"/settings/log/{talk.chat}" in page.text

    assert await is_found("rijksregisternummer")
    assert not await is_found(RRN)
    assert not await is_found(DIGITS)
    assert not await is_found(DIGITS[:6])
    assert await is_found("BE68539007547034"), "what an agent writes is not hidden"


async def test_what_was_written_before_there_were_notes_is_hidden_too(desk: Desk) -> None:
    talk = await sent(desk)
    await Message.update({Message.numbers: None}, force=True)
    await talk.an.open()
    assert MASK in talk.an.screen.text(f"#thread-{talk.chat}")
    assert RRN not in (talk.an.screen.tree.html or "")


async def test_what_is_hidden_is_no_link_to_a_telephone(desk: Desk) -> None:
    number = next(
        each for n in range(200) if numbers.is_bsn(each := f"0250000{n:02}") and numbers.is_phone(each)
    )
    talk = await scenes.connected(desk)
    assert (await say(talk.jef, f"BSN {number}, of bel 02 500 01 00", sure="bsn")).is_success
    await talk.an.open()
    thread = talk.an.screen.first(f"#thread-{talk.chat}")
    assert [link.attributes["href"] for link in thread.css("[href^='tel:']")] == ["tel:+3225000100"]
    assert number not in (thread.html or "")


# ---- the reveal ------------------------------------------------------------------------------------------


async def reveal(person: Person, chat: str, seq: int, shown: str = "yes") -> httpx.Response:
    return await person.post(f"/chats/{chat}/messages/{seq}/numbers", {"shown": shown})


async def place_of(text: str) -> int:
    row = await Message.select(Message.seq).where(Message.body == text).first()
    assert row
    return int(row["seq"])


async def reveals() -> list[dict[str, Any]]:
    return await Audit.select().where(Audit.what == "revealed").order_by(Audit.id)


async def test_who_may_has_it_shown_and_each_time_is_written_down(desk: Desk) -> None:
    talk = await sent(desk)
    await talk.an.open()
    (button,) = talk.an.screen.css(f"#thread-{talk.chat} .guarded button")
    seq = await place_of(SENTENCE)
    assert button.attributes["hx-post"] == f"/chats/{talk.chat}/messages/{seq}/numbers"
    answer = await reveal(talk.an, talk.chat, seq)
    assert RRN in answer.text
    assert "Verbergen" in answer.text
    again = await reveal(talk.an, talk.chat, seq, "")
    assert MASK in again.text
    assert RRN not in again.text
    (line,) = await reveals()
    assert line["about"] == f"chat:{talk.chat}"
    assert json.loads(line["fields"]) == {"message": [None, seq], "numbers": [None, "rrn"]}
    assert DIGITS[:6] not in bare(line["fields"])
    await reveal(talk.an, talk.chat, seq)
    assert len(await reveals()) == 2


async def test_a_reader_of_the_log_and_a_supervisor_may_and_are_written_down_once(desk: Desk) -> None:
    talk = await sent(desk)
    seq = await place_of(SENTENCE)
    for person in (await desk.agent("eva"), await scenes.sign_in_admin(desk)):
        assert RRN in (await reveal(person, talk.chat, seq)).text
    assert len(await Audit.select()) == len(await reveals()) == 2


async def test_who_has_no_permission_is_refused_and_sees_no_button(desk: Desk) -> None:
    talk = await sent(desk)
    await talk.an.open()
    assert talk.an.screen.has(f"#thread-{talk.chat} .guarded button")
    await Role.update({Role.permissions: '["chat"]'}).where(Role.name == "agent")
    await talk.an.open()
    assert MASK in talk.an.screen.text(f"#thread-{talk.chat}")
    assert not talk.an.screen.has(".guarded")
    answer = await reveal(talk.an, talk.chat, await place_of(SENTENCE))
    assert answer.status_code == 403
    assert DIGITS not in bare(answer.text)
    assert await reveals() == []


async def test_another_agent_finds_nothing_there(desk: Desk) -> None:
    talk = await sent(desk)
    seq = await place_of(SENTENCE)
    bram = await desk.agent("bram", "Loket")
    answer = await reveal(bram, talk.chat, seq)
    assert answer.status_code == 404
    assert DIGITS not in bare(answer.text)
    assert (await reveal(talk.an, talk.chat, seq - 1)).status_code == 404, "nothing is hidden there"
    assert (await reveal(talk.jef, talk.chat, seq)).status_code == 401
    assert await reveals() == []


# ---- the desk decides ------------------------------------------------------------------------------------


async def test_a_desk_that_is_not_careful_with_a_kind_neither_warns_nor_hides(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    admin = await scenes.sign_in_admin(desk)
    admin.screen.show((await admin.must("GET", "/settings/desk")).text)
    kinds = [each for each in numbers.KINDS if "checked" in admin.screen.first(f"#{each}").attributes]
    assert kinds == list(numbers.KINDS), "careful with all, unless told otherwise"
    form = {"name": "Gemeente Voorbeeld", "time_zone": "Europe/Brussels", "language": "nl", "version": "1"}
    await admin.must("PUT", "/settings/desk", form | {"bsn": "yes", "iban": "yes"})
    assert the_desk.facts.numbers == ("bsn", "iban")
    assert (await say(talk.jef, SENTENCE)).status_code == 200
    assert (await say(talk.jef, "999990019")).status_code == 422
    await talk.an.open()
    assert RRN in talk.an.screen.text(f"#thread-{talk.chat}")


async def test_erasing_and_disclosing_know_the_truth(desk: Desk) -> None:
    """What is kept of a person is told as it is; the mask is for the desk's eyes."""
    from features import disclosure

    talk = await sent(desk)
    told = str(await disclosure.gathered([int(talk.chat)]))
    assert SENTENCE in told
    assert MASK not in told
    assert await db.sql("SELECT count(*) AS n FROM message WHERE numbers LIKE '%rrn%'") == [{"n": 1}]
