"""Tables of the agent's tools, of files, and of what follows the end of a chat."""

from piccolo.columns import JSON, Boolean, Integer, Serial, Text, Timestamptz
from piccolo.columns.base import OnDelete
from piccolo.table import Table

from db.clock import now
from db.columns import ForeignKey
from db.tables.chats import Chat
from db.tables.desk import Agent, Profile, Queue

CASCADE, RESTRICT = OnDelete.cascade, OnDelete.restrict

# ---- the agent's tools -----------------------------------------------------------------------------------


class Preset(Table, tablename="preset"):
    """A ready-made answer. Of a queue and a profile, or of all of them."""

    id: Serial
    title = Text()
    shortcut = Text(default="")  # typed after a / in the text bar
    body = Text()  # may hold placeholders, such as {visitor}
    language = Text(default="nl")
    queue = ForeignKey(references=Queue, null=True, on_delete=CASCADE)
    profile = ForeignKey(references=Profile, null=True, on_delete=CASCADE)
    position = Integer(default=0)
    version = Integer(default=1)


class SavedOffer(Table, tablename="saved_offer"):
    """A menu of options that agents may put before a visitor as it is. Of a queue, or of all."""

    id: Serial
    title = Text()
    options: JSON = JSON(default="[]")
    several = Boolean(default=False)
    language = Text(default="nl")
    queue = ForeignKey(references=Queue, null=True, on_delete=CASCADE)
    position = Integer(default=0)
    version = Integer(default=1)


class Offer(Table, tablename="offer"):
    """A menu of options put before one visitor, and what was chosen. The message with its key shows it."""

    id: Serial
    chat = ForeignKey(references=Chat, null=False, on_delete=RESTRICT)
    key = Text()
    agent = ForeignKey(references=Agent, null=False, on_delete=RESTRICT)
    title = Text()
    options: JSON = JSON(default="[]")
    several = Boolean(default=False)
    chosen: JSON = JSON(default="[]")  # indexes into options
    offered_at = Timestamptz(default=now)
    chosen_at: Timestamptz = Timestamptz(null=True, default=None)
    withdrawn_at: Timestamptz = Timestamptz(null=True, default=None)  # as its message: not both


class PrivateThread(Table, tablename="private_thread"):
    """Counts a chat's private messages, apart from all rows that a visitor's page reads."""

    id: Serial
    chat = ForeignKey(references=Chat, null=False, unique=True, on_delete=RESTRICT)
    seq = Integer(default=0)
    log_seq = Integer(default=0)  # the last that can be searched for


class PrivateMessage(Table, tablename="private_message"):
    """What an agent wrote for colleagues only."""

    id: Serial
    chat = ForeignKey(references=Chat, null=False, on_delete=RESTRICT)
    seq = Integer()  # 1, 2, 3 … of its own
    key = Text()
    after_seq = Integer()  # the last public message when it was written: its place in the agent's thread
    agent = ForeignKey(references=Agent, null=False, on_delete=RESTRICT)
    name = Text(default="")
    body = Text()
    sent_at = Timestamptz(default=now)


# ---- after the end ---------------------------------------------------------------------------------------


class Rating(Table, tablename="rating"):
    """What a visitor thought of a conversation. Once."""

    id: Serial
    chat = ForeignKey(references=Chat, null=False, unique=True, on_delete=RESTRICT)
    value = Integer()  # 1 = very dissatisfied … 5 = very satisfied
    remark = Text(default="")
    rated_at = Timestamptz(default=now)


class Mail(Table, tablename="mail"):
    """A letter that waits to be sent, or was. Each kind once per chat; or about a person of the desk."""

    id: Serial
    kind = Text()  # who writes it, when it is sent: "transcript"
    chat = ForeignKey(references=Chat, null=True, on_delete=RESTRICT)
    address = Text(default="")  # wiped when it has served
    address_hash = Text(default="")  # keyed: so many for one address, …
    asked_by_hash = Text(default="")  # … and so many asked for from one
    language = Text(default="nl")
    asked_at = Timestamptz(default=now)
    attempts = Integer(default=0)
    next_attempt_at: Timestamptz = Timestamptz(null=True, default=None)  # null: sent, or given up
    sent_at: Timestamptz = Timestamptz(null=True, default=None)
    problem = Text(default="")  # what went wrong last
    agent = ForeignKey(references=Agent, null=True, on_delete=CASCADE)


class Attachment(Table, tablename="attachment"):
    """A file added to a public message, or about to be. Its bytes lie in the data directory."""

    id: Serial
    chat = ForeignKey(references=Chat, null=False, on_delete=RESTRICT)
    key = Text()  # made by the sender: the same key again is the same file
    agent = ForeignKey(references=Agent, null=True, on_delete=RESTRICT)  # null: from the visitor
    seq: Integer = Integer(null=True, default=None)  # of its message; null: not sent yet
    name = Text(default="")
    sha256 = Text(default="")  # "" = not here, or not yet
    media = Text(default="")
    size = Integer(default=0)  # bytes
    width = Integer(default=0)  # of an image
    height = Integer(default=0)
    thumbnail = Text(default="")  # of an image: a data: URL
    refused = Text(default="")  # a code: why it was not taken
    uploaded_at = Timestamptz(default=now)


class PrivateAttachment(Table, tablename="private_attachment"):
    """A file added to a private message, or about to be: nothing that a visitor's page reads."""

    id: Serial
    chat = ForeignKey(references=Chat, null=False, on_delete=RESTRICT)
    key = Text()
    agent = ForeignKey(references=Agent, null=True, on_delete=RESTRICT)
    seq: Integer = Integer(null=True, default=None)  # of its private message
    name = Text(default="")
    sha256 = Text(default="")
    media = Text(default="")
    size = Integer(default=0)
    width = Integer(default=0)
    height = Integer(default=0)
    thumbnail = Text(default="")
    refused = Text(default="")
    uploaded_at = Timestamptz(default=now)
