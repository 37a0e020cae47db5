"""Links: what people write, with its web addresses, mail addresses and Belgian or Dutch phone numbers to be
pressed. No URLs.

Whatever 4,000 characters hold, they cost a few milliseconds: both libraries are slow on texts that nobody
writes, so those are left as they are.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice

import phonenumbers
from linkify_it import LinkifyIt
from markupsafe import Markup, escape

from layouts import template

MOST_LINKS = 100  # in one text; the rest stays text
MOST_IN_A_RUN = 8  # addresses in characters without a space: one that is in others is read again for each
PHONE_RUN, PHONE_RUNS = 80, 240  # characters that look like numbers: at a time, and in one text

linkify = LinkifyIt({}, {"fuzzy_link": True, "fuzzy_email": True, "fuzzy_ip": False})

RUN = re.compile(r"\S+")
# Digits and what stands between those of one number; with a character on each side, which may rule it out.
NUMBERS = re.compile(r"(?:^|[^+(0-9])[+(0-9][0-9 ./()\u00a0-]{6,}[0-9].?", re.MULTILINE)

Found = tuple[int, int, str, str]  # from, to, where it leads, and the host if it does not look like it


@lru_cache(maxsize=4096)
def linked(text: str) -> Markup:
    """The text, escaped, with its links."""
    pieces, at = [], 0
    for start, end, href, host in islice(sorted([*web_links(text), *phone_links(text)]), MOST_LINKS):
        if start < at:
            continue
        shown = text[start:end]
        pieces += [
            escape(text[at:start]),
            ui.link(href, shown, "" if host == spelled_host(shown) else host).strip(),
        ]
        at = end
    return Markup("").join([*pieces, escape(text[at:])])


# ---- web and mail ----------------------------------------------------------------------------------------


def web_links(text: str) -> Iterable[Found]:
    readable = RUN.sub(without_crowds, text)
    if not linkify.pretest(readable):
        return
    for match in linkify.match(readable) or []:
        plain = match.schema in ("http:", "https:", "mailto:") or match.raw.lower().startswith("www.")
        if plain:
            yield match.index, match.last_index, match.url, host_of(match.url)


def without_crowds(run: re.Match[str]) -> str:
    return " " * len(run[0]) if run[0].count(":") > MOST_IN_A_RUN else run[0]


def host_of(url: str) -> str:
    """Where a link really leads, whatever it looks like: without the user before the @, in its real
    spelling."""
    if url.startswith("mailto:"):
        return ""
    host = re.split(r"[/\\?#]", url.split("://", 1)[-1])[0].rpartition("@")[2]
    try:
        return host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        return host


def spelled_host(shown: str) -> str:
    """What a reader takes for the host."""
    return (
        ""
        if shown.startswith("mailto:") or ("@" in shown and "/" not in shown)
        else re.split("[/?#]", shown.split("://", 1)[-1])[0]
    )


# ---- phone numbers ---------------------------------------------------------------------------------------


def phone_links(text: str) -> Iterable[Found]:
    left = PHONE_RUNS
    for run in NUMBERS.finditer(text):
        if len(run[0]) > PHONE_RUN or sum(map(str.isdecimal, run[0])) < 8:
            continue
        left -= len(run[0])
        if left < 0:
            return
        for region in ("BE", "NL"):
            for match in phonenumbers.PhoneNumberMatcher(run[0], region):
                if match.raw_string.startswith(("0", "+")) and match.number.country_code in (31, 32):
                    number = phonenumbers.format_number(match.number, phonenumbers.PhoneNumberFormat.E164)
                    yield run.start() + match.start, run.start() + match.end, f"tel:{number}", ""


ui = template("""
{% macro link(href, shown, host) %}
<a href="{{ href }}" target="_blank" rel="noopener noreferrer nofollow ugc">{{ shown }}</a>{% if host %} <span class="link-host" translate="no">({{ host }})</span>{% endif %}
{% endmacro %}
""")  # noqa: E501
