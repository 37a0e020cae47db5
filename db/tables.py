"""The tables: columns, no behaviour. Timestamps end in `_at` and are UTC; spans end in their unit.

`db/migrations/` makes them; a test holds the two together on both databases.
"""

from typing import Any

from piccolo.columns import (
    JSON,
    Boolean,
    ForeignKey,
    Integer,
    Serial,
    Text,
    Timestamptz,
)
from piccolo.columns.base import OnDelete
from piccolo.table import Table

from db.clock import now

CASCADE, RESTRICT, SET_NULL = OnDelete.cascade, OnDelete.restrict, OnDelete.set_null

# ---- the desk and its people ------------------------------------------------------------------------------


class Desk(Table, tablename="desk"):
    """One row: the organisation itself."""

    id: Serial
    name = Text()
    time_zone = Text(default="Europe/Brussels")
    language = Text(default="nl")
    secret = Text(secret=True)  # keys what must be recognised but not read, such as a visitor's address
    alive_at: Timestamptz = Timestamptz(null=True, default=None)  # when a server was last up
    version = Integer(default=1)  # counts its changes: two admins do not undo each other's unseen


class Role(Table, tablename="role"):
    id: Serial
    name = Text(unique=True)
    permissions: JSON = JSON(default="[]")  # names that guards ask for
    second_factor = Boolean(default=False)  # whoever has it signs in with a code as well
    version = Integer(default=1)


class Agent(Table, tablename="agent"):
    """A person who signs in: agent, supervisor or admin, as the role says."""

    id: Serial
    username = Text(unique=True)  # lower case
    name = Text()  # the display name: all that a visitor ever sees
    password_hash = Text(secret=True)
    role = ForeignKey(references=Role, null=False, on_delete=RESTRICT)
    language = Text(default="nl")  # of the interface
    active = Boolean(default=True)
    created_at = Timestamptz(default=now)
    version = Integer(default=1)
    email = Text(default="")  # where links to choose a password are sent
    languages: JSON = JSON(default="[]")  # that it speaks with visitors
    totp_secret = Text(default="", secret=True)  # of the second factor; "" = none
    totp_new = Text(default="", secret=True)  # one that is being set up, until a code confirms it
    totp_step = Integer(default=0)  # of the last code that was used: it does not work again


class Session(Table, tablename="session"):
    """A signed-in browser."""

    id: Serial
    agent = ForeignKey(references=Agent, null=False, on_delete=CASCADE)
    token_hash = Text(unique=True, secret=True)
    csrf = Text(secret=True)
    created_at = Timestamptz(default=now)
    expires_at = Timestamptz(default=now)
    browser = Text(default="")  # which, and on what: "Firefox, Windows"
    seen_at: Timestamptz = Timestamptz(null=True, default=None)  # to some minutes


class RecoveryCode(Table, tablename="recovery_code"):
    """Lets somebody in whose second factor is lost. Each works once, and is gone then."""

    id: Serial
    agent = ForeignKey(references=Agent, null=False, on_delete=CASCADE)
    code_hash = Text(secret=True)


class SignInFailure(Table, tablename="sign_in_failure"):
    """A wrong password: `who` is keyed by name and address, so that neither can be guessed at for ever."""

    id: Serial
    who = Text()
    failed_at = Timestamptz(default=now)


class OneTimeLink(Table, tablename="one_time_link"):
    """What works once: the link that makes the first admin, or by which somebody chooses a password; and the
    half of a sign-in that is done, until the code follows."""

    id: Serial
    purpose = Text()  # first_admin, invitation, password, second_factor
    token_hash = Text(unique=True, secret=True)
    expires_at = Timestamptz(default=now)
    agent = ForeignKey(references=Agent, null=True, on_delete=CASCADE)


class Audit(Table, tablename="audit"):
    """Who changed or looked at what, and when. Rows are only ever added; each holds the fingerprint of the
    one before it."""

    id: Serial
    at = Timestamptz(default=now)
    agent = ForeignKey(references=Agent, null=True, on_delete=RESTRICT)  # null: the desk itself
    what = Text()  # made, changed, deleted, looked, …
    about = Text(default="")  # a table and an id: "queue:3"
    fields: JSON = JSON(default="{}")  # name → [before, after]; of a secret or a personal field only the name
    previous = Text(default="")
    hash = Text(unique=True)


# ---- queues, hours, profiles -----------------------------------------------------------------------------


class Queue(Table, tablename="queue"):
    id: Serial
    name = Text()
    always_open = Boolean(default=False)
    answer_s = Integer(default=30)  # how long an agent is asked
    grace_s = Integer(default=60)  # how long a conversation waits for an agent whose line is gone
    overdue_s = Integer(default=300)  # from then on, the longest waiting comes first
    away_s = Integer(default=600)  # how long a conversation waits for a visitor who is gone (V13)
    green = Boolean(default=False)  # what routing last found: a newcomer would get a place
    idle_minutes = Integer(
        default=10
    )  # of the visitor's silence, until it is asked whether it is there; 0 = off
    version = Integer(default=1)
    keeps_holidays = Boolean(default=True)  # closed on those that the desk keeps
    last_intake_minutes = Integer(default=0)  # before closing time: from then on nobody new
    closed_at: Timestamptz = Timestamptz(null=True, default=None)  # by hand; null: it is not
    closed_until_at: Timestamptz = Timestamptz(null=True, default=None)  # null: until somebody reopens it
    closed_by = ForeignKey(references=Agent, null=True, on_delete=SET_NULL)
    closed_words: JSON = JSON(default="{}")  # per language: what visitors are told


class OpeningHours(Table, tablename="opening_hours"):
    """One block of one weekday, in the desk's time zone."""

    id: Serial
    queue = ForeignKey(references=Queue, null=False, on_delete=CASCADE)
    weekday = Integer()  # 0 = Monday
    opens_minute = Integer()  # of the day
    closes_minute = Integer()


class Holiday(Table, tablename="holiday"):
    """A holiday that the desk keeps: those that are not here are days as usual."""

    id: Serial
    calendar = Text()  # BE or NL
    name = Text()  # as the calendar calls it in English


class SpecialDay(Table, tablename="special_day"):
    """A day, or a row of them, unlike what the week and the holidays say."""

    id: Serial
    queue = ForeignKey(references=Queue, null=True, on_delete=CASCADE)  # null: all of them
    name = Text()
    first_day = Text()  # 2026-12-24
    last_day = Text()
    blocks = Text(default="")  # in minutes of the day, "540-720 780-1020"; "": closed
    version = Integer(default=1)


class Profile(Table, tablename="profile"):
    id: Serial
    name = Text()
    places = Integer(default=3)  # chats at a time
    version = Integer(default=1)


class ProfileQueue(Table, tablename="profile_queue"):
    id: Serial
    profile = ForeignKey(references=Profile, null=False, on_delete=CASCADE)
    queue = ForeignKey(references=Queue, null=False, on_delete=CASCADE)
    priority = Integer(default=1)  # 1 comes first; equal ones form one line


class AgentProfile(Table, tablename="agent_profile"):
    """An agent may choose this profile when signing in."""

    id: Serial
    agent = ForeignKey(references=Agent, null=False, on_delete=CASCADE)
    profile = ForeignKey(references=Profile, null=False, on_delete=CASCADE)


# ---- presence and readiness ------------------------------------------------------------------------------


class Readiness(Table, tablename="readiness"):
    """How an agent stands to new chats; one row each, from the first time a profile is chosen."""

    id: Serial
    agent = ForeignKey(references=Agent, null=False, on_delete=CASCADE, unique=True)
    profile = ForeignKey(references=Profile, null=True, on_delete=SET_NULL)  # null: logged out
    ready = Boolean(default=False)
    reason = Text(default="")  # why not ready: a code, such as "logged_in", "not_answered", "lunch"
    gone_at: Timestamptz = Timestamptz(null=True, default=None)  # null: has a live console
    here = Boolean(default=True)  # as routing last found: live, or gone for less than 10 s
    idle_since_at = Timestamptz(default=now)


class Presence(Table, tablename="presence"):
    """One open stream of a console (agent) or of a chat window (chat)."""

    id: Serial
    key = Text(unique=True)
    agent = ForeignKey(references=Agent, null=True, on_delete=CASCADE)
    chat: ForeignKey[Any] = ForeignKey(references="Chat", null=True, on_delete=CASCADE)
    alive_until_at = Timestamptz(default=now)


# ---- the widget ------------------------------------------------------------------------------------------


class Widget(Table, tablename="widget"):
    """What a host page embeds."""

    id: Serial
    key = Text(unique=True)
    name = Text()
    language = Text(default="nl")  # when the host page asks for none that we have
    origins: JSON = JSON(default="[]")  # host pages that may frame the window, besides our own
    form: JSON = JSON(default="[]")  # asked first: any of name, email, subject, question; [] = no form
    privacy: JSON = JSON(default="{}")  # per language: {"text": …, "url": …}
    info_url = Text(default="")  # where blue leads; "" = our own info card
    info_card: JSON = JSON(default="{}")  # per language, Markdown
    documents = Boolean(default=True)  # docx and odt may be added to messages
    version = Integer(default=1)


class SigningKey(Table, tablename="signing_key"):
    """With which a host page signs who its visitor is."""

    id: Serial
    widget = ForeignKey(references=Widget, null=False, on_delete=CASCADE)
    kid = Text()  # the name by which a token may choose it
    algorithm = Text()  # the only one that counts with this key: HS256, ES256 or RS256
    material = Text(secret=True)  # HS256: the shared secret; else the public key, as PEM
    created_at = Timestamptz(default=now)
    revoked_at: Timestamptz = Timestamptz(null=True, default=None)


class Subject(Table, tablename="subject"):
    """What a visitor can choose in the form; it decides the queue. Without a form the first one counts."""

    id: Serial
    widget = ForeignKey(references=Widget, null=False, on_delete=CASCADE)
    queue = ForeignKey(references=Queue, null=False, on_delete=RESTRICT)
    label: JSON = JSON(default="{}")  # per language
    position = Integer(default=0)


# ---- chats -----------------------------------------------------------------------------------------------


class Visitor(Table, tablename="visitor"):
    """The holder of one bearer token at one widget."""

    id: Serial
    widget = ForeignKey(references=Widget, null=False, on_delete=RESTRICT)
    token_hash = Text(unique=True, secret=True)
    created_at = Timestamptz(default=now)


class Identity(Table, tablename="identity"):
    """Who a visitor is, as a signed token of the host page says. What is empty was not said."""

    id: Serial
    visitor = ForeignKey(references=Visitor, null=False, unique=True, on_delete=CASCADE)
    widget = ForeignKey(references=Widget, null=False, on_delete=RESTRICT)
    sub = Text()  # the host's own id of this person: the same person at this widget has the same
    name = Text(default="")
    email = Text(default="")
    variables: JSON = JSON(default="{}")  # whatever else it vouches for, by label
    site = Text(default="")  # who vouched, as it was called then
    verified_at = Timestamptz(default=now)


class ShownToken(Table, tablename="shown_token"):
    """A signed token counts only for the visitor who showed it first."""

    id: Serial
    widget = ForeignKey(references=Widget, null=False, on_delete=CASCADE)
    jti = Text()
    visitor = ForeignKey(references=Visitor, null=False, on_delete=CASCADE)
    expires_at = Timestamptz(default=now)


class Chat(Table, tablename="chat"):
    """forming (a hold) → waiting ⇄ active → ended. One unended chat per visitor, by unique index."""

    id: Serial
    visitor = ForeignKey(references=Visitor, null=False, on_delete=RESTRICT)
    widget = ForeignKey(references=Widget, null=False, on_delete=RESTRICT)
    queue = ForeignKey(references=Queue, null=False, on_delete=RESTRICT)
    state = Text(default="forming")
    ticket_at = Timestamptz(default=now)  # the moment of the press: the place in line; never changes
    hold_until_at: Timestamptz = Timestamptz(null=True, default=None)
    promised_to = ForeignKey(references=Agent, null=True, on_delete=SET_NULL)  # with a place
    address_hash = Text(default="")  # while it is forming: at most two holds per address
    returned = Boolean(default=False)  # lost its agent: head of its queue
    begun = Boolean(default=False)  # a conversation has begun at some time
    visitor_gone_at: Timestamptz = Timestamptz(null=True, default=None)  # null: has a live page
    visitor_here = Boolean(default=True)  # as routing last found: live, or gone for less than 10 s
    alone_since_at: Timestamptz = Timestamptz(null=True, default=None)  # queue closed, nobody left for it
    outlook = Text(default="")  # what routing last found for a waiting chat: asked, line, nobody
    started_at: Timestamptz = Timestamptz(null=True, default=None)  # no longer forming
    ended_at: Timestamptz = Timestamptz(null=True, default=None)
    ended_how = Text(default="")  # by_visitor, by_agent, visitor_gone, hold_expired, closed, idle
    ended_by = ForeignKey(references=Agent, null=True, on_delete=RESTRICT)
    language = Text(default="nl")
    page_url = Text(default="")
    subject = ForeignKey(references=Subject, null=True, on_delete=SET_NULL)
    visitor_name = Text(default="")
    visitor_email = Text(default="")
    case_number = Text(default="")  # as the agents know it
    seq = Integer(default=0)  # of its last public message
    visitor_got_seq = Integer(default=0)  # the last that a page of the visitor has; …
    visitor_read_seq = Integer(default=0)  # … and the last that was in sight there
    unanswered_since_at: Timestamptz = Timestamptz(null=True, default=None)  # by the agents
    silent_since_at: Timestamptz = Timestamptz(
        null=True, default=None
    )  # the visitor; null: has the last word
    idle_asked_at: Timestamptz = Timestamptz(
        null=True, default=None
    )  # "are you still there?", not answered yet


class Start(Table, tablename="start"):
    """A chat that was started from this address a moment ago. Kept for as long as starts are counted."""

    id: Serial
    chat = ForeignKey(references=Chat, null=False, unique=True, on_delete=CASCADE)
    address_hash = Text()  # keyed
    started_at = Timestamptz(default=now)


class Message(Table, tablename="message"):
    """One line of the public thread: what somebody wrote or what happened. Private messages live
    elsewhere."""

    id: Serial
    chat = ForeignKey(references=Chat, null=False, on_delete=RESTRICT)
    seq = Integer()  # 1, 2, 3 … within its chat
    key = Text()  # made by the sender: the same key again is the same message
    kind = Text(default="text")  # or an event that both sides see: joined, left, ended …
    author = Text()  # visitor, agent, desk
    agent = ForeignKey(references=Agent, null=True, on_delete=RESTRICT)
    name = Text(default="")  # of the author, as it was then
    body = Text(default="")
    data: JSON = JSON(default="{}")  # facts of an event, for rendering it in any language
    sent_at = Timestamptz(default=now)
    withdrawn_at: Timestamptz = Timestamptz(null=True, default=None)  # by its author: gone for the visitor


class Invite(Table, tablename="invite"):
    """An agent in a chat asks a colleague, or whoever of a queue is free, to join it. One open per chat, by
    unique index."""

    id: Serial
    chat = ForeignKey(references=Chat, null=False, on_delete=RESTRICT)
    inviter = ForeignKey(references=Agent, null=False, on_delete=RESTRICT)
    agent = ForeignKey(references=Agent, null=True, on_delete=RESTRICT)  # this one; else …
    queue = ForeignKey(references=Queue, null=True, on_delete=RESTRICT)  # … some agent of this queue
    note = Text(default="")  # for colleagues alone
    opened_at = Timestamptz(default=now)
    expires_at = Timestamptz(default=now)
    outcome = Text(default="")  # "" = open; accepted, refused, expired, withdrawn
    reason = Text(default="")  # why: rejected, no_answer, gone, withdrawn, nobody_free, nobody_left, ended
    closed_at: Timestamptz = Timestamptz(null=True, default=None)
    put_away = Boolean(default=False)  # how it went has been read


class Reservation(Table, tablename="reservation"):
    """A waiting chat, or an invitation to a running one, held for one agent until it answers. One open per
    chat, one per agent, by unique index."""

    id: Serial
    chat = ForeignKey(references=Chat, null=False, on_delete=RESTRICT)
    agent = ForeignKey(references=Agent, null=False, on_delete=RESTRICT)
    queue = ForeignKey(references=Queue, null=False, on_delete=RESTRICT)
    opened_at = Timestamptz(default=now)
    expires_at = Timestamptz(default=now)
    outcome = Text(
        default=""
    )  # "" = open; accepted, rejected, passed_on, no_answer, gone, withdrawn, visitor_left
    closed_at: Timestamptz = Timestamptz(null=True, default=None)
    kind = Text(default="chat")  # or invite: to a queue; direct: to this agent
    invite = ForeignKey(references=Invite, null=True, on_delete=RESTRICT)


class Participation(Table, tablename="participation"):
    """An agent in a chat, from when to when."""

    id: Serial
    chat = ForeignKey(references=Chat, null=False, on_delete=RESTRICT)
    agent = ForeignKey(references=Agent, null=False, on_delete=RESTRICT)
    queue = ForeignKey(references=Queue, null=True, on_delete=RESTRICT)  # through which it came
    joined_at = Timestamptz(default=now)
    left_at: Timestamptz = Timestamptz(null=True, default=None)
    left_how = Text(default="")  # ended, left, logged_out, gone
    read_seq = Integer(default=0)
    tab_open = Boolean(default=True)  # an ended chat stays on the console until its tab is closed


class Refusal(Table, tablename="refusal"):
    """Who has refused a waiting chat, and so is not asked for it while another may come."""

    id: Serial
    chat = ForeignKey(references=Chat, null=False, on_delete=CASCADE)
    agent = ForeignKey(references=Agent, null=False, on_delete=CASCADE)
    how = Text()  # rejected, no_answer, left
    refused_at = Timestamptz(default=now)


class Step(Table, tablename="step"):
    """The ledger: every step of routing, so that "why did this chat go there" has an answer."""

    id: Serial
    chat = ForeignKey(references=Chat, null=True, on_delete=RESTRICT)
    agent = ForeignKey(references=Agent, null=True, on_delete=RESTRICT)
    what = Text()
    data: JSON = JSON(default="{}")
    happened_at = Timestamptz(default=now)


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


from db import tables_privacy  # noqa: E402 – its tables refer to those above

TABLES: tuple[type[Table], ...] = (
    Desk,
    Role,
    Agent,
    Session,
    RecoveryCode,
    SignInFailure,
    OneTimeLink,
    Audit,
    Queue,
    OpeningHours,
    Holiday,
    SpecialDay,
    Profile,
    ProfileQueue,
    AgentProfile,
    Readiness,
    Widget,
    SigningKey,
    Subject,
    Visitor,
    Identity,
    ShownToken,
    Chat,
    Presence,
    Start,
    Message,
    Invite,
    Reservation,
    Participation,
    Refusal,
    Step,
    Preset,
    SavedOffer,
    Offer,
    PrivateThread,
    PrivateMessage,
    Rating,
    Mail,
    Attachment,
    PrivateAttachment,
    *tables_privacy.TABLES,
)
