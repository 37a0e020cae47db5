"""The example desk: "Gemeente Voorbeeld", for `bin/balie demo`, for looking around and for the tests.

One named world for all: two queues, three agents, a supervisor, an admin, and a widget with a form besides
one without. Also the very first row of a real desk, which begins empty.
"""

import json
import secrets
from typing import Any

import db
from db.clock import now
from db.settings import BadSetting, settings
from db.tables import (
    Agent,
    AgentProfile,
    Desk,
    Holiday,
    OpeningHours,
    Preset,
    Profile,
    ProfileQueue,
    Queue,
    Role,
    SavedOffer,
    Subject,
    Widget,
)

WIDGET = "voorbeeld"  # its key
WEEKDAYS = range(5)
MORNING, AFTERNOON = (9 * 60, 12 * 60), (13 * 60, 17 * 60)

# Of the Belgian calendar, as it calls them in English.
HOLIDAYS = (
    "New Year's Day",
    "Easter Monday",
    "Labor Day",
    "Ascension Day",
    "Pentecost Monday",
    "National Day",
    "Assumption Day",
    "All Saints' Day",
    "Armistice Day",
    "Christmas Day",
)

# (user name, display name, role, languages, first that of the interface, profiles)
PEOPLE = (
    ("an", "An", "agent", ("nl",), ("Loket", "Backoffice")),
    ("bram", "Bram", "agent", ("nl", "en"), ("Loket", "Vergunningen")),
    ("chloe", "Chloé", "agent", ("fr", "nl"), ("Loket",)),
    ("eva", "Eva", "supervisor", ("nl", "fr"), ("Loket",)),
    ("admin", "Beheerder", "admin", ("nl",), ()),
)

# (name, places, {queue: priority})
PROFILES: tuple[tuple[str, int, dict[str, int]], ...] = (
    ("Loket", 3, {"Algemeen": 1, "Vergunningen": 2}),
    ("Vergunningen", 2, {"Vergunningen": 1}),
    ("Backoffice", 3, {}),
)

LABELS = {
    "Algemeen": {
        "nl": "Algemene vraag",
        "fr": "Question générale",
        "de": "Allgemeine Frage",
        "en": "General question",
    },
    "Vergunningen": {
        "nl": "Vergunningen",
        "fr": "Permis et autorisations",
        "de": "Genehmigungen",
        "en": "Permits",
    },
}

PRIVACY_TEXT = {
    "nl": "We gebruiken uw gegevens alleen om uw vraag te beantwoorden.",
    "fr": "Nous utilisons vos données uniquement pour répondre à votre question.",
    "de": "Wir verwenden Ihre Daten nur, um Ihre Frage zu beantworten.",
    "en": "We use your details only to answer your question.",
}
PRIVACY = {
    language: {"text": text, "url": f"https://example.org/{language}/privacy"}
    for language, text in PRIVACY_TEXT.items()
}

INFO_CARD = {
    "nl": """\
U kunt ons ook op een andere manier bereiken.

## Bellen

[02 123 45 67](tel:+3221234567), op werkdagen van 9.00 tot 17.00 uur

## Langskomen

Gemeentehuis, Marktplein 1, 9999 Voorbeeld, op werkdagen van 9.00 tot 12.00 uur

## Niet tevreden?

Dien een klacht in: [klachten@example.org](mailto:klachten@example.org)

## Noodgeval

Is er iemand in gevaar? Bel [112](tel:112).
""",
    "fr": """\
Vous pouvez aussi nous joindre autrement.

## Par téléphone

[02 123 45 67](tel:+3221234567), les jours ouvrables de 9 h à 17 h

## Sur place

Maison communale, Marktplein 1, 9999 Voorbeeld, les jours ouvrables de 9 h à 12 h

## Pas satisfait\N{NO-BREAK SPACE}?

Déposez une plainte\N{NO-BREAK SPACE}: [plaintes@example.org](mailto:plaintes@example.org)

## Urgence

Quelqu’un est en danger\N{NO-BREAK SPACE}? Appelez le [112](tel:112).
""",
    "de": """\
Sie erreichen uns auch auf anderen Wegen.

## Telefon

[02 123 45 67](tel:+3221234567), werktags von 9 bis 17 Uhr

## Vor Ort

Gemeindehaus, Marktplein 1, 9999 Voorbeeld, werktags von 9 bis 12 Uhr

## Nicht zufrieden?

Reichen Sie eine Beschwerde ein: [beschwerden@example.org](mailto:beschwerden@example.org)

## Notfall

Ist jemand in Gefahr? Rufen Sie [112](tel:112) an.
""",
    "en": """\
You can also reach us in other ways.

## By telephone

[02 123 45 67](tel:+3221234567), on working days from 9:00 to 17:00

## In person

Town hall, Marktplein 1, 9999 Voorbeeld, on working days from 9:00 to 12:00

## Not satisfied?

Make a complaint: [complaints@example.org](mailto:complaints@example.org)

## Emergency

Is somebody in danger? Call [112](tel:112).
""",
}


# (language, shortcut, title, text, queue); {visitor}, {agent} and {queue} are filled in
PRESETS: tuple[tuple[str, str, str, str, str | None], ...] = (
    ("nl", "dag", "Begroeting", "Goeiedag {visitor}, u spreekt met {agent}. Waarmee kan ik u helpen?", None),
    ("nl", "even", "Even opzoeken", "Een ogenblik, ik zoek dat voor u op.", None),
    ("nl", "nog", "Nog vragen?", "Kan ik u nog ergens anders mee helpen?", None),
    ("nl", "dank", "Afsluiten", "Graag gedaan. Nog een prettige dag, {visitor}!", None),
    (
        "nl",
        "bellen",
        "Liever telefonisch",
        "U kunt ons bellen op 02 123 45 67, op werkdagen van 9.00 tot 17.00 uur.",
        None,
    ),
    (
        "nl",
        "uren",
        "Openingsuren",
        "Het gemeentehuis is op werkdagen open van 9.00 tot 12.00 uur.",
        "Algemeen",
    ),
    (
        "nl",
        "kaart",
        "Bewonerskaart verlengen",
        "U verlengt uw bewonerskaart online. U hebt uw identiteitskaart en uw nummerplaat nodig.",
        "Algemeen",
    ),
    (
        "nl",
        "dossier",
        "Stand van het dossier",
        "Mag ik uw dossiernummer? Het staat rechts boven op de ontvangstbevestiging.",
        "Vergunningen",
    ),
    (
        "nl",
        "termijn",
        "Beslissingstermijn",
        "Over een volledige aanvraag beslissen we binnen 60 dagen. U krijgt daarvan bericht.",
        "Vergunningen",
    ),
    ("fr", "bonjour", "Accueil", "Bonjour {visitor}, je suis {agent}. En quoi puis-je vous aider ?", None),
    ("fr", "instant", "Un instant", "Un instant, je vérifie cela pour vous.", None),
    ("fr", "autre", "Autre question ?", "Puis-je encore vous aider ?", None),
    ("fr", "merci", "Conclusion", "Avec plaisir. Bonne journée, {visitor} !", None),
    ("fr", "dossier", "État du dossier", "Quel est votre numéro de dossier ?", "Vergunningen"),
)

# (language, title, options, several may be chosen, queue)
OFFERS: tuple[tuple[str, str, tuple[str, ...], bool, str | None], ...] = (
    (
        "nl",
        "Wat wilt u met uw bewonerskaart doen?",
        ("Aanvragen", "Verlengen", "Nummerplaat wijzigen", "Stopzetten"),
        False,
        "Algemeen",
    ),
    (
        "nl",
        "Welke documenten hebt u al?",
        ("Plannen", "Foto’s van de huidige toestand", "Eigendomsbewijs", "Akkoord van de buren", "Nog geen"),
        True,
        "Vergunningen",
    ),
    (
        "fr",
        "Comment souhaitez-vous recevoir votre document\N{NO-BREAK SPACE}?",
        ("Par courrier", "Par e-mail", "Je passe le chercher"),
        False,
        None,
    ),
)


async def load(password: str | None = None) -> dict[str, str] | None:
    """Makes the desk and returns who signs in with what; None, and nothing done, where there is a desk."""
    from features.hashes import hashed  # the desk's own way of keeping passwords

    if await Desk.exists():
        if not await is_here() and await Agent.exists():
            raise BadSetting(
                f"the desk in {settings.database} is no example: a demo would open it to everybody."
                " Name another directory with --data"
            )
        return None
    passwords = {username: password or new_password() for username, *_ in PEOPLE}
    hashes = {username: await hashed(secret) for username, secret in passwords.items()}
    async with db.transaction():
        await db.lock("first start")
        if await Desk.exists():
            return None
        await new_desk("Gemeente Voorbeeld", guided=False)
        queues = await new_queues()
        await new_people(hashes, await new_roles(), await new_profiles(queues))
        await new_widgets(queues)
        await new_presets(queues)
        await new_offers(queues)
    return passwords


async def is_here() -> bool:
    """The example desk, with accounts that are in every manual."""
    known = [username for username, *_ in PEOPLE]
    return bool(
        await Widget.exists().where(Widget.key == WIDGET)
        and await Agent.exists().where(Agent.username.is_in(known))
    )


async def empty(name: str) -> None:
    """A real desk at its first start: nothing but its name."""
    async with db.transaction():
        await db.lock("first start")
        if not await Desk.exists():
            await new_desk(name, settings.language)


def new_password() -> str:
    """Easy to read out and to type, hard to guess: 51 bits."""
    syllables = [secrets.choice("bdfghjklmnprstvz") + secrets.choice("aeiou") for _ in range(6)]
    return f"{''.join(syllables[:3])}-{''.join(syllables[3:])}-{secrets.randbelow(10_000):04}"


async def new_desk(name: str, language: str = "nl", guided: bool = True) -> None:
    await Desk(name=name, language=language, secret=secrets.token_hex(32), guided=guided).save()


async def new_queues() -> dict[str, int]:
    general = Queue(name="Algemeen", always_open=True, keeps_holidays=False)
    permits = Queue(name="Vergunningen")
    await general.save()
    await permits.save()
    await OpeningHours.insert(
        *(
            OpeningHours(queue=permits.id, weekday=weekday, opens_minute=opens, closes_minute=closes)
            for weekday in WEEKDAYS
            for opens, closes in (MORNING, AFTERNOON)
        )
    )
    await Holiday.insert(*(Holiday(calendar="BE", name=name) for name in HOLIDAYS))
    return {general.name: general.id, permits.name: permits.id}


async def new_roles() -> dict[str, int]:
    from features.access import ROLES

    roles = [Role(name=name, permissions=json.dumps(permissions)) for name, permissions in ROLES.items()]
    for role in roles:
        await role.save()
    return {role.name: role.id for role in roles}


async def new_profiles(queues: dict[str, int]) -> dict[str, int]:
    made = {}
    for name, places, served in PROFILES:
        profile = Profile(name=name, places=places)
        await profile.save()
        made[name] = profile.id
        for queue, priority in served.items():
            await ProfileQueue(profile=profile.id, queue=queues[queue], priority=priority).save()
    return made


async def new_people(hashes: dict[str, str], roles: dict[str, int], profiles: dict[str, int]) -> None:
    for username, name, role, languages, theirs in PEOPLE:
        agent = Agent(
            username=username,
            name=name,
            password_hash=hashes[username],
            role=roles[role],
            language=languages[0],
            languages=_json(languages),
            created_at=now(),
        )
        await agent.save()
        for profile in theirs:
            await AgentProfile(agent=agent.id, profile=profiles[profile]).save()


async def new_widgets(queues: dict[str, int]) -> None:
    form = ["name", "email", "subject", "question"]
    await new_widget(WIDGET, "E-loket", form, queues)
    await new_widget("direct", "E-loket zonder formulier", [], {"Algemeen": queues["Algemeen"]})


async def new_widget(key: str, name: str, form: list[str], queues: dict[str, int]) -> None:
    widget = Widget(key=key, name=name, form=_json(form), privacy=_json(PRIVACY), info_card=_json(INFO_CARD))
    await widget.save()
    for position, (queue_name, queue) in enumerate(queues.items()):
        label = _json(LABELS[queue_name])
        await Subject(widget=widget.id, queue=queue, label=label, position=position).save()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


async def new_presets(queues: dict[str, int]) -> None:
    await Preset.insert(
        *(
            Preset(
                language=language,
                shortcut=shortcut,
                title=title,
                body=body,
                queue=queues[queue] if queue else None,
                position=position,
            )
            for position, (language, shortcut, title, body, queue) in enumerate(PRESETS)
        )
    )


async def new_offers(queues: dict[str, int]) -> None:
    await SavedOffer.insert(
        *(
            SavedOffer(
                language=language,
                title=title,
                options=_json(options),
                several=several,
                queue=queues[queue] if queue else None,
                position=position,
            )
            for position, (language, title, options, several, queue) in enumerate(OFFERS)
        )
    )
