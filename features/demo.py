"""Demo: two pages of a site that is not ours, an e-loket with the button on it. Only in `balie demo`.

    GET /demo     a form, as a town has them
    GET /demo/2   its next page: a chat goes on from page to page

Their texts are in Dutch alone, as such a site's would be. Nothing that is filled in is sent: no field has
a name.
"""

from typing import Any

from litestar import Response, get

from features import desk
from features.access import public
from layouts import html, template

WIDGET = "voorbeeld"


@get("/demo", guards=[public])
async def form() -> Response[Any]:
    return html(ui.form_page(desk.facts.name, WIDGET))


@get("/demo/2", guards=[public])
async def review() -> Response[Any]:
    return html(ui.review_page(desk.facts.name, WIDGET))


routes = [form, review]

ui = template("""
{% macro site(town, widget, title, step) %}
<!doctype html>
<html lang="nl">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
    <title>{{ title }} – {{ town }}</title>
    <link rel="icon" href="{{ asset("icon.svg") }}" type="image/svg+xml">
    <link rel="stylesheet" href="{{ asset("demo.css") }}">
    <script async src="/embed.js" data-widget="{{ widget }}"></script>
  </head>
  <body>
    <a class="skip" href="#main">Naar de inhoud</a>
    <header class="site-head">
      <div class="wide">
        <a class="town" href="/demo"><span class="crest" aria-hidden="true"></span>{{ town }}</a>
        <nav class="site-nav" aria-label="Hoofdnavigatie">
          <a href="/demo">Wonen</a>
          <a href="/demo" aria-current="true">Mobiliteit</a>
          <a href="/demo">Vrije tijd</a>
          <a href="/demo">Bestuur</a>
        </nav>
      </div>
    </header>
    <div class="wide">
      <nav class="trail" aria-label="Kruimelpad">
        <ol>
          <li><a href="/demo">E-loket</a></li>
          <li><a href="/demo">Parkeren</a></li>
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

{% macro form_page(town, widget) %}
{% call site(town, widget, "Bewonersparkeerkaart aanvragen", 1) %}
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
    <div class="go"><button type="submit">Volgende stap</button></div>
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

{% macro review_page(town, widget) %}
{% call site(town, widget, "Uw aanvraag nakijken", 2) %}
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
    <a class="back" href="/demo">Vorige stap</a>
    <button type="button" disabled>Aanvraag versturen</button>
  </div>
</section>
{% endcall %}
{% endmacro %}
""")
