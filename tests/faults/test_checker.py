"""The checker can fail: histories made by hand, in each of which one thing went wrong."""

from dataclasses import dataclass, field

import pytest

from tests.bench import load
from tests.faults.checker import NONE, SECRET, Screen, Stored, faults, words_of

CHAT, ELSEWHERE = 7, 8
FIRST, SECOND, NOTE = "v7-1-aaaa", "a7-1-bbbb", "p7-1-cccc"
FOREIGN, UNSAID, TWIN = "v8-1-dddd", "v7-9-eeee", "v7-9-aaaa"


@dataclass
class Person:
    tried: list[str] = field(default_factory=lambda: [FIRST, SECOND, NOTE])
    taken: list[str] = field(default_factory=lambda: [FIRST, SECOND, NOTE])


@dataclass
class Seen:
    is_console: bool = False
    secrets_seen: int = 0
    screen: Screen = field(default_factory=lambda: Screen({"thread": []}))

    @property
    def threads(self) -> dict[str, int]:
        return {"thread": CHAT}


def item(key: str, place: str, words: str = "") -> str:
    bubble = f'<div class="bubble" dir="auto">woord-{words or words_of(key)}</div>'
    return f'<li id="m-{key}" data-seq="{place}"\\n class="message">{bubble}</li>'.replace("\\n", "\n")


def drawn(*items: str, how: str = "thread") -> str:
    return f'<hx-partial hx-target="#thread" hx-swap="{how}">{"".join(items)}</hx-partial>'


def stored(key: str, public: int, private: int = 0, chat: int = CHAT) -> Stored:
    return Stored(chat, key, (public, private), words_of(key))


ONE, TWO, THREE = item(FIRST, "1"), item(SECOND, "2"), item(NOTE, "2.000001")
THERE = [stored(FIRST, 1), stored(SECOND, 2), stored(NOTE, 2, 1), stored(FOREIGN, 1, chat=ELSEWHERE)]
WINDOW, CONSOLE = [drawn(ONE), drawn(TWO)], [drawn(ONE), drawn(THREE), drawn(TWO)]


def found(
    window: list[str] = WINDOW, console: list[str] = CONSOLE, there: list[Stored] = THERE
) -> dict[str, int]:
    pages = [Seen(), Seen(is_console=True)]
    for page, history in zip(pages, (window, console), strict=True):
        for event in history:
            page.secrets_seen += event.count(SECRET)
            page.screen.show(event)
    everything = faults(there, [Person(), Person([FOREIGN], [FOREIGN])], pages)
    return {name: count for name, count in everything.items() if count}


WHOLE = drawn(ONE, TWO, how="outerMorph")


@pytest.mark.parametrize(
    "window",
    [
        WINDOW,
        [drawn(ONE, TWO)],
        [*WINDOW, *WINDOW],  # an id that is there is morphed
        [drawn(ONE, ONE, TWO, TWO)],
        [drawn(item(FIRST, "1", "otherwise")), WHOLE],
        [
            drawn(ONE),
            '<hx-partial hx-target="#status" hx-swap="outerMorph"><p>woord</p></hx-partial>',
            drawn(TWO),
        ],
    ],
)
def test_nothing_is_wrong_with_what_a_person_sees_once_and_in_order(window: list[str]) -> None:
    assert found(window) == {}
    assert faults([], [], []) == NONE


@pytest.mark.parametrize(
    ("window", "console", "wrong"),
    [
        ([drawn(ONE)], CONSOLE, {"stuck": 1}),
        (WINDOW, [drawn(ONE), drawn(TWO)], {"stuck": 1}),
        ([*WINDOW, drawn(item(TWIN, "3"))], CONSOLE, {"doubled": 1}),
        ([*WINDOW, drawn(ONE, how="beforeend")], CONSOLE, {"doubled": 1}),
        ([drawn(ONE, TWO, TWO, how="outerMorph")], CONSOLE, {"doubled": 1}),
        ([*WINDOW, drawn(item(UNSAID, "3"))], CONSOLE, {"phantom": 1}),
        ([*WINDOW, drawn(item(SECOND, "2", "otherwise"))], CONSOLE, {"phantom": 1, "stuck": 1}),
        ([*WINDOW, drawn(item("step-9", "3", "ended"))], CONSOLE, {"phantom": 1}),
        ([drawn(TWO), drawn(ONE)], CONSOLE, {"reordered": 1}),
        ([drawn(TWO, ONE, how="outerMorph")], CONSOLE, {"reordered": 1}),
        (WINDOW, [*WINDOW, drawn(item(NOTE, "1.000001"))], {"reordered": 1}),
        ([*WINDOW, drawn(THREE)], CONSOLE, {"leaked": 1}),
        (WINDOW, [*CONSOLE, drawn(item(FOREIGN, "3"))], {"leaked": 1}),
        ([*WINDOW, f"<p>{SECRET}</p>"], CONSOLE, {"leaked": 1}),
    ],
)
def test_what_a_page_shows_otherwise_is_counted(
    window: list[str], console: list[str], wrong: dict[str, int]
) -> None:
    assert found(window, console) == wrong


def test_notes_that_come_in_another_order_are_counted() -> None:
    second = "p7-2-ffff"
    there = [*THERE[:3], stored(second, 2, 2)]
    notes = [drawn(item(second, "2.000002")), drawn(THREE)]
    wrong = faults(there, [Person(), Person([second], [second])], [page := Seen(is_console=True)])
    assert wrong["stuck"] == 1
    for event in [*WINDOW, *notes]:
        page.screen.show(event)
    wrong = faults(there, [Person(), Person([second], [second])], [page])
    assert wrong == NONE | {"reordered": 1}


@pytest.mark.parametrize(
    ("there", "wrong"),
    [
        (THERE[1:], {"lost": 1, "gaps": 1, "phantom": 2}),  # both pages show what is not there
        ([*THERE, stored(TWIN, 3)], {"doubled": 1}),
        ([*THERE, stored(UNSAID, 3)], {"phantom": 1, "stuck": 2}),
        (
            [stored(FIRST, 2), stored(SECOND, 1), *THERE[2:]],
            {"reordered": 3},
        ),  # of the writer, and on both pages
        ([*THERE, stored("step-9", 4)], {"gaps": 1, "stuck": 2}),
    ],
)
def test_what_the_database_has_otherwise_is_counted(there: list[Stored], wrong: dict[str, int]) -> None:
    assert found(there=there) == wrong


# ---- what the bench counts -------------------------------------------------------------------------------


def posted(*numbers: int, chat: int = CHAT) -> list[tuple[int, bytes]]:
    return [(chat, load.post_mark(chat, number)) for number in numbers]


@pytest.mark.parametrize(
    ("there", "wrong"),
    [
        (posted(0, 1, 2), {}),
        (posted(0, 2), {"lost": 1}),
        (posted(0, 1, 1, 2), {"doubled": 1}),
        (posted(1, 0, 2), {"disordered": 1}),
        (posted(0, 1, 2, 3), {"phantom": 1}),
        ([*posted(0, 1, 2), (CHAT, b"otherwise")], {"phantom": 1}),
        ([*posted(0, 1), (ELSEWHERE, load.post_mark(CHAT, 2))], {"lost": 1, "phantom": 1}),
    ],
)
def test_what_the_bench_posted_is_looked_for(there: list[tuple[int, bytes]], wrong: dict[str, int]) -> None:
    found = load.faults_in({CHAT: 3, ELSEWHERE: 0}, there)
    assert {name: count for name, count in found.items() if count} == wrong


@pytest.mark.parametrize(
    ("heard", "wrong"),
    [
        ([0, 1, 2], {}),
        ([0, 2], {"lost": 1}),
        ([0, 1, 1, 2], {"doubled": 1}),
        ([1, 0, 2], {"disordered": 1}),
    ],
)
def test_what_the_bench_heard_is_looked_at(heard: list[int], wrong: dict[str, int]) -> None:
    history = load.History()
    marks = [history.send(CHAT, "v")[1] for _message in range(3)]
    for number in heard:
        history.hear(marks[number], "a")
    history.hear(marks[0], "v")  # one's own
    assert {name: count for name, count in history.faults().items() if count} == wrong
