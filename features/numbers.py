"""Numbers: those by which a person can be found or paid, in what visitors write: a BSN, a
rijksregisternummer, an IBAN, the number of a card. No URLs.

`find` says where they stand, however they were written; a number whose check digits are wrong, a telephone
number, a date, a case number and the inside of a longer number are left alone. The visitor is warned before
one is sent and may send it anyway. Which stand in a message is decided once, when it is written (`noted`);
the desk's side then shows them `hidden`, and `reveals` shows one to who asks for it. What an agent writes is
never hidden: it answers for that itself.

Whatever 4,000 characters hold, they cost a few hundredths of a second; what people write, far less.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import phonenumbers
from stdnum import iban, luhn, numdb
from stdnum.be import bis, nn
from stdnum.nl import bsn

from features import desk
from layouts import _, all_of, env, template

KINDS = ("bsn", "rrn", "iban", "card")
Span = tuple[int, int, str]  # from, to, kind

NAMES: dict[str, Callable[[], str]] = {
    "bsn": lambda: _("citizen service number (BSN)"),
    "rrn": lambda: _("national register number"),
    "iban": lambda: _("account number (IBAN)"),
    "card": lambda: _("bank card number"),
}
ONE: dict[str, Callable[[], str]] = {
    "bsn": lambda: _("a citizen service number (BSN)"),
    "rrn": lambda: _("a national register number"),
    "iban": lambda: _("an account number (IBAN)"),
    "card": lambda: _("a bank card number"),
}
SHOWN = {"bsn": 2, "rrn": 2, "iban": 4, "card": 4}  # characters at the end, to know it again

# ---- what is written, as it is compared ------------------------------------------------------------------

FEWEST_DIGITS = 9
DIGIT = re.compile(r"\d")
GROUP = re.compile("[0-9]+")
GAP = re.compile(r"[ \t]?([./-]?)[ \t]?")  # between the groups of one number
DASHES = "‐‑‒–—―−"


def plain(text: str) -> tuple[str, Sequence[int]]:
    """With digits, dashes and spaces of any kind as the ordinary ones, without what nobody sees; and where
    each of its characters stood."""
    if text.isascii():
        return text, range(len(text) + 1)
    kept, places = [], []
    for at, each in enumerate(text):
        if each < "\x80":
            as_read = each
        elif unicodedata.category(each) == "Cf":
            continue
        else:
            as_read = read(each)
        kept.append(as_read)
        places.append(at)
    return "".join(kept), places


def read(character: str) -> str:
    if (digit := unicodedata.decimal(character, None)) is not None:
        return str(digit)
    if character in DASHES:
        return "-"
    if unicodedata.category(character) == "Zs":
        return " "
    simple = unicodedata.normalize("NFKC", character)
    return simple if len(simple) == 1 and simple.isascii() else character


# ---- what words say of the number behind them ------------------------------------------------------------

JOIN = r"(?:[ \t:.#=(-]|nr|nummer|num[ée]ro|number|no|n°|nº|is|est|ist){0,10}$"
OURS = re.compile(
    r"(?<![a-z])(?:bsn|sofi\w*|burgerservice\w*|rijksregister\w*|rrn|insz|niss|inss|registre\sna\w*)" + JOIN,
    re.IGNORECASE,
)
PHONES = re.compile(
    r"(?:(?<![^\W\d_])(?:tel|gsm|fax|mobiel|mobile|handy)|t[ée]l[ée]ph\w*|telef\w*|phone)" + JOIN,
    re.IGNORECASE,
)
OTHER = re.compile(
    r"(?:(?<![^\W\d_])(?:r[ée]f\w*|case|code|eur|euro|kvk|rsin|btw|tva|vat|mwst|lid\w*|demande|affaire)"
    r"|zaak\w*|dossier\w*|order\w*|bestel\w*|factu\w*|rechnung\w*|invoice|ticket\w*|kenmerk|polis\w*"
    r"|klant\w*|cli[eë]nt\w*|kunden\w*|relatie\w*|commande|akten\w*|antrag\w*|aanvraag\w*|application"
    r"|melding\w*|onderneming\w*|entreprise|vorgang\w*|auftrag\w*|versie|version|[#€$£])" + JOIN,
    re.IGNORECASE,
)
ABROAD = re.compile(r"(?:\+|(?<![\d:.,])00)[ \t]?[1-9][0-9() .-]{0,11}$")  # begins a telephone number
SEEN_BEFORE = 32  # characters


# ---- finding ---------------------------------------------------------------------------------------------


def find(text: str, kinds: Collection[str] = KINDS) -> tuple[Span, ...]:
    """Where they stand, in order; none reaches into another."""
    if not kinds or len(DIGIT.findall(text)) < FEWEST_DIGITS:
        return ()
    bare, places = plain(text)
    found = [
        (places[start], places[end - 1] + 1, kind)
        for start, end, kind in [*accounts(bare), *in_groups(bare)]
        if kind in kinds and not in_address(bare, start)
    ]
    return tuple(apart(found))


def apart(spans: Iterable[Span]) -> Iterator[Span]:
    """In order; of two that share characters the longer one."""
    last: Span | None = None
    for span in sorted(spans):
        if last and span[0] < last[1]:
            last = max(last, span, key=lambda each: each[1] - each[0])
            continue
        if last:
            yield last
        last = span
    if last:
        yield last


PATH = re.compile(r"://|[a-z]\.[a-z]{2,24}/", re.IGNORECASE)


def in_address(text: str, at: int) -> bool:
    """Of a page or a mailbox: hidden, it would lead nowhere."""
    start = max(text.rfind(each, 0, at) for each in " \t\n") + 1
    end = min((found for each in " \t\n" if (found := text.find(each, at)) >= 0), default=len(text))
    return bool(PATH.search(text, start, at)) or "@" in text[start:end]


# ---- an IBAN begins with two letters and has the length of its country -----------------------------------

IBAN_START = re.compile(r"(?<![A-Za-z0-9_])[A-Za-z]{2}[ ]?[0-9]{2}")
IBAN_GAP = re.compile(r"[ \t.-]{0,2}")
COUNTRIES = numdb.get("iban")


@lru_cache
def iban_length(country: str) -> int:
    """0: no IBAN begins so."""
    facts = COUNTRIES.info(f"{country}00")[0][1]
    sizes = re.findall(r"(\d+)!", facts.get("bban", "")) if facts else []
    return 4 + sum(map(int, sizes)) if sizes else 0


def accounts(text: str) -> Iterator[Span]:
    for match in IBAN_START.finditer(text):
        length = iban_length(match[0][:2].upper())
        end = walked(text, match.start(), length) if length else 0
        ends = end and not (text[end : end + 1].isalnum() or text[end : end + 1] == "_")
        if ends and iban.is_valid(re.sub(r"[ \t.-]", "", text[match.start() : end])):
            yield match.start(), end, "iban"


def walked(text: str, at: int, length: int) -> int:
    """Where this many letters and digits end that begin here, however grouped; 0: there are fewer."""
    while length:
        if not (text[at : at + 1].isascii() and text[at : at + 1].isalnum()):
            return 0
        at, length = at + 1, length - 1
        gap = IBAN_GAP.match(text, at)
        if length and gap:
            at = gap.end()
    return at


# ---- the others are digits alone, in groups --------------------------------------------------------------

LENGTHS = (9, 11, *range(14, 20))
LONGEST = max(LENGTHS)
IN_TIME = re.compile(r"\d[:'’]$")
CENTS = re.compile(r",\d{1,2}(?!\d)|[:'’]\d")
CARD = re.compile(
    r"4(?:\d{15}|\d{18})|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|35\d{14}"
    r"|(?:6011|64[4-9]\d|65\d\d|62\d\d|6304|6390|67[056]\d|50[123]\d|6060)\d{8,15}"
)
USUAL = {  # where groups end that are not all set apart in the same way
    "bsn": ({3, 6}, {4, 6}),
    "rrn": ({2, 4, 6, 9},),
    "card": ({4, 8, 12, 16}, {4, 10}),
}


@dataclass(frozen=True)
class Groups:
    """Those of a text, and by which sign each is set apart from the next; "": they are not of one number."""

    text: str
    at: list[tuple[int, int]]
    signs: list[str]

    @classmethod
    def of(cls, text: str) -> "Groups":
        at = [(match.start(), match.end()) for match in GROUP.finditer(text)]
        return cls(text, at, [sign(text[left[1] : right[0]]) for left, right in pairwise(at)])

    def runs_from(self, first: int) -> Iterator[int]:
        """The last group of each number that could begin with this one."""
        digits = 0
        for last in range(first, len(self.at)):
            if last > first and not self.signs[last - 1]:
                return
            digits += self.at[last][1] - self.at[last][0]
            if digits > LONGEST:
                return
            if digits in LENGTHS and self.stands_alone(first, last):
                yield last

    def stands_alone(self, first: int, last: int) -> bool:
        """It is not the inside of a longer number, of a code, of an amount."""
        within = self.signs[first:last]
        outside = self.signs[max(0, first - 1) : first] + self.signs[last : last + 1]
        if any(each and (each != " " or " " in within) for each in outside):
            return False
        return self.begins_at(self.at[first][0]) and self.ends_at(self.at[last][1])

    def begins_at(self, start: int) -> bool:
        left = self.text[start - 1 : start]
        if left.isalnum() or (left and left in "_+#€$£"):
            return bool(OURS.search(self.before(start)))
        return not IN_TIME.search(self.text[max(0, start - 2) : start])

    def ends_at(self, end: int) -> bool:
        right = self.text[end : end + 1]
        return not (right.isalnum() or (right and right in "_€%") or CENTS.match(self.text, end))

    def before(self, start: int) -> str:
        return self.text[max(0, start - SEEN_BEFORE) : start]


def in_groups(text: str) -> Iterator[Span]:
    groups, free = Groups.of(text), 0
    for first in range(len(groups.at)):
        if first < free or (first and groups.signs[first - 1] not in ("", " ")):
            continue
        for last in groups.runs_from(first):
            parts = [text[start:end] for start, end in groups.at[first : last + 1]]
            start, end = groups.at[first][0], groups.at[last][1]
            kind = kind_of("".join(parts), [len(part) for part in parts], groups.signs[first:last])
            if kind and not is_other(groups.before(start), "".join(parts), kind):
                yield start, end, kind
                free = last + 1
                break


def sign(between: str) -> str:
    match = GAP.fullmatch(between)
    return (match[1] or " ") if match else ""


def kind_of(number: str, sizes: list[int], signs: list[str]) -> str:
    """ "": it is nothing that we know."""
    for kind, is_valid in CHECKS.items():
        if is_valid(number) and is_shaped(kind, sizes, signs):
            return kind
    return ""


def is_shaped(kind: str, sizes: list[int], signs: list[str]) -> bool:
    """As people write it: all groups set apart in the same way, or as is usual for this kind."""
    if len(sizes) == 1:
        return True
    ends, at = set(), 0
    for size in sizes[:-1]:
        at += size
        ends.add(at)
    if any(ends <= usual for usual in USUAL[kind]):
        return True
    same = len(set(signs)) == 1 and signs[0] != "/"
    return same and (min(sizes) > 1 or max(sizes) == 1)


def is_bsn(number: str) -> bool:
    return len(number) == 9 and bsn.is_valid(number)


def is_rrn(number: str) -> bool:
    is_day = len(number) == 11 and number[4:6] <= "31"
    return is_day and (nn.is_valid(number) or bis.is_valid(number))


def is_card(number: str) -> bool:
    return bool(CARD.fullmatch(number)) and luhn.is_valid(number)


CHECKS = {"bsn": is_bsn, "rrn": is_rrn, "card": is_card}


def is_other(before: str, number: str, kind: str) -> bool:
    """What stands before it says that it is something else, or it is a telephone number that happens to be
    right. One case number in eleven looks like a BSN, but hardly one like a rijksregisternummer."""
    if OURS.search(before):
        return False
    if ABROAD.search(before) or PHONES.search(before) or (kind != "rrn" and OTHER.search(before)):
        return True
    return kind != "card" and is_phone(number)


def is_phone(number: str) -> bool:
    """Of Belgium or the Netherlands, from there or from elsewhere."""
    if not number.startswith(("0", "31", "32")):
        return False
    dialled = number if number.startswith("0") else f"+{number}"
    read = (phonenumbers.parse(dialled, region) for region in ("BE", "NL"))
    return any(each.country_code in (31, 32) and phonenumbers.is_valid_number(each) for each in read)


# ---- hiding ----------------------------------------------------------------------------------------------


def noted(text: str) -> str:
    """To be kept with a message: which of those that this desk is careful with stand in it, and where."""
    return json.dumps(find(text, desk.facts.numbers)) if text else "[]"


def spans_of(kept: str | None, text: str) -> tuple[Span, ...]:
    """As it was noted. What was written before there were notes is looked through now."""
    if kept is None:
        return find(text, desk.facts.numbers)
    return tuple((start, end, kind) for start, end, kind in json.loads(kept)) if kept != "[]" else ()


def masked(number: str, kind: str) -> str:
    """Only its last characters, to know it again by."""
    seen = [each for each in number if each.isalnum()]
    return "•" * (len(seen) - SHOWN[kind]) + "".join(seen[-SHOWN[kind] :])


def hidden(text: str, spans: Iterable[Span]) -> str:
    """In plain words: for a paper, a file, the clipboard."""
    return without(text, spans, lambda kind: f" [{hidden_words(kind)}]")


def without(text: str, spans: Iterable[Span], words: Callable[[str], str] = lambda kind: "") -> str:
    pieces, at = [], 0
    for start, end, kind in spans:
        pieces += [text[at:start], masked(text[start:end], kind), words(kind)]
        at = end
    return "".join([*pieces, text[at:]])


def hidden_words(kind: str) -> str:
    return _("%(what)s, hidden") % {"what": NAMES[kind]()}


def kinds_in(spans: Iterable[Span]) -> tuple[str, ...]:
    present = {kind for _start, _end, kind in spans}
    return tuple(kind for kind in KINDS if kind in present)


# ---- warning ---------------------------------------------------------------------------------------------


def to_warn_of(text: str, sure: str) -> tuple[str, ...]:
    """The kinds in what somebody is about to send. `sure`: those that it has been warned of, and wants to
    send."""
    kinds = kinds_in(find(text, desk.facts.numbers))
    return () if set(kinds) <= set(sure.split()) else kinds


def several(kinds: Iterable[str]) -> str:
    return all_of([ONE[kind]() for kind in kinds])


def called(kinds: Iterable[str]) -> str:
    return all_of([NAMES[kind]() for kind in kinds])


env.globals["number_kinds"] = NAMES
env.globals["numbers_named"], env.globals["numbers_called"] = several, called
env.globals["number_hidden_words"] = hidden_words
routes: list[object] = []

ui = template("""
{% from "components.html" import button, notice %}

{# Beside what was typed, which stays there. `form`: which sends it anyway. It comes after the form's own button: the
   first one is what Enter presses. #}
{% macro warning(kinds, form) %}
{% call notice("warning", _("This looks like %(what)s. Send it only if it is needed: staff see it hidden until they ask for it.", what=numbers_named(kinds))) %}
{{ button(_("Adapt"), "secondary", attrs={"data-act": "adapt"}) }}
{{ button(_("Send anyway"), "quiet", type="submit", attrs={"form": form, "name": "sure", "value": kinds | join(" ")}) }}
{% endcall %}
{% endmacro %}
""")  # noqa: E501
