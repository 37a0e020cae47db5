"""After the end: the rating, the copy by e-mail, and that neither is in anybody's way."""

import asyncio
import json
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from db.settings import settings
from db.tables import Chat, Mail, Rating
from features import copies, mail
from features.desk import keyed
from tests.conftest import Clock, Desk
from tests.people import new_key
from tests.scenes import Talk, connected, taken

DAY_S = 24 * 3600
CANARY = "kanarie-7319"
QUESTION = "Hoe tevreden bent u over dit gesprek?"


async def ended(desk: Desk) -> Talk:
    talk = await connected(desk)
    await talk.jef.end()
    return talk


# ---- the rating ------------------------------------------------------------------------------------------


async def test_five_named_choices_stand_there_after_the_end(desk: Desk) -> None:
    talk = await connected(desk)
    await talk.jef.open()
    assert not talk.jef.screen.has("#rating")
    await talk.jef.end()
    assert QUESTION in talk.jef.screen.text("#rating")
    words = ["Heel ontevreden", "Ontevreden", "Neutraal", "Tevreden", "Heel tevreden"]
    assert talk.jef.screen.texts("#rating .choice") == words
    assert talk.jef.screen.has("#after [data-act=again]"), "nothing is in the way of another conversation"


async def test_it_is_given_once_with_a_remark(desk: Desk) -> None:
    talk = await ended(desk)
    await talk.jef.must("POST", "/chat/rating", {"value": "4", "remark": " Vlot geholpen. \n"})
    assert "Bedankt voor uw mening" in talk.jef.screen.text("#rating")
    await talk.jef.must("POST", "/chat/rating", {"value": "1", "remark": "Toch niet"})
    assert "al gegeven" in talk.jef.screen.text("#rating")
    (row,) = await Rating.select()
    assert (row["value"], row["remark"]) == (4, "Vlot geholpen.")
    await talk.jef.open()
    assert not talk.jef.screen.has("#rating")


async def test_what_is_no_opinion_is_refused_with_words(desk: Desk) -> None:
    talk = await ended(desk)
    for value in ("", "0", "6", "x", "4.5", "²"):
        answer = await talk.jef.post("/chat/rating", {"value": value, "remark": "Dit blijft staan"})
        assert answer.status_code == 422
        assert "Kies een van de vijf antwoorden" in talk.jef.screen.text("#rating")
        assert "Dit blijft staan" in talk.jef.screen.text("#rating")
    answer = await talk.jef.post("/chat/rating", {"value": "5", "remark": "x" * 1001})
    assert answer.status_code == 422
    assert "1.001 tekens" in talk.jef.screen.text("#rating")
    assert await Rating.count() == 0
    await talk.jef.must("POST", "/chat/rating", {"value": "5", "remark": "x" * 1000})


async def test_only_ones_own_conversation_is_rated_and_only_after_it(desk: Desk, clock: Clock) -> None:
    talk = await connected(desk)
    assert (await talk.jef.post("/chat/rating", {"value": "5"})).status_code == 404
    await talk.jef.end()
    assert (await desk.visitor().post("/chat/rating", {"value": "5"})).status_code == 404
    assert (await talk.an.post("/chat/rating", {"value": "5"})).status_code == 401
    clock.shift(8 * DAY_S)
    assert (await talk.jef.post("/chat/rating", {"value": "5"})).status_code == 404
    assert await Rating.count() == 0


async def test_a_wait_is_not_rated(desk: Desk) -> None:
    await desk.agent("an", "Loket", ready=True)
    jef = await desk.visitor().begin()
    await jef.end()
    assert not jef.screen.has("#rating")
    assert (await jef.post("/chat/rating", {"value": "5"})).status_code == 404


async def test_the_agent_sees_nothing_of_it(desk: Desk) -> None:
    talk = await connected(desk)
    async with talk.an.stream() as console:
        await talk.jef.end()
        await talk.jef.must("POST", "/chat/rating", {"value": "1", "remark": CANARY})
        await talk.an.post(f"/chats/{talk.chat}/private-messages", {"key": new_key(), "body": "premisse"})
        await console.wait_for("premisse")
        assert CANARY not in console.data
    assert CANARY not in (await talk.an.get("/console")).text


# ---- what else stands there ------------------------------------------------------------------------------


async def test_download_and_wiping_are_there_after_the_end(desk: Desk) -> None:
    talk = await ended(desk)
    for kind in ("pdf", "txt"):
        assert talk.jef.screen.has(f"#after [hx-get='/chat/transcript.{kind}']")
    assert talk.jef.screen.text("#after [data-act=forget]") == "Wissen op dit toestel"


# ---- the copy by e-mail ----------------------------------------------------------------------------------


class Post:
    """A mail server, which can be down, and can refuse."""

    def __init__(self) -> None:
        self.letters: list[tuple[list[str], EmailMessage]] = []
        self.refusal = ""

    def factory(self) -> SMTP:
        return SMTP(self, enable_SMTPUTF8=False, loop=asyncio.get_running_loop())

    async def open(self) -> None:
        self.server = await asyncio.get_running_loop().create_server(self.factory, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        self.server.close()
        await self.server.wait_closed()

    async def handle_RCPT(
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if self.refusal:
            return self.refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        letter = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        self.letters.append((envelope.rcpt_tos, letter))
        return "250 OK"


@pytest.fixture
async def post_office(desk: Desk) -> AsyncIterator[Post]:
    office = Post()
    await office.open()
    configure(desk, f"smtp://127.0.0.1:{office.port}")
    yield office
    await office.close()


def configure(desk: Desk, smtp_url: str) -> None:
    object.__setattr__(settings, "smtp_url", smtp_url)
    object.__setattr__(settings, "mail_from", "loket@voorbeeld.be")


async def ask(talk: Talk, address: str = "jef@voorbeeld.be") -> int:
    return (await talk.jef.post("/chat/transcript/mail", {"address": address})).status_code


async def row() -> dict[str, Any]:
    (found,) = await Mail.select()
    return found


async def test_without_a_mail_server_it_is_not_offered(desk: Desk) -> None:
    talk = await ended(desk)
    assert not talk.jef.screen.has("#copy")
    assert await ask(talk) == 404


async def test_it_brings_the_conversation_as_pdf_and_as_text(desk: Desk, post_office: Post) -> None:
    talk = await connected(desk)
    await talk.an.post(f"/chats/{talk.chat}/private-messages", {"key": new_key(), "body": CANARY})
    await talk.jef.end()
    assert "Het gesprek per e-mail ontvangen" in talk.jef.screen.text("#copy")
    assert await ask(talk) == 200
    assert "wordt verstuurd naar jef@voorbeeld.be" in talk.jef.screen.text("#copy")
    await mail.send_due()
    ((to, letter),) = post_office.letters
    assert to == ["jef@voorbeeld.be"]
    assert letter["To"] == "jef@voorbeeld.be"
    assert letter["From"] == "Gemeente Voorbeeld <loket@voorbeeld.be>"
    assert letter["Subject"] == "Uw gesprek met Gemeente Voorbeeld op woensdag 11 maart 2026"
    assert letter["Auto-Submitted"] == "auto-generated"
    pdf, text = letter.iter_attachments()
    assert pdf.get_content().startswith(b"%PDF-")
    assert "Mag ik vandaag parkeren?" in text.get_content()
    assert text.get_content() == (await talk.jef.get("/chat/transcript.txt")).text
    assert CANARY not in letter.as_string()
    assert [pdf.get_filename(), text.get_filename()] == ["gesprek-2026-03-11.pdf", "gesprek-2026-03-11.txt"]


async def test_it_is_sent_once_and_its_address_is_wiped(desk: Desk, post_office: Post) -> None:
    talk = await ended(desk)
    await ask(talk)
    for _ in range(3):
        await mail.send_due()
    assert len(post_office.letters) == 1
    assert (await row())["address"] == ""
    assert (await row())["sent_at"] is not None


async def test_one_address_per_conversation(desk: Desk, post_office: Post) -> None:
    talk = await ended(desk)
    assert await ask(talk) == 200
    assert await ask(talk, "iemand.anders@voorbeeld.be") == 200
    assert "wordt per e-mail verstuurd" in talk.jef.screen.text("#copy")
    await mail.send_due()
    assert await ask(talk, "nog.iemand@voorbeeld.be") == 200
    assert "is per e-mail verstuurd" in talk.jef.screen.text("#copy")
    await mail.send_due()
    assert [to for to, _letter in post_office.letters] == [["jef@voorbeeld.be"]]


async def test_a_server_that_is_down_is_tried_again(desk: Desk, post_office: Post, clock: Clock) -> None:
    talk = await ended(desk)
    await post_office.close()
    await ask(talk)
    assert "wordt verstuurd naar jef@voorbeeld.be" in talk.jef.screen.text("#copy")
    began = clock.now()
    await mail.send_due()
    await desk.visitor().begin("Nog een vraag")
    assert await taken(talk.an), "nobody at the desk has anything of it"
    waiting = await row()
    assert (waiting["attempts"], waiting["sent_at"]) == (1, None)
    assert 50 < (waiting["next_attempt_at"] - began).total_seconds() < 70
    assert "jef" not in waiting["problem"]
    await mail.send_due()
    assert (await row())["attempts"] == 1, "not before its time"
    post_office.server = await asyncio.get_running_loop().create_server(
        post_office.factory, "127.0.0.1", post_office.port
    )
    clock.shift(61)
    await mail.send_due()
    assert len(post_office.letters) == 1


async def test_it_is_given_up_in_the_end(desk: Desk, post_office: Post, clock: Clock) -> None:
    talk = await ended(desk)
    post_office.refusal = "451 later"
    await ask(talk)
    for _ in range(len(mail.RETRY_MINUTES) + 1):
        assert (await row())["next_attempt_at"] is not None
        await mail.send_due()
        clock.shift(13 * 3600)
    given_up = await row()
    assert (given_up["next_attempt_at"], given_up["sent_at"], given_up["address"]) == (None, None, "")
    assert await ask(talk) == 200
    assert "kon niet per e-mail worden verstuurd" in talk.jef.screen.text("#copy")


async def test_an_address_that_does_not_exist_is_not_tried_again(desk: Desk, post_office: Post) -> None:
    talk = await ended(desk)
    post_office.refusal = "550 no such person"
    await ask(talk)
    await mail.send_due()
    assert (await row())["next_attempt_at"] is None


async def test_a_letter_that_a_process_took_and_lost_is_sent_by_another(
    desk: Desk, post_office: Post, clock: Clock
) -> None:
    talk = await ended(desk)
    await ask(talk)
    assert await mail.take(await row())
    stale = {**await row(), "attempts": 0}
    assert not await mail.take(stale), "another process that saw it at the same time"
    await mail.send_due()
    assert not post_office.letters
    clock.shift(mail.TAKEN_S + 1)
    await mail.send_due()
    assert len(post_office.letters) == 1


async def test_nobody_waits_for_a_server_that_says_nothing(desk: Desk) -> None:
    talk = await ended(desk)
    silent = await asyncio.start_server(lambda _reader, _writer: asyncio.sleep(30), "127.0.0.1", 0)
    configure(desk, f"smtp://127.0.0.1:{silent.sockets[0].getsockname()[1]}")
    async with asyncio.timeout(5):
        assert await ask(talk) == 200
    silent.close()


@pytest.mark.parametrize(
    "address",
    [
        "",
        "jef",
        "jef@",
        "@voorbeeld.be",
        "jef@voorbeeld",
        "jef@voorbeeld.be\nBcc: an@voorbeeld.be",
        "jef@voorbeeld.be\r\n\r\nx",
        "jef@voorbeeld.be, an@voorbeeld.be",
        "jef@voorbeeld.be an@voorbeeld.be",
        "Jef <jef@voorbeeld.be>",
        '"jef an"@voorbeeld.be',
        "jef..an@voorbeeld.be",
        ".jef@voorbeeld.be",
        "jef@voor\u2028beeld.be",
        "jéf@voorbeeld.be",
        "j" * 65 + "@voorbeeld.be",
        "jef@" + "a." * 130 + "be",
        "jef@voorbeeld.be\0",
    ],
)
def test_what_is_not_one_address_is_none(address: str) -> None:
    assert not copies.is_address(address)


def test_real_addresses_are_taken() -> None:
    for address in ("jef@voorbeeld.be", "Jef.Peeters+chat@mail.voorbeeld.be", "o'neil@example.org"):
        assert copies.is_address(address)


async def test_no_header_comes_from_what_is_typed(desk: Desk, post_office: Post) -> None:
    talk = await ended(desk)
    for address in ("jef@voorbeeld.be\nBcc: an@voorbeeld.be", "jef@voorbeeld.be%0aBcc: x@y.be"):
        assert await ask(talk, address) == 422
        assert "Vul een e-mailadres in" in talk.jef.screen.text("#copy")
    assert await Mail.count() == 0


async def test_letters_are_rationed(desk: Desk, post_office: Post, clock: Clock) -> None:
    talk = await ended(desk)
    template = await Chat.select().first()
    assert template
    for number in range(mail.PER_ASKER):
        await Mail.insert(
            Mail(
                kind=f"test-{number}",
                chat=template["id"],
                asked_at=clock.now(),
                asked_by_hash=keyed("mail from", "127.0.0.1"),
            )
        )
    assert await ask(talk) == 429
    assert "Er zijn te veel e-mails gevraagd" in talk.jef.screen.text("#copy")
    clock.shift(3601)
    assert await ask(talk) == 200


async def test_one_address_gets_no_flood(desk: Desk, post_office: Post, clock: Clock) -> None:
    talk = await ended(desk)
    template = await Chat.select().first()
    assert template
    for number in range(mail.PER_ADDRESS):
        await Mail.insert(
            Mail(
                kind=f"test-{number}",
                chat=template["id"],
                asked_at=clock.now(),
                address_hash=keyed("mail to", "jef@voorbeeld.be"),
            )
        )
    clock.shift(3601)
    assert await ask(talk, "JEF@voorbeeld.be") == 429
    clock.shift(DAY_S)
    assert await ask(talk) == 200


async def test_only_ones_own_conversation_is_sent_and_only_after_it(desk: Desk, post_office: Post) -> None:
    talk = await connected(desk)
    assert await ask(talk) == 404
    await talk.jef.end()
    assert (await desk.visitor().post("/chat/transcript/mail", {"address": "x@y.be"})).status_code == 404
    assert await Mail.count() == 0


def test_a_setting_that_is_no_mail_server_is_refused() -> None:
    from db.settings import BadSetting

    for wrong in ("http://host", "smtp://", "host:25", "smtp://host/path", "smtp://host?x=1"):
        with pytest.raises(BadSetting, match="BALIE_SMTP_URL"):
            settings.load({"BALIE_SMTP_URL": wrong})
    for secret in ("ge#heim", "ge/heim", "ge?heim", "ge#@heim", "ge[x]"):
        with pytest.raises(BadSetting, match="write # / ") as told:
            settings.load({"BALIE_SMTP_URL": f"smtp://user:{secret}@host:587"})
        assert "ge" not in str(told.value).split("write")[0].split(":")[1], "no part of it is shown"
        with pytest.raises(BadSetting, match="write # / "):
            settings.load({"BALIE_DATABASE_URL": f"postgresql://user:{secret}@host/balie"})
    with pytest.raises(BadSetting, match="BALIE_MAIL_FROM"):
        settings.load({"BALIE_MAIL_FROM": "x@y.be\nBcc: z@y.be"})
    settings.load({"BALIE_SMTP_URL": "smtp://user:p%40ss@host:587?starttls=1"})
    assert settings.smtp_url
    settings.load({})
    assert json.dumps(settings.smtp_url) == '""'
