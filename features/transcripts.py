"""Transcripts: the visitor's own copy of the conversation, to keep: as PDF and as plain text.

    GET /chat/transcript.pdf
    GET /chat/transcript.txt

At any moment, and for a week after the end, for whoever holds the visitor's token. All that is in it is what
`telling` tells: the public thread, and nothing else.
"""

import json
import struct
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import structlog
from litestar import Request, Response, get
from litestar.exceptions import NotFoundException

import layouts
from db.clock import now
from db.tables import Chat
from features import aside, desk, telling
from features.access import Caller, visitor, visitor_of
from features.telling import Told
from layouts import _, speaking, template

if TYPE_CHECKING:
    import typst

KEPT_DAYS = 7  # after the end; as long as embed.js keeps the token
FONTS = layouts.HERE.parent / "static" / "fonts"
REGULAR, BOLD = "DejaVuSans.ttf", "DejaVuSans-Bold.ttf"
RUN = 40  # characters without a space, after which a line may break
UNSEEN = {"Cf", "Mn", "Me"}  # joins or changes what stands beside it: without a glyph, it says nothing
TURNS_TEXT = dict.fromkeys([0x061C, *range(0x200E, 0x2010), *range(0x202A, 0x202F), *range(0x2066, 0x206A)])

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Entry:
    """A day that begins, something that happened, or what somebody said; "private" is only for the log."""

    kind: Literal["day", "event", "said", "private"]
    words: str
    time: str = ""
    name: str = ""


@dataclass(frozen=True)
class Transcript:
    language: str
    region: str
    desk: str
    title: str
    file_name: str
    facts: list[tuple[str, str]]
    entries: list[Entry]
    mark: str = ""  # on every page: what this paper is not for


@get("/chat/transcript.txt", guards=[visitor])
async def download_text(request: Request[Any, Any, Any]) -> Response[bytes]:
    transcript = await written(await own_chat(visitor_of(request)))
    return attached(
        as_text(transcript).encode(), "text/plain", f"{transcript.file_name}.txt", transcript.language
    )


@get("/chat/transcript.pdf", guards=[visitor])
async def download_pdf(request: Request[Any, Any, Any]) -> Response[bytes]:
    transcript = await written(await own_chat(visitor_of(request)))
    pdf = await as_pdf(transcript)
    return attached(pdf, "application/pdf", f"{transcript.file_name}.pdf", transcript.language)


def attached(content: bytes, media_type: str, name: str, language: str) -> Response[bytes]:
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Language": language,
        "Cache-Control": "no-store",
    }
    return Response(content, media_type=media_type, headers=headers)


async def own_chat(caller: Caller) -> dict[str, Any]:
    """The visitor's newest chat that has been started, until a week after its end."""
    row = (
        caller.id is not None
        and await Chat.select(
            Chat.id,
            Chat.state,
            Chat.begun,
            Chat.language,
            Chat.visitor_name,
            Chat.started_at,
            Chat.ended_at,
            Chat.ended_how,
        )
        .where(Chat.visitor == caller.id)
        .where(Chat.started_at.is_not_null())
        .order_by(Chat.id, ascending=False)
        .first()
    )
    if not row or is_past(row):
        raise NotFoundException
    return row


def is_past(chat: dict[str, Any]) -> bool:
    return chat["ended_at"] is not None and now() - chat["ended_at"] > timedelta(days=KEPT_DAYS)


# ---- what is in it ---------------------------------------------------------------------------------------


async def written(chat: dict[str, Any], side: str = "visitor", language: str = "") -> Transcript:
    """In the language of the chat, unless another is asked for, and the time zone of the desk."""
    told = await telling.told(chat["id"], side)
    with speaking(language or chat["language"]):
        begun_on, name = layouts.day(chat["started_at"]), _("conversation")
        return Transcript(
            layouts.language.get(),
            layouts.locale().partition("_")[2],
            desk.facts.name,
            _("Conversation of %(day)s") % {"day": begun_on},
            f"{name}-{chat['started_at'].astimezone(layouts.zone):%Y-%m-%d}",
            facts(chat, told),
            list(entries(told, side)),
        )


def facts(chat: dict[str, Any], told: list[Told]) -> list[tuple[str, str]]:
    agents = dict.fromkeys(one_line(each.name) for each in told if each.kind in ("joined", "taken_over"))
    people = [one_line(chat["visitor_name"]) or _("Visitor"), *agents]
    said = [(_("Participants"), ", ".join(people)), (_("Started"), moment(chat["started_at"]))]
    if chat["ended_at"]:
        said += [(_("Ended"), moment(chat["ended_at"]))]
    else:
        not_over = _("the conversation was not over yet")
        said += [(_("Downloaded"), f"{moment(now())} ({not_over})")]
    return [*said, (_("Time zone"), str(layouts.zone))]


def moment(at: Any) -> str:
    return f"{layouts.day(at)} {layouts.clock_time(at)}"


def entries(told: list[Told], side: str) -> Iterator[Entry]:
    day = ""
    for each in told:
        if (today := layouts.day(each.at)) != day:
            day = today
            yield Entry("day", day)
        words, time = telling.in_words(each, side), layouts.clock_time(each.at)
        if each.author == "desk":
            yield Entry("event", words, time)
        else:
            yield Entry("said", words, time, one_line(each.name) or _("Visitor"))


def one_line(name: str) -> str:
    """A name cannot pretend to be more than a name."""
    return " ".join(name.translate(TURNS_TEXT).split())


# ---- as plain text: every message exactly as it was written -----------------------------------------------


def as_text(transcript: Transcript) -> str:
    head = [transcript.desk, transcript.title, "", *(f"{name}: {said}" for name, said in transcript.facts)]
    blocks = ["\n".join(head)]
    for each in transcript.entries:
        if each.kind == "day":
            blocks.append(f"--- {each.words} ---")
        elif each.kind == "event":
            blocks.append(f"{each.time} * {each.words}")
        else:
            blocks.append(f"{each.time} {each.name}:\n{each.words}")
    return "\n\n".join(blocks) + "\n"


# ---- as PDF ----------------------------------------------------------------------------------------------

# One at a time, beside the event loop: streams go on while a long conversation is set.
press = aside.Threads(1, "transcript")


async def as_pdf(*transcripts: Transcript) -> bytes:
    """One, or several in one document."""
    return await aside.done(press, printed, *transcripts)


def printed(*transcripts: Transcript) -> bytes:
    """What people wrote goes in as data, never as markup."""
    import typst

    first = transcripts[0]
    paper = json.dumps(
        {
            "language": first.language,
            "region": first.region,
            "title": f"{first.title} · {first.desk}",
            "mark": setting(first.mark),
            "conversations": [conversation(each) for each in transcripts],
        }
    )
    try:
        return typeset(paper, "ua-1")
    except typst.TypstError:
        # Then without the promise that every character can be read out; it is tagged all the same.
        # Why, it says with the words of the conversation.
        log.warning("a transcript is not PDF/UA")
        return typeset(paper)


def conversation(transcript: Transcript) -> dict[str, Any]:
    return {
        "heads": [setting(transcript.desk, BOLD), setting(transcript.title)],
        "facts": [[setting(name), setting(said)] for name, said in transcript.facts],
        "entries": [
            {
                "kind": each.kind,
                "time": each.time,
                "name": setting(each.name, BOLD),
                "lines": [
                    setting(line, BOLD if each.kind == "day" else REGULAR)
                    for line in each.words.splitlines() or [""]
                ],
            }
            for each in transcript.entries
        ],
    }


def typeset(paper: str, *standards: Literal["ua-1"]) -> bytes:
    import typst

    made = typst.compile(
        PAPER.encode(),
        font_paths=fonts(),
        sys_inputs={"paper": paper},
        format="pdf",
        pdf_standards=list(standards),
    )
    assert isinstance(made, bytes)
    return made


def setting(words: str, font: str = REGULAR) -> dict[str, Any]:
    """One line, as pieces between which it may be broken, and the direction in which it is read."""
    shown = "".join(drawable(words.replace("\t", "    "), characters_of(font)))
    return {"pieces": list(pieces(shown)), "rtl": reads_from_right(words)}


def drawable(words: str, known: frozenset[int]) -> Iterator[str]:
    """What the font has no glyph for is named by its number, so that nothing is missing unseen."""
    for character in words:
        if ord(character) in known:
            yield character
        elif unicodedata.category(character) not in UNSEEN:
            yield f"[U+{ord(character):04X}]"


def pieces(words: str) -> Iterator[str]:
    piece, run = "", 0
    for character in words:
        if run >= RUN and not unicodedata.combining(character):
            yield piece
            piece, run = "", 0
        piece += character
        run = 0 if character.isspace() else run + 1
    yield piece


def reads_from_right(words: str) -> bool:
    """As its first letter does."""
    directions = (unicodedata.bidirectional(character) for character in words)
    return next((each in ("R", "AL") for each in directions if each in ("L", "R", "AL")), False)


@cache
def fonts() -> "typst.Fonts":
    import typst

    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[FONTS])


@cache
def characters_of(font: str) -> frozenset[int]:
    """Those that a TrueType file has glyphs for: the groups of its character map in format 12."""
    data = (FONTS / font).read_bytes()
    (tables,) = struct.unpack_from(">H", data, 4)
    places = {
        data[at : at + 4]: struct.unpack_from(">L", data, at + 8)[0] for at in range(12, 12 + 16 * tables, 16)
    }
    cmap = places[b"cmap"]
    (maps,) = struct.unpack_from(">H", data, cmap + 2)
    found: set[int] = set()
    for each in range(maps):
        start = cmap + struct.unpack_from(">L", data, cmap + 8 + 8 * each)[0]
        if struct.unpack_from(">H", data, start)[0] == 12:
            (groups,) = struct.unpack_from(">L", data, start + 12)
            for group in range(groups):
                first, last, _glyph = struct.unpack_from(">3L", data, start + 16 + 12 * group)
                found.update(range(first, last + 1))
    return frozenset(found)


# The page, for typst. It is tagged: a title, a heading for each day, a paragraph for each line.
PAPER = """
#let paper = json(bytes(sys.inputs.paper))
#let soft = rgb("#4a5562")
#set document(title: paper.title, author: (), date: none)
#set page(paper: "a4", margin: (x: 24mm, y: 24mm), numbering: "1 / 1")
#let violet = rgb("#5b2a86")
#set text(font: "DejaVu Sans", size: 10pt, lang: paper.language, region: paper.region, hyphenate: false)
#set par(justify: false, leading: 0.65em, spacing: 0.65em)
#show heading.where(level: 1): set text(size: 17pt)
#show heading.where(level: 2): set text(size: 10pt)
#show heading.where(level: 2): set block(above: 2em, below: 1em)

#let said(it) = text(dir: if it.rtl { rtl } else { ltr }, it.pieces.join(box()))
#let line(it) = {
  set align(if it.rtl { right } else { left })
  par(said(it))
}

#set page(header: text(fill: violet, said(paper.mark))) if paper.mark.pieces.join("") != ""

#for (at, conversation) in paper.conversations.enumerate() {
  if at > 0 { pagebreak() }
  heading(level: 1, said(conversation.heads.at(0)))
  par(text(size: 12pt, said(conversation.heads.at(1))))
  v(0.6em)
  for (name, value) in conversation.facts { par[#text(fill: soft)[#said(name):] #said(value)] }

  for it in conversation.entries {
    if it.kind == "day" {
      heading(level: 2, said(it.lines.at(0)))
    } else if it.kind == "event" {
      block(above: 1.2em, below: 1.2em, text(fill: soft)[#it.time #h(0.4em) #said(it.lines.at(0))])
    } else if it.kind == "private" {
      set text(fill: violet)
      block(above: 1.2em, below: 0.65em, sticky: true)[*#said(it.name)* #h(0.4em) #it.time]
      let lines = for each in it.lines { line(each) }
      block(stroke: (left: 1.5pt + violet), inset: (left: 8pt, y: 2pt), lines)
    } else {
      block(above: 1.2em, below: 0.65em, sticky: true)[*#said(it.name)* #h(0.4em) #text(fill: soft, it.time)]
      for each in it.lines { line(each) }
    }
  }
}
"""

routes = [download_text, download_pdf]

ui = template("""
{% from "components.html" import icon, icon_button, notice %}

{# In the head of the window; in sight as long as there is a conversation. #}
{% macro in_head() %}
{{ icon_button("download", _("Download conversation"), attrs={"id": "download", "popovertarget": "download-menu"}) }}
<div class="menu" id="download-menu" popover>
  <p class="menu-title">{{ _("Download conversation") }}</p>
  {{ choice("pdf", "file-text", _("As a PDF"), "menu-item", hides=true) }}
  {{ choice("txt", "text-quote", _("As plain text"), "menu-item", hides=true) }}
</div>
{% endmacro %}

{% macro at_the_end() %}
<div class="after-part" role="group" aria-labelledby="after-download">
  <h3 class="legend" id="after-download">{{ _("Download conversation") }}</h3>
  <div class="actions">
    {{ choice("pdf", "file-text", _("As a PDF"), "button secondary") }}
    {{ choice("txt", "text-quote", _("As plain text"), "button secondary") }}
  </div>
</div>
{% endmacro %}

{# Fetched with the visitor's token, which a link would not send. #}
{% macro choice(type, sign, words, classes, hides=false) -%}
<button type="button" class="{{ classes }}" hx-get="/chat/transcript.{{ type }}" hx-swap="none" data-download{% if hides %} popovertarget="download-menu" popovertargetaction="hide"{% endif %}>{{ icon(sign) }}<span>{{ words }}</span></button>
{%- endmacro %}

{# The script shows it. #}
{% macro lost() %}
{{ notice("error", _("The download did not succeed. Try again."), attrs={"id": "download-lost", "role": "alert", "hidden": true}) }}
{% endmacro %}
""")  # noqa: E501
