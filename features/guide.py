"""Guide: for whoever builds the pages of a site on which a widget's button stands. They have no account here.

    GET /guide/{key}    with what they need filled in; ?algorithm=ES256 for keys of that kind, ?lang=fr

It holds nothing of the desk but its name: the key of the widget stands in every page of that site anyway.
"""

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery

import layouts
from db.settings import settings
from features import desk, identity, signing_snippets, tokens, widget
from features.access import public
from features.signing_snippets import Signing
from features.widget import WidgetFacts
from layouts import LANGUAGES, best_language, html, language_name, speaking, template

YOUR_KEY = "YOUR-KEY"  # the reader's, whose name the admin tells
HEADERS = {"X-Robots-Tag": "noindex"}

LINE = '<script async src="{url}/embed.js" data-widget="{key}"></script>'
POLICY = "script-src  {url};\nconnect-src {url};\nframe-src   {url};"
IDENTIFY = """
<script>
  (window.Balie = window.Balie || []).push(() => Balie.identify(async () => {
    const answer = await fetch("/balie-token");
    return answer.ok ? answer.text() : "";  // nothing for who is not signed in
  }));
</script>
"""
EARLY = '(window.Balie = window.Balie || []).push(() => Balie.set({ subject: "Parking" }));'
LISTEN = 'addEventListener("balie:unread", ({ detail }) => console.log(detail.count));'


@get("/guide/{key:str}", guards=[public])
async def show(
    key: FromPath[str], lang: FromQuery[str] = "", algorithm: FromQuery[str] = ""
) -> Response[str]:
    found = await of_widget(key, lang)
    kind = algorithm if algorithm in identity.ALGORITHMS else identity.ALGORITHMS[0]
    texts = signing_snippets.of(Signing(found.key, settings.url, YOUR_KEY, kind))
    return html(ui.page(desk.facts.name, found, codes(found), kind, texts), headers=HEADERS)


async def of_widget(key: str, lang: str) -> WidgetFacts:
    """From here on the page speaks the language that its address asks for."""
    found = await widget.widget_by_key(key)
    if found is None:
        raise NotFoundException
    layouts.language.set(best_language(lang, layouts.language.get()))
    return found


def codes(found: WidgetFacts) -> dict[str, str]:
    """What the reader copies."""
    return {
        "line": LINE.format(url=settings.url, key=found.key),
        "policy": POLICY.format(url=settings.url),
        "identify": IDENTIFY.strip(),
        "early": EARLY,
        "listen": LISTEN,
        "url": settings.url,
        "store": f"balie.{found.key}",
    }


def own_names() -> dict[str, str]:
    """What each language calls itself."""
    names = {}
    for code in LANGUAGES:
        with speaking(code):
            names[code] = language_name(code)
    return names


layouts.env.globals["guide_languages"] = own_names()
layouts.env.globals["snippet_languages"] = signing_snippets.LANGUAGES
layouts.env.globals["token_limits"] = {"labels": tokens.VARIABLES, "value": tokens.VALUE_LENGTH}
routes = [show]

ui = template("""
{% from "base.html" import document %}
{% from "components.html" import button, icon, notice %}

{# {% call guide.frame(desk, widget, title, path, scripts) %}…{% endcall %}: a page for developers, with its languages. #}
{% macro frame(desk, widget, title, path, scripts=[]) %}
{% set inner = caller() %}
{% call document(title ~ " · " ~ desk, "guide", ["guide.js"] + scripts) %}
<link rel="stylesheet" href="{{ asset("guide.css") }}">
<header class="guide-head">
  <p class="wordmark">{{ icon("messages-square") }}Balie</p>
  <p class="soft" translate="no">{{ desk }}</p>
  <nav class="guide-languages" aria-label="{{ _("Language") }}">
    {% for code, name in guide_languages.items() %}<a href="{{ path }}?lang={{ code }}" lang="{{ code }}" hreflang="{{ code }}"{% if code == language() %} aria-current="true"{% endif %} translate="no">{{ name }}</a>{% endfor %}
  </nav>
</header>
<main class="guide-main" id="main">{{ inner }}</main>
{% endcall %}
{% endmacro %}

{% macro code(text) -%}<code translate="no">{{ text }}</code>{%- endmacro %}

{% macro listing(text) %}
<div class="guide-code"><pre translate="no" tabindex="0"><code>{{ text }}</code></pre></div>
{% endmacro %}

{# What can be copied. #}
{% macro copied(id, text) %}
<div class="guide-code">
  <pre id="{{ id }}" translate="no" tabindex="0"><code>{{ text }}</code></pre>
  {{ button(_("Copy"), "secondary", "copy", attrs={"data-copy": id, "data-copied": _("Copied")}) }}
</div>
{% endmacro %}

{% macro page(desk, widget, codes, algorithm, texts) %}
{% set path = "/guide/" ~ widget.key %}
{% call frame(desk, widget, _("Guide for developers"), path) %}
<h1 class="display">{{ _("Guide for developers") }}</h1>
<p class="lead">{{ _("For whoever builds the pages on which the chat button stands: how it gets there, and how your site says who its visitor is.") }}</p>
<nav class="guide-contents" aria-label="{{ _("On this page") }}">
  <a href="#button">{{ _("The button") }}</a>
  <a href="#policy">{{ _("Content security policy") }}</a>
  <a href="#identify">{{ _("Who the visitor is") }}</a>
  <a href="#script">{{ _("From your own script") }}</a>
  <a href="#trying">{{ _("Trying it out") }}</a>
  <a href="#stored">{{ _("What is stored where") }}</a>
</nav>
{{ the_button(codes) }}
{{ who(widget, codes, path, algorithm, texts) }}
{{ script(codes) }}
{{ trying(codes, widget) }}
{{ stored(codes) }}
{% endcall %}
{% endmacro %}

{% macro the_button(codes) %}
<section aria-labelledby="button">
  <h2 id="button">{{ _("The button") }}</h2>
  <p>{{ _("Paste this line once into every page that has to show the button, wherever you like. It does not hold up the page.") }}</p>
  {{ copied("code-line", codes.line) }}
  <dl class="guide-terms">
    <div><dt>{{ code("data-lang") }}</dt><dd>{{ _("The language: nl, fr, de or en. Without it, that of your page counts (its lang).") }}</dd></div>
    <div><dt>{{ code("data-offset") }}</dt><dd>{{ _("How many pixels to keep clear at the bottom, for something of yours: %(one)s; also at the right: %(two)s.", one=code("72"), two=code("72 24")) }}</dd></div>
  </dl>
  {{ notice("info", _("Your site has to be among the sites of the widget: an admin of the chat adds it, under “Set-up”. On any other site the browser shows no chat window.")) }}
</section>
<section aria-labelledby="policy">
  <h2 id="policy">{{ _("Content security policy") }}</h2>
  <p>{{ _("If your site has one, add this address to three of its directives. Styles, images and fonts need nothing.") }}</p>
  {{ copied("code-policy", codes.policy) }}
</section>
{% endmacro %}

{% macro who(widget, codes, path, algorithm, texts) %}
<section aria-labelledby="identify">
  <h2 id="identify">{{ _("Who the visitor is") }}</h2>
  <p>{{ _("A site that knows its visitor can vouch for it with a signed token, a JWT. Agents then see a lock, the form asks no more what the token says, and on another device the visitor finds a running chat again.") }}</p>
  <ol class="guide-steps">
    <li>{{ _("An admin of the chat makes a signing key for this widget, under “Signed data”, and gives you its name and its secret. Only your server may have that secret.") }}</li>
    <li>{{ _("For whoever is signed in, your server answers with a new token each time, as plain text, and forbids caching (%(header)s).", header=code("Cache-Control: no-store")) }}</li>
    <li>{{ _("The page gives the button a function that fetches it. It is called at a press on the button, and not before; after four seconds the chat goes on without.") }}</li>
  </ol>
  {{ copied("code-identify", codes.identify) }}
  <p>{{ _("What is wrong with a token stands in the console of your page's browser, after “Balie:”. The visitor sees nothing of it and chats unverified.") }}</p>
  <div class="actions">{{ button(_("Check a token"), "primary", "circle-check", attrs={"href": path ~ "/token?lang=" ~ language()}) }}</div>

  <h3 id="claims">{{ _("What a token says") }}</h3>
  <div class="guide-table" tabindex="0" role="region" aria-labelledby="claims">
  <table>
    <tbody>
      {{ claim("alg", _("The algorithm of the key; no other counts. (In the header.)")) }}
      {{ claim("kid", _("The name of the key. (In the header.)"), true) }}
      {{ claim("iss", _("The key of the widget: %(key)s", key=code(widget.key))) }}
      {{ claim("aud", _("Our address: %(url)s", url=code(codes.url))) }}
      {{ claim("exp", _("When it ends, in seconds since 1970: at most ten minutes from now.")) }}
      {{ claim("jti", _("New for each token. It counts for the visitor who shows it first, and for nobody else.")) }}
      {{ claim("sub", _("Your own id of this person, always the same. Two conversations with the same one are of one person.")) }}
      {{ claim("name, email", _("Shown to the agents; what is there the form does not ask."), true) }}
      {{ claim("vars", _("Up to %(labels)s labels, each with a text or a number of at most %(value)s characters, for the agents to see.", labels=token_limits.labels, value=token_limits.value), true) }}
      {{ claim("iat, nbf", _("Since when it counts: not in the future, and %(iat)s no longer than ten minutes ago.", iat=code("iat")), true) }}
    </tbody>
  </table>
  </div>

  <h3 id="making">{{ _("How your server makes one") }}</h3>
  <p>{{ _("Put the name of your key in the place of %(key)s.", key=code("YOUR-KEY")) }}</p>
  <nav class="guide-kinds" aria-label="{{ _("Algorithm") }}">
    {% for each in ["HS256", "ES256", "RS256"] %}<a href="{{ path }}?lang={{ language() }}&amp;algorithm={{ each }}#making"{% if each == algorithm %} aria-current="true"{% endif %} translate="no">{{ each }}</a>{% endfor %}
  </nav>
  {% for name, words in snippet_languages.items() %}
  <details name="snippet"><summary translate="no">{{ words }}</summary>{{ copied("code-" ~ name, texts[name]) }}</details>
  {% endfor %}
</section>
{% endmacro %}

{% macro claim(name, words, optional=false) %}
<tr><th scope="row">{{ code(name) }}{% if optional %} <span class="optional">({{ _("optional") }})</span>{% endif %}</th><td>{{ words }}</td></tr>
{% endmacro %}

{% macro script(codes) %}
<section aria-labelledby="script">
  <h2 id="script">{{ _("From your own script") }}</h2>
  <dl class="guide-terms">
    <div><dt>{{ code("Balie.open()") }}</dt><dd>{{ _("As a press on the button.") }}</dd></div>
    <div><dt>{{ code("Balie.close()") }}</dt><dd>{{ _("Minimises the window; the chat goes on.") }}</dd></div>
    <div><dt>{{ code("Balie.identify(…)") }}</dt><dd>{{ _("A function that fetches a token, or a token.") }}</dd></div>
    <div><dt>{{ code("Balie.set({…})") }}</dt><dd>{{ _("What your page knows and nobody vouches for: %(fields)s go into the form, where the visitor can change them; %(others)s.", fields=code("name, email, subject"), others=code("language, offset")) }}</dd></div>
  </dl>
  <p>{{ _("Whatever comes before our script is there can wait in a list:") }}</p>
  {{ copied("code-early", codes.early) }}
  <p>{{ _("Your page hears, as events of its window, that the chat was opened, minimised, begun or ended, and how many messages are unread: %(events)s. They name nobody.", events=code("balie:open, balie:close, balie:chat, balie:end, balie:unread")) }}</p>
  {{ copied("code-listen", codes.listen) }}
</section>
{% endmacro %}

{% macro trying(codes, widget) %}
<section aria-labelledby="trying">
  <h2 id="trying">{{ _("Trying it out") }}</h2>
  <ul class="guide-list">
    <li>{{ _("The button is green while somebody can take a chat: agree on a moment with the desk. Each chat is a real one.") }}</li>
    <li>{{ _("Your own machine can be among the sites of the widget, too: %(site)s.", site=code("http://localhost:3000")) }}</li>
    <li>{{ _("To see the window on a page of its own:") }} <a href="/widget/{{ widget.key }}" translate="no">{{ codes.url ~ "/widget/" ~ widget.key }}</a></li>
  </ul>
</section>
{% endmacro %}

{% macro stored(codes) %}
<section aria-labelledby="stored">
  <h2 id="stored">{{ _("What is stored where") }}</h2>
  <dl class="guide-terms">
    <div><dt>{{ _("Before a chat") }}</dt><dd>{{ _("Nothing, and no cookies. One request stays open: whether the button is green.") }}</dd></div>
    <div><dt>{{ code("localStorage") }}</dt><dd>{{ _("Of your site, as %(name)s: the visitor's key to the conversation, and what was typed but not sent, from the start of a chat until a week after its end. Whatever runs on your page can read it.", name=code(codes.store)) }}</dd></div>
    <div><dt>{{ _("On our server") }}</dt><dd>{{ _("The conversation and what the token says of the visitor, for as long as this desk keeps conversations. Of the token itself only its number (%(jti)s), until it has ended.", jti=code("jti")) }}</dd></div>
  </dl>
</section>
{% endmacro %}
""")  # noqa: E501
