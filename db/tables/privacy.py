"""The tables of privacy: how long what is kept, what has to stay, and that something has gone."""

from piccolo.columns import Boolean, Integer, Serial, Text, Timestamptz
from piccolo.columns.base import OnDelete
from piccolo.table import Table

from db.clock import now
from db.columns import ForeignKey
from db.tables.chats import Chat
from db.tables.desk import Agent, Queue


class Retention(Table, tablename="retention"):
    """How long the conversations of a queue are kept, from their end. A queue without a row keeps them."""

    id: Serial
    queue = ForeignKey(references=Queue, null=False, unique=True, on_delete=OnDelete.cascade)
    text_days = Integer(default=0)  # 0: without limit
    file_days = Integer(default=0)  # 0: as long as the conversation
    version = Integer(default=1)


class LegalHold(Table, tablename="legal_hold"):
    """A conversation that may not go, whatever its age and whoever asks."""

    id: Serial
    chat = ForeignKey(references=Chat, null=False, unique=True, on_delete=OnDelete.restrict)
    reason = Text(default="")
    agent = ForeignKey(references=Agent, null=True, on_delete=OnDelete.set_null)  # who said so
    held_at = Timestamptz(default=now)


class Erasure(Table, tablename="erasure"):
    """That something has gone: the receipt, which holds nothing of what it was."""

    id: Serial
    code = Text(unique=True)
    agent = ForeignKey(references=Agent, null=True, on_delete=OnDelete.restrict)  # null: it was its time
    conversations = Integer(default=0)
    files = Integer(default=0)
    stayed = Integer(default=0)  # conversations on hold
    erased_at = Timestamptz(default=now)
    wiped_at: Timestamptz = Timestamptz(null=True, default=None)  # out of the database's file, too


class Block(Table, tablename="block"):
    """The visitor of a chat, and whoever is verified as the same person, is kept out until then."""

    id: Serial
    chat = ForeignKey(references=Chat, null=False, on_delete=OnDelete.cascade)
    agent = ForeignKey(references=Agent, null=False, on_delete=OnDelete.restrict)
    reason = Text(default="")  # for the desk alone
    blocked_at = Timestamptz(default=now)
    until_at = Timestamptz(default=now)
    lifted_at: Timestamptz = Timestamptz(null=True, default=None)
    lifted_by = ForeignKey(references=Agent, null=True, on_delete=OnDelete.restrict)


class Emergency(Table, tablename="emergency"):
    """Somebody in a chat is in danger, until an agent takes it back."""

    id: Serial
    chat = ForeignKey(references=Chat, null=False, on_delete=OnDelete.cascade)
    agent = ForeignKey(references=Agent, null=False, on_delete=OnDelete.restrict)
    shown = Boolean(default=False)  # the numbers, to the visitor too
    hold = ForeignKey(references=LegalHold, null=True, on_delete=OnDelete.set_null)  # that came with it
    raised_at = Timestamptz(default=now)
    ended_at: Timestamptz = Timestamptz(null=True, default=None)
    ended_by = ForeignKey(references=Agent, null=True, on_delete=OnDelete.restrict)
