"""Tables of the widgets, of chats, and of how they find their agents."""

from piccolo.columns import JSON, Boolean, Integer, Serial, Text, Timestamptz
from piccolo.columns.base import OnDelete
from piccolo.table import Table

from db.clock import now
from db.columns import ForeignKey
from db.tables.desk import Agent, Queue

CASCADE, RESTRICT, SET_NULL = OnDelete.cascade, OnDelete.restrict, OnDelete.set_null

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
    colours: JSON = JSON(default="{}")  # green and blue, each [on light, on dark]; {} = the standard ones
    button: JSON = JSON(default="{}")  # per language: what it says, "green" and "info", if not the standard
    clear_bottom = Integer(default=0)  # what its sites need for themselves there, in pixels
    clear_right = Integer(default=0)
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
    used_at: Timestamptz = Timestamptz(null=True, default=None)  # lately, by the hour


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
    ended_how = Text(default="")  # by_visitor, by_agent, behaviour, visitor_gone, …
    ended_by = ForeignKey(references=Agent, null=True, on_delete=RESTRICT)
    language = Text(default="nl")
    page_url = Text(default="")
    subject = ForeignKey(references=Subject, null=True, on_delete=SET_NULL)
    visitor_name = Text(default="")
    visitor_email = Text(default="")
    case_number = Text(default="")  # as the agents know it
    seq = Integer(default=0)  # of its last public message
    log_seq = Integer(default=-1)  # … that can be searched for; counted down when something else has changed
    visitor_got_seq = Integer(default=0)  # the last that a page of the visitor has; …
    visitor_read_seq = Integer(default=0)  # … and the last that was in sight there
    unanswered_since_at: Timestamptz = Timestamptz(null=True, default=None)  # by the agents
    silent_since_at: Timestamptz = Timestamptz(
        null=True, default=None
    )  # the visitor; null: has the last word
    idle_asked_at: Timestamptz = Timestamptz(
        null=True, default=None
    )  # "are you still there?", not answered yet


class Device(Table, tablename="device"):
    """Another device of a verified visitor, which has found the running chat: its own token for that one."""

    id: Serial
    chat = ForeignKey(references=Chat, null=False, on_delete=CASCADE)
    token_hash = Text(unique=True, secret=True)
    added_at = Timestamptz(default=now)


class TokenCheck(Table, tablename="token_check"):
    """Somebody has had a token explained: how many may be, of one address, has an end."""

    id: Serial
    address_hash = Text(secret=True)
    checked_at = Timestamptz(default=now)


class Presence(Table, tablename="presence"):
    """One open stream of a console (agent) or of a chat window (chat)."""

    id: Serial
    key = Text(unique=True)
    agent = ForeignKey(references=Agent, null=True, on_delete=CASCADE)
    chat = ForeignKey(references=Chat, null=True, on_delete=CASCADE)
    alive_until_at = Timestamptz(default=now)


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
    numbers: Text = Text(
        null=True, default=None
    )  # in the body, to be hidden: [[from, to, kind], …]; null: not looked for


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
    left_how = Text(default="")  # ended, left, logged_out, gone, taken_over, moved
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
