"""Links: what is one, what is not, where it leads; and that no text takes long to look through."""

import time

import pytest

from features.links import linked

pytestmark = pytest.mark.either

LINKS = {
    "Zie www.voorbeeld.be.": ("http://www.voorbeeld.be", "www.voorbeeld.be"),
    "Zie https://voorbeeld.be/a?b=c&d=e#f": (
        "https://voorbeeld.be/a?b=c&d=e#f",
        "https://voorbeeld.be/a?b=c&d=e#f",
    ),
    "(http://voorbeeld.nl/pad)": ("http://voorbeeld.nl/pad", "http://voorbeeld.nl/pad"),
    "Mail info@voorbeeld.be!": ("mailto:info@voorbeeld.be", "info@voorbeeld.be"),
    "Bel 02 555 12 12 of zo": ("tel:+3225551212", "02 555 12 12"),
    "gsm 0470/12.34.56": ("tel:+32470123456", "0470/12.34.56"),
    "Bel +31 20 624 1111.": ("tel:+31206241111", "+31 20 624 1111"),
    "of 020-6241111": ("tel:+31206241111", "020-6241111"),
}


@pytest.mark.parametrize("text", LINKS)
def test_addresses_and_numbers_of_our_countries_are_links(text: str) -> None:
    href, shown = LINKS[text]
    assert f'<a href="{href.replace("&", "&amp;")}" ' in linked(text)
    assert f">{shown.replace('&', '&amp;')}</a>" in linked(text)
    assert 'rel="noopener noreferrer nofollow ugc"' in linked(text)
    assert "link-host" not in linked(text), "it looks like what it is"


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)",
        "data:text/html,<b>",
        "file:///etc/passwd",
        "vbscript:x",
        "ftp://voorbeeld.be",
        "//voorbeeld.be/x",
        "voorbeeld.be",
        "dossier 2026/0123456",
        "85.07.30-033.61",
        "BE68 5390 0754 7034",
        "+1 212 555 0100",
        "12345678",
        "11-03-2026 10:00",
    ],
)
def test_nothing_else_is_a_link(text: str) -> None:
    assert "<a" not in linked(text)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("https://www.belastingdienst.nl@kwaad.example/", "kwaad.example"),
        ("https://www.belastingdienst.nl:443@kwaad.example/inloggen", "kwaad.example"),
        ("https://kwaad.example?www.belgium.be", None),
        ("https://аррӏе.com/", "xn--80ak6aa92e.com"),
        ("www.bеlgium.be", "www.xn--blgium-3of.be"),
        ("https://kwaad.example\\@www.belgium.be/", "kwaad.example"),
    ],
    ids=["user", "user and password", "query", "look-alikes", "one letter", "backslash"],
)
def test_a_link_that_looks_like_another_says_where_it_leads(text: str, host: str | None) -> None:
    shown = linked(text)
    assert "<a " in shown
    assert (f"({host})" in shown) if host else ("link-host" not in shown)


def test_a_link_cannot_break_out_of_its_attribute() -> None:
    shown = linked("https://voorbeeld.be/\"onmouseover='alert(1)'><script>")
    assert shown.startswith('<a href="https://voorbeeld.be/" target="_blank" ')
    assert shown.endswith("</a>&#34;onmouseover=&#39;alert(1)&#39;&gt;&lt;script&gt;")


# ---- what it costs ---------------------------------------------------------------------------------------

LENGTH = 4_000
HOSTILE = [
    *(
        "0 ",
        "1.",
        "0-",
        "0(",
        "+32",
        "12/12 ",
        "0470 ",
        "0470123456 ",
        "0470123456\n",
        "012345678x",
        "1.1.1.1 ",
    ),
    *(
        "http://a.be/(",
        'http://a.be/"',
        "http://a.be/a.",
        "http:",
        "www.a.be ",
        "a@b.be",
        "@",
        "//",
        "2026-03-11 ",
    ),
    *("http://a.be ", "mailto:a@b.be,", "www.a.be/", "0470/12.34.56, "),
]


def seconds(text: str) -> float:
    """The least of three: whatever else the machine does."""
    found = []
    for _try in range(3):
        linked.cache_clear()
        begun = time.thread_time()
        linked(text[:LENGTH])
        found.append(time.thread_time() - begun)
    return min(found)


@pytest.mark.parametrize("piece", HOSTILE)
def test_no_text_takes_long(piece: str) -> None:
    """Compared to an ordinary text of the same length, in the same run."""
    ordinary = seconds("Uw kaart ligt klaar aan het loket, bel 02 555 12 12 of zie www.voorbeeld.be. " * 60)
    assert seconds(piece * LENGTH) < 5 * ordinary


def test_what_an_ordinary_text_holds_is_all_pressed() -> None:
    text = "\n".join(f"Loket {n}: 02 555 12 {n:02}, https://voorbeeld.be/loket?code=a:b:c" for n in range(12))
    assert linked(text).count('href="tel:') == 12
    assert linked(text).count('href="https:') == 12


def test_an_address_as_long_as_a_message_is_a_link() -> None:
    address = "https://voorbeeld.be/?" + "a=b&" * 900
    assert linked(address).count("<a ") == 1
