"""Demo: two pages of a site that is not ours, an e-loket with the button on it. Only in `balie demo`.

    GET /demo          a form, as a town has them
    GET /demo/2        its next page: a chat goes on from page to page
    GET /demo/token    who is signed in there, signed for the chat

With ?citizen=lien somebody is signed in at that site. The key it signs with is made at the first start. The
texts are in Dutch alone, as such a site's would be. Nothing that is filled in is sent: no field has a name.
"""

import secrets
from datetime import timedelta
from typing import Any

from litestar import MediaType, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromQuery

import db
from db.clock import now
from db.example_desk import WIDGET
from db.settings import settings
from db.tables import SigningKey
from features import desk, identity, widget
from features.access import public
from layouts import html, template

KID = "voorbeeldsite"
TOKEN_MINUTES = 5

# What the site knows of those who sign in there.
CITIZENS: dict[str, dict[str, Any]] = {
    "lien": {
        "sub": "burger-1207",
        "name": "Lien Janssens",
        "email": "lien@voorbeeld.be",
        "vars": {"Klantnummer": "VB-1207", "Adres": "Kerkstraat 12, 9999 Voorbeeld"},
    },
    "karim": {
        "sub": "burger-0311",
        "name": "Karim Benali",
        "email": "karim@voorbeeld.be",
        "vars": {"Klantnummer": "VB-0311", "Adres": "Vaartkant 3, 9999 Voorbeeld"},
    },
}


@get("/demo", guards=[public])
async def form(citizen: FromQuery[str] = "") -> Response[Any]:
    return html(ui.form_page(desk.facts.name, WIDGET, *signed_in(citizen)))


@get("/demo/2", guards=[public])
async def review(citizen: FromQuery[str] = "") -> Response[Any]:
    return html(ui.review_page(desk.facts.name, WIDGET, *signed_in(citizen)))


def signed_in(citizen: str) -> tuple[str, str]:
    """Its handle and its name; empty: nobody is."""
    return (citizen, CITIZENS[citizen]["name"]) if citizen in CITIZENS else ("", "")


@get("/demo/token", guards=[public])
async def token(citizen: FromQuery[str] = "") -> Response[str]:
    """What the server of such a site does, whatever it is written in."""
    if citizen not in CITIZENS:
        raise NotFoundException
    key = SigningKey.select(SigningKey.material).where(SigningKey.kid == KID)
    row = await key.where(SigningKey.widget.key == WIDGET).first()
    if row is None:
        raise NotFoundException
    import jwt

    said = {
        "iss": WIDGET,
        "aud": settings.url,
        "exp": int((now() + timedelta(minutes=TOKEN_MINUTES)).timestamp()),
        "jti": secrets.token_urlsafe(16),
        **CITIZENS[citizen],
    }
    signed = jwt.encode(said, row["material"], algorithm="HS256", headers={"kid": KID})
    return Response(signed, media_type=MediaType.TEXT)


async def make_key() -> None:
    """At the first start, and never the same."""
    found = await widget.widget_by_key(WIDGET)
    if found is None:
        return
    async with db.transaction():
        await db.lock("first start")
        if not await SigningKey.exists().where(SigningKey.widget == found.id).where(SigningKey.kid == KID):
            await identity.add_key(found.id, KID, "HS256", secrets.token_urlsafe(48))


routes = [form, review, token]
starts = [make_key]

ui = template("""
{# The address of one of its pages, for whoever is signed in. #}
{% macro to(path, citizen) %}{{ path }}{% if citizen %}?citizen={{ citizen }}{% endif %}{% endmacro %}

{% macro site(town, widget, title, step, citizen, name) %}
<!doctype html>
<html lang="nl">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
    <title>{{ title }} – {{ town }}</title>
    <link rel="icon" href="{{ asset("icon.svg") }}" type="image/svg+xml">
    <link rel="stylesheet" href="{{ asset("demo.css") }}">
    <script async src="/embed.js" data-widget="{{ widget }}"></script>
    {% if citizen %}<script defer src="{{ asset("demo.js") }}" data-citizen="{{ citizen }}"></script>{% endif %}
  </head>
  <body>
    <a class="skip" href="#main">Naar de inhoud</a>
    <header class="site-head">
      <div class="wide">
        <a class="town" href="{{ to("/demo", citizen) }}"><span class="crest" aria-hidden="true"></span>{{ town }}</a>
        <nav class="site-nav" aria-label="Hoofdnavigatie">
          <a href="{{ to("/demo", citizen) }}">Wonen</a>
          <a href="{{ to("/demo", citizen) }}" aria-current="true">Mobiliteit</a>
          <a href="{{ to("/demo", citizen) }}">Vrije tijd</a>
          <a href="{{ to("/demo", citizen) }}">Bestuur</a>
        </nav>
        <p class="who">
          {% if citizen %}Aangemeld als <strong>{{ name }}</strong> <a href="/demo">Afmelden</a>
          {% else %}<a href="/demo?citizen=lien">Aanmelden</a>{% endif %}
        </p>
      </div>
    </header>
    <div class="wide">
      <nav class="trail" aria-label="Kruimelpad">
        <ol>
          <li><a href="{{ to("/demo", citizen) }}">E-loket</a></li>
          <li><a href="{{ to("/demo", citizen) }}">Parkeren</a></li>
          <li aria-current="page">Bewonersparkeerkaart</li>
        </ol>
      </nav>
      <main id="main">
        <h1>Bewonersparkeerkaart aanvragen</h1>
        <ol class="steps" aria-label="Stappen">
          {% for name in ("Uw gegevens", "Nakijken", "Bevestiging") %}
          <li{% if loop.index == step %} aria-current="step"{% endif %}>
            <span class="step-number">{{ loop.index }}</span>{{ name }}
          </li>
          {% endfor %}
        </ol>
        {{ caller() }}
      </main>
    </div>
    <footer class="site-foot">
      <div class="wide">
        <p>{{ town }} · Marktplein 1 · 0800 12 345 · <a href="mailto:info@voorbeeld.example">E-mail</a></p>
        <p>Dit is een voorbeeldpagina: niets van wat u invult, wordt verstuurd.</p>
      </div>
    </footer>
  </body>
</html>
{% endmacro %}

{% macro form_page(town, widget, citizen, name) %}
{% call site(town, widget, "Bewonersparkeerkaart aanvragen", 1, citizen, name) %}
<div class="columns">
  <form class="sheet" action="/demo/2" method="get" autocomplete="off">
    <fieldset>
      <legend>Over u</legend>
      <p class="taken">Deze gegevens komen uit het bevolkingsregister. Kloppen ze niet? Meld het ons.</p>
      <div class="pair">
        {{ field("Voornaam", "first", "Lien") }}
        {{ field("Familienaam", "last", "Janssens") }}
      </div>
      {{ field("Straat en nummer", "street", "Kerkstraat 12") }}
      {{ field("E-mailadres", "mail", "lien@voorbeeld.be", "email", "Voor bericht als uw kaart klaar is.") }}
      {{ field("Telefoonnummer", "phone", "", "tel", "Niet verplicht. Voor vragen over uw aanvraag.") }}
    </fieldset>
    <fieldset>
      <legend>Uw voertuig</legend>
      {{ field("Nummerplaat", "plate", "1-ABC-123", "text", "Zonder spaties, bijvoorbeeld 1-ABC-123.") }}
      <fieldset class="choice">
        <legend>Van wie is het voertuig?</legend>
        <label><input type="radio" checked> Van mij of van iemand in mijn gezin</label>
        <label><input type="radio"> Van mijn werkgever of een leasingmaatschappij</label>
        <p class="help">Voegt u dan bij de volgende stap een attest van de werkgever toe.</p>
      </fieldset>
      <label for="zone">Zone</label>
      <select id="zone">
        <option>Centrum (zone A)</option>
        <option>Stationsbuurt (zone B)</option>
        <option>Vaartkant (zone C)</option>
      </select>
      {{ field("Ingangsdatum", "from", "", "date", "De kaart is één jaar geldig.") }}
    </fieldset>
    <div class="go"><button type="submit"{% if citizen %} name="citizen" value="{{ citizen }}"{% endif %}>Volgende stap</button></div>
  </form>
  <aside class="aside" aria-label="Goed om te weten">
    <h2>Goed om te weten</h2>
    <dl>
      <div><dt>Prijs</dt><dd>Eerste kaart gratis, tweede kaart € 100 per jaar</dd></div>
      <div><dt>Behandeling</dt><dd>Binnen 5 werkdagen</dd></div>
      <div><dt>Nodig</dt><dd>Inschrijvingsbewijs van het voertuig</dd></div>
    </dl>
    <p>Komt u er niet uit? Een medewerker helpt u in de chat rechtsonder.</p>
  </aside>
</div>
{% endcall %}
{% endmacro %}

{% macro field(label, id, value, type="text", help="") %}
<div class="field">
  <label for="{{ id }}">{{ label }}</label>
  <p class="help" id="{{ id }}-help">{{ help }}</p>
  <input id="{{ id }}" type="{{ type }}" value="{{ value }}" aria-describedby="{{ id }}-help">
</div>
{% endmacro %}

{% macro review_page(town, widget, citizen, name) %}
{% call site(town, widget, "Uw aanvraag nakijken", 2, citizen, name) %}
<section class="sheet" aria-labelledby="review">
  <h2 id="review">Uw aanvraag nakijken</h2>
  <dl class="review">
    <div><dt>Naam</dt><dd>Lien Janssens</dd></div>
    <div><dt>Adres</dt><dd>Kerkstraat 12</dd></div>
    <div><dt>E-mailadres</dt><dd>lien@voorbeeld.be</dd></div>
    <div><dt>Nummerplaat</dt><dd>1-ABC-123</dd></div>
    <div><dt>Zone</dt><dd>Centrum (zone A)</dd></div>
    <div><dt>Te betalen</dt><dd>€ 0 (eerste kaart)</dd></div>
  </dl>
  <p class="help">Kijk alles goed na. Na het versturen kan alleen een medewerker de aanvraag nog wijzigen.</p>
  <div class="go">
    <a class="back" href="{{ to("/demo", citizen) }}">Vorige stap</a>
    <button type="button" disabled>Aanvraag versturen</button>
  </div>
</section>
{% endcall %}
{% endmacro %}
""")  # noqa: E501
