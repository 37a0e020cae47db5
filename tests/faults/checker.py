"""What a page shows of its conversations, and what is wrong with it: this is what counts in these tests.

`Screen` puts what a stream brings where static/thread.js puts it. In a thread an item whose id is there
already takes the place of the old one, however often it comes: nobody sees it twice, and it is not counted.
What is counted is what a person would read: the words of each item. Those of every message in these tests end
in a mark that no other has, and its key ends in the same.
"""

import re
import secrets
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

PARTIAL = re.compile(r'<hx-partial hx-target="#([^"]+)" hx-swap="([^"]+)">(.*?)</hx-partial>', re.DOTALL)
THREAD = re.compile(r'<ol class="thread" id="([^"]+)"[^>]*>(.*?)</ol>', re.DOTALL)
ITEM = re.compile(r'<li id="m-([^"]+)" data-seq="(\d+)(?:\.(\d+))?"(.*?)</li>', re.DOTALL)
BUBBLE = re.compile(r'<div class="bubble"[^>]*>(.*?)</div>', re.DOTALL)
NONE = dict.fromkeys(("lost", "doubled", "phantom", "reordered", "gaps", "leaked", "stuck"), 0)
MARK_LENGTH = 12  # of letters alone: nothing of it looks like somebody's number
SECRET = "geheim-onder-ons"

Place = tuple[int, int]  # among the public messages of its chat, and among the private ones after that one


def key_of(kind: str, chat: int, number: int) -> str:
    mark = "".join(secrets.choice(string.ascii_lowercase) for _letter in range(MARK_LENGTH))
    return f"{kind}{chat}-{number}-{mark}"


def words_of(key: str) -> str:
    """What a person knows it by: its mark; the desk's own lines are known by their key."""
    return key.rpartition("-")[2] if said_in(key) else key


def said_in(key: str) -> int:
    """The chat in whose thread a person said this; 0: the desk says it, or nobody does."""
    found = re.match(r"[vap](\d+)-", key)
    return int(found[1]) if found else 0


@dataclass
class Item:
    key: str
    place: Place
    words: str


def items_in(fragment: str) -> list[Item]:
    found = []
    for key, public, own, rest in ITEM.findall(fragment):
        bubble = BUBBLE.search(rest)
        words = bubble[1].strip().rpartition("-")[2] if bubble else key
        found.append(Item(key, (int(public), int(own or 0)), words))
    return found


@dataclass
class Screen:
    """The threads of a page, by the id of their element."""

    threads: dict[str, list[Item]] = field(default_factory=dict)
    disorder: int = 0  # came after what comes after it

    def show(self, html: str) -> None:
        for target, how, fragment in PARTIAL.findall(html):
            if re.fullmatch(r"thread(-\d+)?", target):
                if target in self.threads:  # or the page has nowhere to put it
                    self.change(self.threads[target], how, items_in(fragment))
            elif target == "panels" or THREAD.search(fragment):
                self.redraw(target, how, dict(THREAD.findall(fragment)))

    def change(self, thread: list[Item], how: str, items: list[Item]) -> None:
        if how == "thread":
            for item in items:
                self.put(thread, item)
        elif how == "beforeend":
            thread += items
        else:
            thread[:] = items

    def put(self, thread: list[Item], item: Item) -> None:
        for old in self.items:
            if old.key == item.key:
                old.place, old.words = item.place, item.words
                return
        self.disorder += any(
            bool(each.place[1]) == bool(item.place[1]) and each.place > item.place for each in thread
        )
        later = (at for at, each in enumerate(thread) if each.place > item.place)
        thread.insert(next(later, len(thread)), item)

    def redraw(self, target: str, how: str, drawn: dict[str, str]) -> None:
        """A thread that is there is skipped when what is around it is morphed."""
        if target == "panels":
            self.threads = {id: items for id, items in self.threads.items() if id in drawn}
        for id, fragment in drawn.items():
            if how != "outerMorph" or id not in self.threads:
                self.threads[id] = items_in(fragment)

    @property
    def items(self) -> list[Item]:
        return [item for thread in self.threads.values() for item in thread]


# ---- what is counted -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stored:
    """A line of a thread, as the database has it."""

    chat: int
    key: str
    place: Place
    words: str

    @property
    def is_private(self) -> bool:
        return bool(self.place[1])


class Says(Protocol):
    tried: list[str]  # keys, in their order
    taken: list[str]


class Sees(Protocol):
    secrets_seen: int  # in whatever came on its stream

    @property
    def screen(self) -> Screen: ...

    @property
    def threads(self) -> dict[str, int]:
        """By the id of its element: the chats whose threads it is to show."""
        ...

    @property
    def is_console(self) -> bool: ...


def faults(stored: Sequence[Stored], writers: Sequence[Says], pages: Sequence[Sees]) -> dict[str, int]:
    """All that was said by these, and all that is there of their chats."""
    said = [each for each in sorted(stored, key=lambda line: (line.chat, line.place)) if said_in(each.key)]
    tried = {words_of(key) for writer in writers for key in writer.tried}
    taken = {words_of(key) for writer in writers for key in writer.taken}
    found = Counter(
        lost=len(taken - {each.words for each in said}),
        doubled=twice(each.words for each in stored),
        phantom=len({each.words for each in said} - tried),
        reordered=sum(not in_order(writer.tried, [each.key for each in said]) for writer in writers),
        gaps=gaps(stored),
    )
    for page in pages:
        found.update(faults_on(page, stored))
    return {name: found[name] for name in NONE}


def faults_on(page: Sees, stored: Sequence[Stored]) -> Counter[str]:
    """A person reads exactly what is there, in that order, and nothing that is not for its eyes."""
    found = Counter(reordered=page.screen.disorder, stuck=int(is_stuck(page, stored)))
    theirs = {each.words for each in stored if not is_for(page, each)}
    for id, thread in page.screen.threads.items():
        shown = [item.words for item in thread]
        due = due_in(page.threads.get(id, 0), page, stored)
        private = {words for words in shown if words in theirs}
        found["leaked"] += len(private)
        found["phantom"] += len(set(shown) - set(due) - private)
        found["doubled"] += twice(shown)
        found["reordered"] += not in_order(due, shown)
    if not page.is_console:
        found["leaked"] += page.secrets_seen
    return found


def is_for(page: Sees, line: Stored) -> bool:
    return line.chat in page.threads.values() and (page.is_console or not line.is_private)


def due_in(chat: int, page: Sees, stored: Sequence[Stored]) -> list[str]:
    lines = [each for each in stored if each.chat == chat and is_for(page, each)]
    return [each.words for each in sorted(lines, key=lambda line: line.place)]


def is_stuck(page: Sees, stored: Sequence[Stored]) -> bool:
    """It does not show all that is there."""
    return any(
        not set(due_in(chat, page, stored)) <= {item.words for item in page.screen.threads.get(id, ())}
        for id, chat in page.threads.items()
    )


def twice(words: Iterable[str]) -> int:
    return sum(number - 1 for number in Counter(words).values())


def in_order(wanted: Sequence[str], found: Sequence[str]) -> bool:
    """Those of the one that are in the other; each where it is for the first time."""
    place = {each: number for number, each in reversed(list(enumerate(found)))}
    places = [place[each] for each in dict.fromkeys(wanted) if each in place]
    return places == sorted(places)


def gaps(stored: Sequence[Stored]) -> int:
    """Numbers of a public thread that no message has."""
    numbers: dict[int, list[int]] = {}
    for each in stored:
        if not each.is_private:
            numbers.setdefault(each.chat, []).append(each.place[0])
    return sum(max(each) - len(set(each)) for each in numbers.values())
