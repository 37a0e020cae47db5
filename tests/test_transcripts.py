"""The visitor's copy of the conversation: what is in it, for whom, for how long, and what never is."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from db.tables import Chat, Message, Visitor
from features import messages, telling, transcripts
from layouts import speaking
from tests.conftest import Clock, Desk
from tests.people import Visitor as VisitorClient
from tests.people import new_key
from tests.scenes import connected, live, longest_turn

pytestmark = pytest.mark.either

CANARY = "kanarie-7319"
DAY_S = 24 * 3600
HOSTILE = '<script>alert(1)</script> #panic("x") $x$ *vet* _schuin_ @a <b> \\ "a" #read("/etc/passwd") `c`'
SPELLINGS = "é ł Ω ĳ ß € Ж ґ Ա ა שלום مرحبا"


async def text_of(visitor: VisitorClient) -> str:
    answer = await visitor.must("GET", "/chat/transcript.txt")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    return answer.content.decode()


async def pdf_of(visitor: VisitorClient) -> bytes:
    answer = await visitor.must("GET", "/chat/transcript.pdf")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")
    return answer.content


# ---- what is in it ---------------------------------------------------------------------------------------


async def test_it_tells_who_said_what_when_and_how_it_ended(desk: Desk) -> None:
    talk = await connected(desk)
    await talk.an.say(talk.chat, "Dag Jef, in welke straat?")
    await talk.jef.say("In de Kerkstraat")
    await talk.an.end(talk.chat)
    text = await text_of(talk.jef)
    assert text.startswith(
        "Gemeente Voorbeeld\nGesprek van woensdag 11 maart 2026\n\n"
        "Deelnemers: Jef Peeters, An\nBegonnen: woensdag 11 maart 2026 10:00\n"
    )
    assert "Beëindigd: woensdag 11 maart 2026 10:00\nTijdzone: Europe/Brussels\n" in text
    told = [
        "10:00 Jef Peeters:\nMag ik vandaag parkeren?",
        "10:00 * An neemt deel",
        "10:00 An:\nDag Jef, in welke straat?",
        "10:00 Jef Peeters:\nIn de Kerkstraat",
        "10:00 * Gesprek beëindigd door An om 10:00",
    ]
    assert text.split("---\n\n")[1] == "\n\n".join(told) + "\n"


async def test_it_can_be_had_while_the_conversation_goes_on(desk: Desk) -> None:
    talk = await connected(desk)
    text = await text_of(talk.jef)
    assert "het gesprek was nog niet afgelopen" in text
    assert "Beëindigd" not in text


async def test_who_left_is_told(desk: Desk) -> None:
    talk = await connected(desk)
    await talk.an.sign_out(anyway="true")
    text = await text_of(talk.jef)
    assert "10:00 * An heeft het gesprek verlaten" in text
    assert "10:00 * Even geduld, we verbinden u opnieuw" in text


async def test_every_message_is_exactly_what_was_written(desk: Desk) -> None:
    talk = await connected(desk)
    said = [HOSTILE, "regel een\n\n  regel twee\t\N{AUTOMOBILE}\u2028x", "https://www.voorbeeld.be/a?b=c&d=é"]
    for each in said:
        await talk.jef.say(each)
    text = await text_of(talk.jef)
    for each in said:
        assert f":\n{each}\n" in text


async def test_it_speaks_the_language_of_the_chat(desk: Desk) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    marie = await desk.visitor(language="fr").begin("Bonjour", name="Marie")
    await an.open()
    await an.accept()
    marie.client.headers["X-Language"] = "nl"
    text = await text_of(marie)
    assert "Conversation du mercredi 11 mars 2026" in text
    assert "An participe à la conversation" in text


@pytest.mark.parametrize("time_of_day", ["2026-03-11T23:30:00+00:00"])
async def test_days_and_times_are_those_of_the_desk(desk: Desk) -> None:
    """Half past midnight in Brussels."""
    from db.tables import Queue

    await Queue.update({Queue.always_open: True}, force=True)
    talk = await connected(desk)
    assert "Begonnen: donderdag 12 maart 2026 00:30" in await text_of(talk.jef)


async def test_each_day_of_a_long_conversation_is_told(desk: Desk, clock: Clock) -> None:
    talk = await connected(desk)
    chat = int(talk.chat)
    clock.shift(DAY_S)
    await messages.post(chat, new_key(), "De volgende dag", author="visitor", name="Jef Peeters")
    text = "".join(transcripts.as_text(await transcripts.written(await row_of(chat))))
    assert re.findall("--- (.*) ---", text) == ["woensdag 11 maart 2026", "donderdag 12 maart 2026"]


async def row_of(chat: int) -> dict[str, object]:
    row = await Chat.select().where(Chat.id == chat).first()
    assert row
    return row


async def test_a_name_cannot_pretend_to_be_more_than_a_name(desk: Desk) -> None:
    await desk.agent("an", "Loket", ready=True)
    jef = await desk.visitor().begin(name="Jef\u202e\n10:00 An:\nU krijgt 1.000 euro")
    assert "\nU krijgt" not in await text_of(jef)
    assert "\u202e" not in await text_of(jef)


async def test_another_features_message_says_itself(desk: Desk) -> None:
    talk = await connected(desk)
    transcript_kind = "parcel"
    telling.told_as(transcript_kind)(lambda told: f"Pakje: {told.data['what']}")
    try:
        import db

        async with db.transaction():
            await messages.write(
                int(talk.chat),
                new_key(),
                author="agent",
                name="An",
                kind=transcript_kind,
                data={"what": "boek"},
            )
        assert "An:\nPakje: boek" in await text_of(talk.jef)
    finally:
        del telling.tellers[transcript_kind]


# ---- what never is ---------------------------------------------------------------------------------------


async def test_nothing_private_is_in_it(desk: Desk) -> None:
    talk = await connected(desk)
    before = await text_of(talk.jef)
    note = {"key": new_key(), "body": CANARY}
    assert (await talk.an.post(f"/chats/{talk.chat}/private-messages", note)).is_success
    assert await text_of(talk.jef) == before
    pdf = await pdf_of(talk.jef)
    assert CANARY not in shown(pdf)
    assert CANARY.encode() not in pdf


# ---- for whom, and for how long --------------------------------------------------------------------------


async def test_another_token_has_another_conversation_or_none(desk: Desk) -> None:
    talk = await connected(desk)
    marie = await desk.visitor().begin("Is het open?", name="Marie")
    assert "parkeren" not in await text_of(marie)
    stranger = desk.visitor()
    for kind in ("txt", "pdf"):
        assert (await stranger.get(f"/chat/transcript.{kind}")).status_code == 404
        assert (await desk.nobody().get(f"/chat/transcript.{kind}")).status_code == 401
        assert (await talk.an.get(f"/chat/transcript.{kind}")).status_code == 401


async def test_a_form_that_was_never_sent_is_no_conversation(desk: Desk) -> None:
    await desk.agent("an", "Loket", ready=True)
    jef = desk.visitor()
    await jef.open()
    await jef.press()
    assert await Visitor.count() == 1
    assert (await jef.get("/chat/transcript.txt")).status_code == 404


async def test_it_is_there_for_a_week_after_the_end(desk: Desk, clock: Clock) -> None:
    talk = await connected(desk)
    await talk.jef.end()
    clock.shift(6.9 * DAY_S)
    assert "parkeren" in await text_of(talk.jef)
    clock.shift(1.1 * DAY_S)
    for kind in ("txt", "pdf"):
        assert (await talk.jef.get(f"/chat/transcript.{kind}")).status_code == 404


# ---- the PDF ---------------------------------------------------------------------------------------------


def shown(pdf: bytes) -> str:
    """The text of a PDF, as a reader copies it."""
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


async def test_the_pdf_says_the_same(desk: Desk) -> None:
    talk = await connected(desk)
    await talk.jef.say(f"{SPELLINGS}\n{HOSTILE}")
    text = shown(await pdf_of(talk.jef))
    for words in (
        "Gemeente Voorbeeld",
        "Gesprek van woensdag 11 maart 2026",
        "An neemt deel",
        "é ł Ω ĳ ß € Ж",
    ):
        assert words in text
    assert "".join(HOSTILE.split()) in "".join(text.split())


async def test_the_pdf_is_for_screen_readers_too(desk: Desk) -> None:
    talk = await connected(desk)
    root: Any = PdfReader(io.BytesIO(await pdf_of(talk.jef))).trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "nl-BE"
    assert b"pdfuaid:part" in root["/Metadata"].get_data()
    tags = {str(each["/S"]) for each in elements(root["/StructTreeRoot"])}
    assert {"/H1", "/H2", "/P"} <= tags


def elements(node: Any) -> Iterator[Any]:
    children = node.get("/K", []) if hasattr(node, "get") else []
    for child in children if isinstance(children, list) else [children]:
        child = child.get_object()
        if hasattr(child, "get") and "/S" in child:
            yield child
            yield from elements(child)


async def test_what_no_font_has_is_named_by_its_number(desk: Desk) -> None:
    talk = await connected(desk)
    await talk.jef.say("漢 en \N{AUTOMOBILE}\ufe0f en \ue000 en \U000e0041 en ก")
    text = shown(await pdf_of(talk.jef))
    for number in ("[U+6F22]", "[U+1F697]", "[U+E000]", "[U+0E01]"):
        assert number in text


@pytest.mark.parametrize(
    "words",
    [
        "W" * 4000,
        "\u0301" * 50,
        "א" * 500,
        "\u202e\u2066x",
        "\n" * 30 + "x",
        "\u200d" * 60 + "a",
        "سلام " * 100,
        "\t\ta",
    ],
)
def test_no_text_keeps_it_from_being_made(words: str) -> None:
    entry = transcripts.Entry("said", words, "10:00", words[:80])
    made = transcripts.printed(
        transcripts.Transcript("nl", "BE", words[:80], "Gesprek", "gesprek", [("a", words[:80])], [entry])
    )
    assert made.startswith(b"%PDF-")


def test_a_word_without_end_stays_on_the_page() -> None:
    entry = transcripts.Entry("said", "Wat " + "W" * 400, "10:00", "Jef")
    made = transcripts.printed(transcripts.Transcript("nl", "BE", "Desk", "Gesprek", "g", [], [entry]))
    ends: list[float] = []

    def look(text: str, _cm: Any, tm: Any, *_font: Any) -> None:
        if "W" in text:
            ends.append(tm[4] + text.count("W") * 9.9)

    (page,) = PdfReader(io.BytesIO(made)).pages
    page.extract_text(visitor_text=look)
    assert shown(made).count("W") == 401
    assert max(ends) < page.mediabox.width


def test_right_to_left_is_read_from_the_right() -> None:
    assert transcripts.reads_from_right("שלום, abc")
    assert transcripts.reads_from_right("123 مرحبا")
    assert not transcripts.reads_from_right("abc שלום")
    assert not transcripts.reads_from_right("123")


async def test_streams_go_on_while_a_long_one_is_made(desk: Desk) -> None:
    """500 messages. The PDF is not made on the event loop, which serves all streams."""
    async with live(desk) as talk:
        chat = int(talk.chat)
        row = await Chat.select(Chat.seq).where(Chat.id == chat).first()
        assert row
        seq = row["seq"]
        for number in range(1, 501):
            await Message.insert(
                Message(
                    chat=chat,
                    seq=seq + number,
                    key=f"{number:08}",
                    author="visitor",
                    body=f"{HOSTILE} {number}",
                )
            )
        transcript = await transcripts.written(await row_of(chat))
        pdf, longest = await longest_turn(transcripts.as_pdf(transcript))
        assert b"%PDF-" in pdf
        assert longest < 0.05
        assert len(re.findall("Jef|Bezoeker", await text_of(talk.jef))) > 500


def test_texts_are_in_every_language() -> None:
    for language, words in (("nl", "Gesprek van"), ("fr", "Conversation du"), ("de", "Gespräch vom")):
        with speaking(language):
            from layouts import _

            assert words in _("Conversation of %(day)s")


def test_the_fonts_come_with_their_licence() -> None:
    assert "Bitstream Vera" in (Path(transcripts.FONTS) / "LICENSE.txt").read_text()
