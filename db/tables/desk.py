"""Tables of the desk: its people, its queues and hours, who is on duty; and the audit."""

from piccolo.columns import JSON, Boolean, Integer, Serial, Text, Timestamptz
from piccolo.columns.base import OnDelete
from piccolo.table import Table

from db.clock import now
from db.columns import ForeignKey

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
    guided = Boolean(default=True)  # the first steps are still in the menu
    block_days = Integer(default=7)  # for how long whoever behaved badly is kept out
    emergency_numbers = Text(default="")  # besides 112, a line each: the number, then whose it is
    dutch = Text(default="nl_BE")  # or nl_NL: some words differ
    accessibility_contact = Text(default="")  # whom visitors tell what they cannot use
    accessibility_body = Text(default="")  # who hears those whom that did not help
    accessibility_on = Text(default="")  # the date of the desk's own last check
    security_contact = Text(default="")  # whom one tells of a leak; "": the contact above
    house_style: JSON = JSON(default="{}")  # properties of a theme file: name → value
    numbers = Text(default="bsn rrn iban card")  # kinds that visitors are warned of and agents see hidden


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
    look = Text(default="")  # of the screens: "light", "dark", "contrast"; "": as the system has it


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
    issuer = Text(default="")  # the provider that said who it is; "": a password of ours


class RecoveryCode(Table, tablename="recovery_code"):
    """Lets somebody in whose second factor is lost. Each works once, and is gone then."""

    id: Serial
    agent = ForeignKey(references=Agent, null=False, on_delete=CASCADE)
    code_hash = Text(secret=True)


class ProviderIdentity(Table, tablename="provider_identity"):
    """Who an agent is at the provider of the organisation's own sign-in. Unique: (issuer, subject), and
    (agent, issuer)."""

    id: Serial
    agent = ForeignKey(references=Agent, null=False, on_delete=CASCADE)
    issuer = Text()
    subject = Text()  # what the provider calls this person for good
    linked_at = Timestamptz(default=now)


class ProviderVisit(Table, tablename="provider_visit"):
    """Somebody is at the provider to sign in there; gone as soon as they are back."""

    id: Serial
    state_hash = Text(unique=True, secret=True)
    browser_hash = Text(secret=True)  # of the cookie of the browser that went
    address_hash = Text(secret=True)  # keyed, so that one address does not send without end
    nonce = Text(secret=True)
    verifier = Text(secret=True)
    page = Text(default="")  # that was asked for
    expires_at = Timestamptz(default=now)


class SignInRules(Table, tablename="sign_in_rules"):
    """One row, from the first time that they are saved: who may sign in with a password of ours."""

    id: Serial
    passwords = Boolean(default=True)  # everybody who has one
    local_agent = ForeignKey(references=Agent, null=True, on_delete=SET_NULL)  # or this one alone
    version = Integer(default=1)


class GroupRole(Table, tablename="group_role"):
    """Whoever is in this group at the provider has this role here. The first that fits counts."""

    id: Serial
    name = Text(unique=True)
    role = ForeignKey(references=Role, null=False, on_delete=RESTRICT)
    position = Integer(default=0)


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
    turned = Text(default="")  # the last of its turns: green, or why not


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
