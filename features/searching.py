"""Searching: the words of every conversation, folded, so that both databases find the same.

What is in a conversation, public and private, withdrawn or not, its names, its subject, its case number and
the names of its files become one set of words: without case, accents and punctuation, numbers also as if no
space stood in them. SQLite (FTS5) and PostgreSQL (tsvector) only keep these words; they judge nothing.

Of the numbers that `numbers` hides, only what is seen of them is among the words: nobody finds a conversation
by a BSN.

A task writes them, now and then while a conversation goes on, and when it is over: a message is then not
slower by a single statement, and whatever else changes a conversation (a case number, a remark) needs no
writer of its own. What is due is a difference between two numbers, so a crash forgets nothing. `log` asks.
"""

import asyncio
import json
import re
import time
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import db
from features import aside, numbers, rounds

EVERY_S = 2
AT_A_TIME = 20  # conversations
REST_S = 20  # between one time and the next, of a conversation that goes on
BREATHS, BREATH_MOST_S = 4, 1.0  # as long as it took, between twenty and the next
WORD_LENGTH = 64  # characters; what follows is not looked at
MOST_BYTES = 400_000  # of one conversation: PostgreSQL takes a megabyte
MOST_WORDS = 12  # that are looked for at a time
FROM_LENGTH = 3  # characters, from which a word also finds what begins with it
MOST_GROUPS = 8  # of one number
GAP = re.compile(r"[\s./()+,:-]{1,3}")  # between the groups of a number
NO_MARKS = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "œ": "oe", "æ": "ae", "ı": "i", "þ": "th", "ħ": "h"}
    | {"ŧ": "t", "ŋ": "n", "ĸ": "k", "ƒ": "f", "ə": "e", "ȷ": "j", "ŀ": "l", "ƀ": "b", "ɨ": "i"}
)


# ---- folding ---------------------------------------------------------------------------------------------


def folded(text: str) -> str:
    """As it is compared: without case, marks, and what nobody sees. "ß" is "ss"."""
    bare = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(each for each in bare if unicodedata.category(each) not in ("Mn", "Cf")).translate(
        NO_MARKS
    )


def runs(text: str) -> Iterator[list[str]]:
    """The words of a folded text; words with a digit that stand together are the groups of one number."""
    run: list[str] = []
    end = 0
    for start, upto in places(text):
        word = text[start:upto]
        is_number = any(map(str.isdigit, word))
        if run and not (is_number and GAP.fullmatch(text, end, start)):
            yield run
            run = []
        if is_number:
            run.append(word)
        else:
            yield [word]
        end = upto
    if run:
        yield run


def places(text: str) -> Iterator[tuple[int, int]]:
    """From where to where each word stands."""
    start = None
    for at, each in enumerate(text):
        inside = each.isalnum() or unicodedata.category(each) in ("Mc", "Co")
        if inside and start is None:
            start = at
        elif not inside and start is not None:
            yield start, at
            start = None
    if start is not None:
        yield start, len(text)


def words_in(texts: Iterable[str]) -> list[str]:
    """All that these texts can be found by. A number also by its groups, from each of them on."""
    found: dict[str, None] = {}
    size = 0
    for text in texts:
        for run in runs(folded(text)):
            joined = ("".join(run[at : at + MOST_GROUPS]) for at in range(len(run)))
            for word in (each[:WORD_LENGTH] for each in [*run, *joined]):
                if word not in found:
                    size += len(word.encode()) + 16
                    if size > MOST_BYTES:
                        return list(found)
                    found[word] = None
    return list(found)


def sought(words: str) -> list[tuple[str, bool]]:
    """The words that have to be there, each of them, and whether one that begins so will do."""
    wanted = dict.fromkeys(
        "".join(run[at : at + MOST_GROUPS])[:WORD_LENGTH]
        for run in runs(folded(words))
        for at in range(0, len(run), MOST_GROUPS)
    )
    return [(word, len(word) >= FROM_LENGTH) for word in list(wanted)[:MOST_WORDS]]


@dataclass(frozen=True)
class Having:
    """For hand-written SQL: where conversations with these words are looked for, by which number of theirs,
    and on what condition, which takes one argument."""

    table: str
    id: str
    condition: str
    argument: str


def having(words: str) -> Having:
    wanted = sought(words)
    if db.dialect() == "sqlite":
        said = " ".join(f'"{word}"{"*" if begins else ""}' for word, begins in wanted) or '"-"'
        return Having("log_words", "log_words.rowid", "log_words MATCH {}", said)
    said = " & ".join(f"'{word}'{':*' if begins else ''}" for word, begins in wanted)
    return Having("log_words", "log_words.chat", "log_words.words @@ ({}::text)::tsquery", said)


# ---- keeping up ------------------------------------------------------------------------------------------

DUE = (
    "SELECT chat.id, chat.seq, chat.log_seq, chat.state, COALESCE(private_thread.seq, 0) AS private_seq"
    " FROM chat LEFT JOIN private_thread ON private_thread.chat = chat.id WHERE chat.id IN"
    " (SELECT id FROM chat WHERE seq <> log_seq AND started_at IS NOT NULL"
    " UNION SELECT chat FROM private_thread WHERE seq <> log_seq)"
    " AND NOT (chat.state = 'active' AND chat.id IN ({but})) ORDER BY chat.id LIMIT {}"
)
# Those that are still as they were read; not one to which something happens at this moment: whoever waited
# for one row with others in hand would be waited for.
COUNT = (
    "UPDATE chat SET log_seq = due.column2 FROM (VALUES {due}) AS due"
    " WHERE chat.id = due.column1 AND chat.log_seq = due.column3"
)
FREE = "chat.id IN (SELECT id FROM chat WHERE id IN ({chats}) FOR NO KEY UPDATE SKIP LOCKED)"
COUNTED = {
    "sqlite": COUNT + " RETURNING id",
    "postgresql": f"{COUNT} AND {FREE} RETURNING chat.id AS id",
}
COUNTED_PRIVATE = (
    "UPDATE private_thread SET log_seq = due.column2 FROM (VALUES {due}) AS due WHERE chat = due.column1"
)
# All that is said in them. Each part names the chat and one text.
SAID = (
    "SELECT chat, body, numbers, author FROM message WHERE chat IN ({chats}) AND body <> ''"
    " UNION ALL SELECT chat, remark, NULL, 'visitor' FROM rating WHERE chat IN ({chats}) AND remark <> ''"
)
TEXTS = (
    "SELECT DISTINCT chat, name AS text FROM message WHERE chat IN ({chats}) AND name <> ''",
    "SELECT chat, body FROM private_message WHERE chat IN ({chats})",
    "SELECT DISTINCT chat, name FROM private_message WHERE chat IN ({chats})",
    "SELECT chat, name FROM attachment WHERE chat IN ({chats}) AND seq IS NOT NULL",
    "SELECT chat, name FROM private_attachment WHERE chat IN ({chats}) AND seq IS NOT NULL",
    "SELECT chat, note FROM invite WHERE chat IN ({chats}) AND note <> ''",
    "SELECT id, visitor_name FROM chat WHERE id IN ({chats})",
    "SELECT id, visitor_email FROM chat WHERE id IN ({chats})",
    "SELECT id, case_number FROM chat WHERE id IN ({chats})",
)
FACTS = (
    "SELECT chat.id, subject.label, identity.sub, identity.name, identity.email, identity.variables FROM chat"
    " LEFT JOIN subject ON subject.id = chat.subject LEFT JOIN identity ON identity.visitor = chat.visitor"
    " WHERE chat.id IN ({chats})"
)


resting: dict[int, float] = {}  # conversations that go on, and until when they are let alone


async def keep_up() -> None:
    """One that goes on is written down now and then, not after each of its words; when it has ended, at once.
    A desk with much to write down has people in it, who come first."""
    moment = time.monotonic()
    for chat in [chat for chat, until in resting.items() if until < moment]:
        del resting[chat]
    while took_s := await write_some(but=resting):  # noqa: ASYNC110 – not to wait for anything
        await asyncio.sleep(min(BREATH_MOST_S, BREATHS * took_s))


async def catch_up() -> None:
    """Until nothing is due."""
    while await write_some():
        pass


async def write_some(but: Collection[int] = ()) -> float:
    """How long it took, in seconds; 0: no more is due. What takes long happens before anything is written:
    others write meanwhile."""
    began = time.monotonic()
    rows = await db.sql(DUE.replace("{but}", listed(but)), AT_A_TIME)
    if not rows:
        return 0
    words = await aside.done(clerk, words_of, await texts_of([row["id"] for row in rows]))
    taken = await take_in(rows, words)
    until = time.monotonic() + REST_S
    resting.update({row["id"]: until for row in rows if row["id"] in taken and row["state"] == "active"})
    return time.monotonic() - began if taken and len(rows) == AT_A_TIME else 0


clerk = aside.Threads(1, "words")


def words_of(texts: dict[int, list[str]]) -> dict[int, str]:
    return {chat: " ".join(words_in(said)) for chat, said in texts.items()}


async def take_in(rows: list[dict[str, Any]], words: dict[int, str]) -> set[int]:
    """Which have been. What has been written meanwhile has raised a number, and is due again; what is no
    longer as it was due, because it has changed or gone, is let alone."""
    due = ", ".join(f"({row['id']}, {row['seq']}, {row['log_seq']})" for row in rows)
    async with db.transaction():
        await db.lock("log words")
        counted = COUNTED[db.dialect()].replace("{due}", due).replace("{chats}", listed(words))
        taken = {row["id"] for row in await db.sql(counted)}
        await put({chat: words[chat] for chat in taken})
        private = [row for row in rows if row["id"] in taken and row["private_seq"]]
        if private:
            due = ", ".join(f"({row['id']}, {row['private_seq']})" for row in private)
            await db.sql(COUNTED_PRIVATE.replace("{due}", due))
    return taken


def listed(chats: Iterable[int]) -> str:
    return ", ".join(str(int(chat)) for chat in chats) or "0"


async def texts_of(chats: Sequence[int]) -> dict[int, list[str]]:
    among = listed(chats)
    found: dict[int, list[str]] = {chat: [] for chat in chats}
    for row in await db.sql(SAID.replace("{chats}", among)):
        spans = numbers.spans_of(row["numbers"], row["body"]) if row["author"] == "visitor" else ()
        found[row["chat"]].append(numbers.without(row["body"], spans))
    for row in await db.sql(" UNION ALL ".join(TEXTS).replace("{chats}", among)):
        found[row["chat"]].append(row["text"])
    for row in await db.sql(FACTS.replace("{chats}", among)):
        found[row["id"]] += [row[name] or "" for name in ("sub", "name", "email")]
        for name in ("label", "variables"):
            found[row["id"]] += map(str, json.loads(row[name] or "{}").values())
    return found


async def put(words: dict[int, str]) -> None:
    if not words:
        return
    given = [each for one in words.items() for each in one]
    if db.dialect() == "sqlite":
        await db.sql(f"DELETE FROM log_words WHERE rowid IN ({listed(words)})")  # noqa: S608
        await db.sql(f"INSERT INTO log_words (rowid, words) VALUES {rows_of('({}, {})', words)}", *given)  # noqa: S608
    else:
        each = "({}, array_to_tsvector(string_to_array({}, ' ')))"
        await db.sql(
            f"INSERT INTO log_words (chat, words) VALUES {rows_of(each, words)}"  # noqa: S608
            " ON CONFLICT (chat) DO UPDATE SET words = excluded.words",
            *given,
        )


def rows_of(each: str, words: dict[int, str]) -> str:
    return ", ".join(each for _one in words)


async def forget(chat: int) -> None:
    """Within the transaction that purges it. Its chat goes after it, or is empty by then."""
    key = "rowid" if db.dialect() == "sqlite" else "chat"
    await db.sql(f"DELETE FROM log_words WHERE {key} = {{}}", chat)  # noqa: S608


async def forget_all(chats: Sequence[int]) -> None:
    """As `forget`, of many. Nobody writes their words down again meanwhile."""
    await db.lock("log words")
    for chat in chats:
        await forget(chat)


async def write_anew() -> None:
    """On SQLite words that were deleted stay in the index until then."""
    if db.dialect() == "sqlite":
        await db.sql("INSERT INTO log_words (log_words) VALUES ('optimize')")


tasks = [rounds.every(EVERY_S, keep_up)]
