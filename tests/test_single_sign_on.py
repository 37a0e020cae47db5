"""Signing in with the provider of the organisation, and the page that says who comes in with it."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from db.clock import now
from db.settings import BadSetting, Settings, settings
from db.tables import (
    Agent,
    Audit,
    GroupRole,
    ProviderIdentity,
    ProviderVisit,
    Role,
    Session,
    SignInRules,
)
from features import provider as ours
from features import single_sign_on
from tests.conftest import Desk, serving
from tests.people import PASSWORD, AgentClient, Person
from tests.provider import EC, OTHER_RSA, Provider

pytestmark = pytest.mark.either


@pytest.fixture
def provider(clock: Any) -> Iterator[Provider]:
    """By the desk's clock."""
    made = Provider(now=lambda: now().timestamp())
    ours.known = None
    yield made
    made.close()


@pytest.fixture
async def desk(example_database: str, clock: Any, tmp_path: Path, provider: Provider) -> AsyncIterator[Desk]:
    """The example desk, with a provider."""
    async with serving(example_database, tmp_path, **provider.environment) as running:
        await set_mail("an", "an@voorbeeld.be")
        await set_mail("admin", "beheer@voorbeeld.be")
        yield running


# ---- who comes in ----------------------------------------------------------------------------------------


async def test_somebody_signs_in_and_reaches_the_page_that_was_asked_for(
    desk: Desk, provider: Provider
) -> None:
    person = desk.nobody()
    page = (await person.get("/settings/me")).text
    assert "Aanmelden met Voorbeeld-ID" in page
    assert "/session/oidc?to=%2Fsettings%2Fme" in page or "/session/oidc?to=/settings/me" in page
    answer = await through(desk, provider, "an", person, "?to=/settings/me")
    assert answer.headers["location"] == "/settings/me"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert ">An<" in (await person.get("/settings/me")).text
    row = await Session.select(Session.issuer).first()
    assert row == {"issuer": provider.url}
    linked = await ProviderIdentity.select(ProviderIdentity.subject, ProviderIdentity.issuer)
    assert linked == [{"subject": "u-1", "issuer": provider.url}]
    assert await audited("linked") == 1


async def test_who_came_in_before_is_known_by_the_subject_not_by_the_address(
    desk: Desk, provider: Provider
) -> None:
    await through(desk, provider, "an")
    provider.people["an"]["email"] = "annelies@elders.be"
    assert (await through(desk, provider, "an")).status_code == 302
    assert await ProviderIdentity.count() == 1
    provider.people["an"]["sub"] = "u-9"  # somebody else, with an address nobody here has
    await says(await through(desk, provider, "an"), 403, "kent u, maar deze balie nog niet")


@pytest.mark.parametrize("verified", [False, None, "true", 1])
async def test_an_address_that_the_provider_has_not_checked_links_nobody(
    desk: Desk, provider: Provider, verified: Any
) -> None:
    provider.people["an"]["email_verified"] = verified
    await says(await through(desk, provider, "an"), 403, "niet gecontroleerd")
    assert await ProviderIdentity.count() == 0
    assert await Session.count() == 0


async def test_an_address_of_two_people_or_of_somebody_linked_links_nobody(
    desk: Desk, provider: Provider
) -> None:
    await set_mail("bram", "an@voorbeeld.be")
    await says(await through(desk, provider, "an"), 403, "van iemand anders")
    await set_mail("bram", "")
    assert (await through(desk, provider, "an")).status_code == 302
    provider.people["an"]["sub"] = "u-9"
    await says(await through(desk, provider, "an"), 403, "van iemand anders")


async def test_who_has_been_deactivated_is_refused_linked_or_not(desk: Desk, provider: Provider) -> None:
    await Agent.update({Agent.active: False}).where(Agent.username == "an")
    await says(await through(desk, provider, "an"), 403, "uitgeschakeld")
    await Agent.update({Agent.active: True}).where(Agent.username == "an")
    assert (await through(desk, provider, "an")).status_code == 302
    await Agent.update({Agent.active: False}).where(Agent.username == "an")
    await says(await through(desk, provider, "an"), 403, "uitgeschakeld")
    assert await audited("refused") == 2


async def test_somebody_new_gets_an_account_only_if_a_group_has_a_role(
    desk: Desk, provider: Provider
) -> None:
    await says(await through(desk, provider, "dirk"), 403, "kent u, maar deze balie nog niet")
    await map_groups(desk, ict="admin", loket="agent")
    person = desk.nobody()
    assert (await through(desk, provider, "dirk", person)).status_code == 302
    row = await Agent.select().where(Agent.username == "dirk@voorbeeld.be").first()
    assert row
    assert (row["name"], row["email"], row["password_hash"]) == ("Dirk", "dirk@voorbeeld.be", "")
    assert (await person.get("/console")).status_code == 200
    account = (await person.get("/settings/me")).text
    assert "U meldt zich aan met Voorbeeld-ID" in account
    assert "Uw wachtwoord nu" not in account
    provider.people["dirk"]["groups"] = "ict"  # one alone, as some providers say it
    await through(desk, provider, "dirk")
    assert await role_of("dirk@voorbeeld.be") == "admin"


async def test_roles_follow_the_groups_and_the_first_that_fits_counts(desk: Desk, provider: Provider) -> None:
    await map_groups(desk, leiding="supervisor", loket="agent")
    await through(desk, provider, "an")
    assert await role_of("an") == "agent"
    provider.people["an"]["groups"] = ["loket", "leiding", 7]
    person = desk.nobody()
    await through(desk, provider, "an", person)
    assert await role_of("an") == "supervisor"
    assert (await person.get("/settings/presets")).status_code == 200
    assert "supervisor" not in str(await Audit.select(Audit.fields).where(Audit.what == "linked"))
    provider.people["an"]["groups"] = []
    await says(await through(desk, provider, "an"), 403, "Geen van uw groepen")
    assert (await person.get("/settings/me")).status_code == 401, "what was open has been closed"
    assert await role_of("an") == "supervisor"


async def test_without_any_group_on_the_page_roles_are_given_by_hand(desk: Desk, provider: Provider) -> None:
    provider.people["an"]["groups"] = []
    assert (await through(desk, provider, "an")).status_code == 302
    assert await role_of("an") == "agent"


async def test_the_last_who_can_let_people_in_keeps_that_role(desk: Desk, provider: Provider) -> None:
    await map_groups(desk, ict="agent")
    assert (await through(desk, provider, "beheer")).status_code == 302
    assert await role_of("admin") == "admin"
    eva = await Agent.select(Agent.id).where(Agent.username == "eva").first()
    assert eva
    await Agent.update({Agent.role: await role_id("admin")}).where(Agent.username == "eva")
    await through(desk, provider, "beheer")
    assert await role_of("admin") == "agent", "somebody else is left"


async def test_the_second_step_is_the_providers(desk: Desk, provider: Provider) -> None:
    await Role.update({Role.second_factor: True}).where(Role.name == "agent")
    person = desk.nobody()
    assert (await through(desk, provider, "an", person)).status_code == 302
    assert (await person.get("/settings/me")).status_code == 200
    answer = await desk.nobody().post("/session", {"username": "an", "password": PASSWORD})
    assert "tweede stap" in answer.text, "with a password it is still asked for"


# ---- what is not believed --------------------------------------------------------------------------------


async def test_only_the_browser_that_went_may_come_back_and_once(desk: Desk, provider: Provider) -> None:
    person, thief = desk.nobody(), desk.nobody()
    back = await at_the_provider(desk, provider, "an", person)
    await says(await thief.get(back), 422, "in een andere browser")
    await begin(thief)
    await says(await thief.get(back), 422, "in een andere browser")
    assert await Session.count() == 0
    assert (await person.get(back)).status_code == 302
    await says(await person.get(back), 422, "in een andere browser")
    assert await Session.count() == 1


async def test_a_state_that_is_not_ours_or_is_too_old_counts_for_nothing(
    desk: Desk, provider: Provider, clock: Any
) -> None:
    person = desk.nobody()
    back = await at_the_provider(desk, provider, "an", person)
    await says(await person.get(back.replace("state=", "state=x")), 422, "andere browser")
    await says(await person.get(back.partition("&state")[0]), 422, "andere browser")
    clock.shift(601)
    await says(await person.get(back), 422, "andere browser")
    assert "/token" not in provider.asked
    await begin(person)
    assert await ProviderVisit.count() == 1, "the old one is gone"


async def test_a_code_works_once_at_the_provider_too(desk: Desk, provider: Provider) -> None:
    person = desk.nobody()
    back = await at_the_provider(desk, provider, "an", person)
    assert (await person.get(back)).status_code == 302
    state = parse_qs(urlsplit(await begin(person)).query)["state"][0]
    code = parse_qs(urlsplit(back).query)["code"][0]
    answer = await person.get(f"/session/oidc/return?code={code}&state={state}")
    await says(answer, 422, "Dat duurde te lang")
    assert await Session.count() == 1


async def test_a_code_of_somebody_elses_visit_does_not_fit(desk: Desk, provider: Provider) -> None:
    """PKCE: the verifier is another."""
    an, thief = desk.nobody(), desk.nobody()
    code = parse_qs(urlsplit(await at_the_provider(desk, provider, "an", an)).query)["code"][0]
    state = parse_qs(urlsplit(await begin(thief)).query)["state"][0]
    answer = await thief.get(f"/session/oidc/return?code={code}&state={state}")
    assert answer.status_code == 422
    assert await Session.count() == 0


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"iss": "https://elders.be"}, "niet te vertrouwen"),
        ({"iss": None}, "niet te vertrouwen"),
        ({"aud": "een-ander"}, "niet te vertrouwen"),
        ({"aud": ["balie", "een-ander"]}, "niet te vertrouwen"),  # without azp
        ({"aud": ["balie", "een-ander"], "azp": "een-ander"}, "niet te vertrouwen"),
        ({"aud": None}, "niet te vertrouwen"),
        ({"nonce": "een-andere"}, "niet te vertrouwen"),
        ({"nonce": None}, "niet te vertrouwen"),
        ({"sub": None}, "niet te vertrouwen"),
        ({"sub": ""}, "niet te vertrouwen"),
        ({"sub": 7}, "niet te vertrouwen"),
        ({"exp": None}, "niet te vertrouwen"),
        ({"exp": 1_000}, "klokken"),
        ({"iat": 4_000_000_000}, "klokken"),
    ],
)
async def test_a_token_for_somebody_somewhere_or_sometime_else_is_not_believed(
    desk: Desk, provider: Provider, claims: dict[str, Any], words: str
) -> None:
    provider.claims = claims
    await says(await through(desk, provider, "an"), 502, words)
    assert await Session.count() == 0
    provider.claims = {"aud": ["balie", "een-ander"], "azp": "balie"}
    assert (await through(desk, provider, "an")).status_code == 302


async def test_a_token_that_the_provider_has_not_signed_is_not_believed(
    desk: Desk, provider: Provider
) -> None:
    for forge in (provider.unsigned, provider.with_the_public_key_as_secret, provider.by_somebody_else):
        provider.sign = forge
        await says(await through(desk, provider, "an"), 502, "niet te vertrouwen")
    provider.sign = lambda _claims: "dat.is.niets"
    await says(await through(desk, provider, "an"), 502, "niet te vertrouwen")
    assert await Session.count() == 0
    provider.sign = None
    assert (await through(desk, provider, "an")).status_code == 302


async def test_a_shared_secret_among_its_keys_signs_nothing(desk: Desk, provider: Provider) -> None:
    import base64

    import jwt

    secret = b"een geheim van tweeendertig bytes of meer"
    told = {"kty": "oct", "kid": "gedeeld", "k": base64.urlsafe_b64encode(secret).decode().rstrip("=")}
    own = provider.jwks()
    provider.jwks = lambda: {"keys": [told, *own["keys"]]}  # type: ignore[method-assign]
    provider.sign = lambda claims: jwt.encode(claims, secret, "HS256", headers={"kid": "gedeeld"})
    await says(await through(desk, provider, "an"), 502, "niet te vertrouwen")


async def test_new_keys_of_the_provider_are_found_and_not_asked_for_without_end(
    desk: Desk, provider: Provider, clock: Any
) -> None:
    assert (await through(desk, provider, "an")).status_code == 302
    provider.keys["twee"] = (EC, "ES256")
    provider.signs_with = "twee"
    clock.shift(61)
    assert (await through(desk, provider, "an")).status_code == 302
    assert provider.asked.count("/keys") == 2
    provider.keys["drie"] = (OTHER_RSA, "RS256")
    provider.signs_with, provider.published = "drie", ["een", "twee"]
    for _try in range(3):
        await says(await through(desk, provider, "an"), 502, "niet te vertrouwen")
    assert provider.asked.count("/keys") == 2, "it was asked less than a minute ago"
    clock.shift(61)
    for _try in range(3):
        await says(await through(desk, provider, "an"), 502, "niet te vertrouwen")
    assert provider.asked.count("/keys") == 3


async def test_what_only_userinfo_tells_is_asked_for_there(desk: Desk, provider: Provider) -> None:
    provider.only_by_userinfo = {"email", "email_verified", "groups"}
    assert (await through(desk, provider, "an")).status_code == 302
    assert "/userinfo" in provider.asked
    provider.claims = {"sub": "u-9"}  # the token is somebody else's
    await says(await through(desk, provider, "an"), 502, "niet te vertrouwen")


# ---- when it does not work -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/keys"])
async def test_a_provider_that_is_away_is_said_so_and_found_again(
    desk: Desk, provider: Provider, path: str
) -> None:
    provider.down = {path}
    answer = await desk.nobody().get("/session/oidc")
    await says(answer, 503, "Voorbeeld-ID antwoordt niet")
    assert (await desk.nobody().post("/session", {"username": "an", "password": PASSWORD})).is_success
    provider.down = set()
    assert (await through(desk, provider, "an")).status_code == 302


async def test_a_provider_that_goes_away_meanwhile_is_said_so(desk: Desk, provider: Provider) -> None:
    person = desk.nobody()
    back = await at_the_provider(desk, provider, "an", person)
    provider.down = {"/token"}
    await says(await person.get(back), 503, "Voorbeeld-ID antwoordt niet")


async def test_nothing_at_its_address_is_said_so(desk: Desk, provider: Provider) -> None:
    provider.close()
    await says(await desk.nobody().get("/session/oidc"), 503, "antwoordt niet")


async def test_who_stops_there_reads_so(desk: Desk, provider: Provider) -> None:
    person = desk.nobody()
    state = parse_qs(urlsplit(await begin(person)).query)["state"][0]
    answer = await person.get(f"/session/oidc/return?error=access_denied&state={state}")
    await says(answer, 403, "heeft u niet binnengelaten, of u bent daar gestopt")


@pytest.mark.parametrize(
    "facts",
    [
        {"issuer": "https://elders.be"},
        {"token_endpoint": "ftp://elders.be"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": None},
    ],
)
async def test_a_provider_that_calls_itself_otherwise_is_not_trusted(
    desk: Desk, provider: Provider, facts: dict[str, Any]
) -> None:
    provider.facts = facts
    await says(await desk.nobody().get("/session/oidc"), 502, "niet te vertrouwen")


async def test_an_answer_in_the_name_of_another_provider_is_refused(desk: Desk, provider: Provider) -> None:
    person = desk.nobody()
    back = await at_the_provider(desk, provider, "an", person)
    await says(await person.get(f"{back}&iss=https://elders.be"), 502, "niet te vertrouwen")
    assert "/token" not in provider.asked


@pytest.mark.parametrize(
    "to", ["https://elders.be", "//elders.be", "/\\elders.be", "/console/../..//elders.be", "/demo", ""]
)
async def test_nobody_is_sent_on_to_another_site(desk: Desk, provider: Provider, to: str) -> None:
    answer = await through(desk, provider, "an", query=f"?to={to}")
    assert answer.headers["location"] == "/console"


async def test_the_page_on_which_a_session_ran_out_is_come_back_to(desk: Desk, provider: Provider) -> None:
    for came_from, to in (
        (f"{desk.url}/settings/queues", "/settings/queues"),
        ("https://elders.be/settings/queues", "/console"),
    ):
        person = desk.nobody()
        person.client.headers["Referer"] = came_from
        answer = await through(desk, provider, "an", person)
        assert answer.headers["location"] == to


async def test_words_are_in_the_persons_language(desk: Desk, provider: Provider) -> None:
    provider.down = {"/keys"}
    for language, words in (
        ("fr", "ne répond pas"),
        ("de", "antwortet nicht"),
        ("en", "does not answer"),
    ):
        person = desk.nobody()
        person.client.headers["Accept-Language"] = language
        assert words in (await person.get("/session/oidc")).text


# ---- signing out -----------------------------------------------------------------------------------------


async def test_signing_out_offers_to_sign_out_there_too(desk: Desk, provider: Provider) -> None:
    an = AgentClient(desk.url, "an")
    desk.people.append(an)
    await through(desk, provider, "an", an)
    await an.open()
    answer = await an.sign_out()
    assert answer.headers["hx-redirect"] == "/session/oidc/left"
    assert (await an.get("/settings/me")).status_code == 401
    assert "Ook afmelden bij Voorbeeld-ID" in (await an.get("/session/oidc/left")).text
    end = urlsplit((await an.get("/session/oidc/end")).headers["location"])
    assert f"{end.scheme}://{end.netloc}{end.path}" == f"{provider.url}/end"
    assert parse_qs(end.query) == {
        "client_id": ["balie"],
        "post_logout_redirect_uri": [f"{desk.url}/console"],
    }


async def test_who_came_in_with_a_password_or_whose_provider_knows_no_end_just_signs_out(
    desk: Desk, provider: Provider
) -> None:
    bram = await desk.agent("bram")
    assert (await bram.sign_out()).headers["hx-redirect"] == "/console"
    provider.facts = {"end_session_endpoint": None}
    an = AgentClient(desk.url, "an")
    desk.people.append(an)
    await through(desk, provider, "an", an)
    await an.open()
    assert (await an.sign_out()).headers["hx-redirect"] == "/console"
    assert (await an.get("/session/oidc/end")).status_code == 404


# ---- the settings page -----------------------------------------------------------------------------------


async def test_groups_are_given_roles_on_the_page_and_it_is_audited(desk: Desk, provider: Provider) -> None:
    admin = await signed_in(desk, "admin")
    page = (await admin.get("/settings/sign-in")).text
    assert provider.url in page
    assert f"{desk.url}/session/oidc/return" in page
    supervisor, agent = await role_id("supervisor"), await role_id("agent")
    answer = await put(admin, [("leiding", supervisor), ("  ", agent), (" loket ", agent)])
    assert answer.is_success
    assert "Opgeslagen" in answer.text
    rows = await GroupRole.select(GroupRole.name, GroupRole.role).order_by(GroupRole.position)
    assert rows == [{"name": "leiding", "role": supervisor}, {"name": "loket", "role": agent}]
    told = await Audit.select(Audit.fields).where(Audit.about.like("sign_in_rules:%")).order_by(Audit.id)
    assert json.loads(told[-1]["fields"])["groups"] == [[], [["leiding", supervisor], ["loket", agent]]]
    assert "Aanmelden" in (await admin.get("/settings/audit")).text
    refused = await admin.send("DELETE", f"/settings/roles/{supervisor}")
    assert refused.status_code == 409
    assert "Groep leiding" in refused.text


async def test_a_group_twice_or_with_no_role_is_said_and_what_was_typed_is_kept(desk: Desk) -> None:
    admin = await signed_in(desk, "admin")
    agent = await role_id("agent")
    answer = await put(admin, [("loket", agent), ("loket", 999), ("x" * 201, agent)])
    assert answer.status_code == 422
    assert "Deze groep staat er al" in answer.text
    assert "Kies een rol" in answer.text
    assert "x" * 201 in answer.text
    assert await GroupRole.count() == 0
    assert await SignInRules.count() == 0


async def test_two_admins_who_save_the_same_are_told(desk: Desk) -> None:
    admin = await signed_in(desk, "admin")
    agent = await role_id("agent")
    assert (await put(admin, [("loket", agent)], version="0")).is_success
    late = await put(admin, [("ict", agent)], version="0")
    assert late.status_code == 409
    assert 'value="ict"' in late.text
    assert (await put(admin, [("ict", agent)], version="2")).is_success


async def test_passwords_are_switched_off_only_by_who_came_in_without_one(
    desk: Desk, provider: Provider
) -> None:
    admin = await signed_in(desk, "admin")
    local = await agent_id("admin")
    answer = await put(admin, [], passwords="one", local=str(local))
    assert answer.status_code == 422
    assert "Meld u eerst zelf aan met Voorbeeld-ID" in answer.text
    await through(desk, provider, "beheer")
    answer = await put(admin, [], passwords="one", local="")
    assert answer.status_code == 422
    assert "dat een wachtwoord heeft" in answer.text
    answer = await put(admin, [], passwords="one", local=str(await agent_id("an")))
    assert answer.status_code == 422, "may not manage people"
    assert (await put(admin, [], passwords="one", local=str(local))).is_success


async def test_then_only_one_password_opens_the_desk(desk: Desk, provider: Provider) -> None:
    await passwords_off(desk, provider)
    page = (await desk.nobody().get("/console")).text
    assert "Aanmelden met Voorbeeld-ID" in page
    assert "Aanmelden met wachtwoord" in page
    said = set()
    for username, password in (("an", PASSWORD), ("an", "verkeerd"), ("admin", "verkeerd"), ("x", "y")):
        answer = await desk.nobody().post("/session", {"username": username, "password": password})
        assert answer.status_code == 422
        assert "wachtwoorden werken hier niet meer" in answer.text
        said.add(answer.text.replace(f'value="{username}"', ""))
    assert len(said) == 1, "which password is right does not show"
    assert (await desk.nobody().post("/session", {"username": "admin", "password": PASSWORD})).is_success
    assert (await through(desk, provider, "an")).status_code == 302


async def test_then_links_to_choose_a_password_lead_to_the_provider(desk: Desk, provider: Provider) -> None:
    from features import passwords

    link = (await passwords.make_link(await agent_id("an"))).removeprefix(desk.url)
    admin = await passwords_off(desk, provider)
    page = await desk.nobody().get(link)
    assert "U hebt hier geen wachtwoord nodig" in page.text
    refused = await desk.nobody().post(link, {"password": "een-nieuw-wachtwoord"})
    assert refused.status_code == 422
    assert (await admin.send("POST", f"/settings/people/{await agent_id('an')}/link")).status_code == 404
    agent = await role_id("agent")
    made = await admin.post(
        "/settings/people", {"username": "nele", "name": "Nele", "role": str(agent), "language": "nl"}
    )
    assert "kan zich nu aanmelden met Voorbeeld-ID" in made.text
    an = desk.nobody()
    await through(desk, provider, "an", an)
    answer = await an.send(
        "PUT",
        "/settings/me/password",
        {"old": PASSWORD, "new": "een-nieuw-wachtwoord"},
        headers={"X-CSRF-Token": await csrf_of(an)},
    )
    assert answer.status_code == 404


async def test_then_that_one_account_cannot_be_lost(desk: Desk, provider: Provider) -> None:
    admin = await passwords_off(desk, provider)
    local = await agent_id("admin")
    await Agent.update({Agent.role: await role_id("admin")}).where(Agent.username == "eva")
    answer = await admin.send("DELETE", f"/settings/people/{local}/activity")
    assert answer.status_code == 409
    assert "het enige account waarvan het wachtwoord nog werkt" in answer.text
    await map_groups(desk, ict="agent")
    provider.people["beheer"]["groups"] = []
    assert (await through(desk, provider, "beheer")).status_code == 302, "no group can keep it out"
    provider.people["beheer"]["groups"] = ["ict"]
    await through(desk, provider, "beheer")
    assert await role_of("admin") == "admin"


async def test_without_a_provider_nothing_is_offered_asked_or_refused(
    example_database: str, clock: Any, tmp_path: Path, provider: Provider
) -> None:
    async with serving(example_database, tmp_path) as desk:
        await SignInRules.insert(SignInRules(passwords=False))  # of when there was one
        assert "/session/oidc" not in (await desk.nobody().get("/console")).text
        admin = await signed_in(desk, "admin")
        assert "BALIE_OIDC_ISSUER" in (await admin.get("/settings/sign-in")).text
        answer = await put(admin, [], passwords="one", local=str(await agent_id("admin")))
        assert answer.status_code == 422
        assert (await desk.nobody().get("/session/oidc")).status_code == 404
    assert provider.asked == []


def test_a_provider_that_cannot_be_trusted_or_used_is_no_setting() -> None:
    given = {"BALIE_OIDC_ISSUER": "https://login.voorbeeld.be/", "BALIE_OIDC_CLIENT_ID": "balie"}
    fresh = Settings()
    fresh.load(given)
    assert fresh.oidc_issuer == "https://login.voorbeeld.be/", "to the last stroke"
    for wrong in (
        {"BALIE_OIDC_ISSUER": "http://login.voorbeeld.be"},
        {"BALIE_OIDC_ISSUER": "login.voorbeeld.be"},
        {"BALIE_OIDC_CLIENT_ID": ""},
    ):
        with pytest.raises(BadSetting):
            fresh.load({**given, **wrong})


async def test_one_address_does_not_send_people_there_without_end(
    desk: Desk, provider: Provider, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(single_sign_on, "MOST_VISITS", 3)
    for _time in range(3):
        await begin(desk.nobody())
    await says(await desk.nobody().get("/session/oidc"), 429, "Te veel pogingen")
    clock.shift(601)
    await begin(desk.nobody())
    for _time in range(5):
        assert (await through(desk, provider, "an")).status_code == 302


async def test_groups_are_found_further_in(desk: Desk, provider: Provider) -> None:
    object.__setattr__(settings, "oidc_groups_claim", "realm_access.roles")
    await map_groups(desk, leiding="supervisor")
    provider.people["an"]["realm_access"] = {"roles": ["leiding"]}
    await through(desk, provider, "an")
    assert await role_of("an") == "supervisor"


async def test_who_was_linked_wrongly_is_unlinked_and_out(desk: Desk, provider: Provider) -> None:
    an = desk.nobody()
    await through(desk, provider, "an", an)
    admin = await signed_in(desk, "admin")
    id = await agent_id("an")
    assert "Heeft zich al aangemeld met Voorbeeld-ID" in (await admin.get(f"/settings/people/{id}")).text
    assert (await admin.send("DELETE", f"/settings/people/{id}/identity")).is_success
    assert await ProviderIdentity.count() == 0
    assert (await an.get("/settings/me")).status_code == 401
    assert await audited("unlinked") == 1


# ---- how -------------------------------------------------------------------------------------------------


async def begin(person: Person, query: str = "") -> str:
    """Where the provider is."""
    answer = await person.get(f"/session/oidc{query}")
    assert answer.status_code == 302, answer.text
    return str(answer.headers["location"])


async def at_the_provider(
    desk: Desk, provider: Provider, username: str, person: Person, query: str = ""
) -> str:
    """Signed in there: where the browser is sent back to, on this desk."""
    address = await begin(person, query)
    assert address.startswith(f"{provider.url}/authorize?")
    async with httpx.AsyncClient(trust_env=False, verify=False) as browser:
        answer = await browser.post(address, data={"username": username})
    location = str(answer.headers["location"])
    assert location.startswith(f"{desk.url}/session/oidc/return?")
    return location.removeprefix(desk.url)


async def through(
    desk: Desk, provider: Provider, username: str, person: Person | None = None, query: str = ""
) -> httpx.Response:
    person = person or desk.nobody()
    return await person.get(await at_the_provider(desk, provider, username, person, query))


async def says(answer: httpx.Response, status: int, words: str) -> None:
    assert answer.status_code == status, answer.text
    assert words in answer.text


async def signed_in(desk: Desk, username: str) -> Person:
    person = desk.nobody()
    answer = await person.post("/session", {"username": username, "password": PASSWORD})
    assert answer.is_success, answer.text
    person.client.headers["X-CSRF-Token"] = await csrf_of(person)
    return person


async def csrf_of(person: Person) -> str:
    await person.get("/settings/me")
    row = await Session.select(Session.csrf).order_by(Session.id, ascending=False).first()
    assert row
    return str(row["csrf"])


async def put(
    admin: Person,
    groups: list[tuple[str, int]],
    passwords: str = "everybody",
    local: str = "",
    version: str = "",
) -> httpx.Response:
    row = await SignInRules.select(SignInRules.version).first()
    data: dict[str, Any] = {
        "group": [name for name, _role in groups],
        "role": [str(role) for _name, role in groups],
        "passwords": passwords,
        "local": local,
        "version": version or str(row["version"] if row else 0),
    }
    return await admin.send("PUT", "/settings/sign-in", data)


async def passwords_off(desk: Desk, provider: Provider) -> Person:
    admin = await signed_in(desk, "admin")
    await through(desk, provider, "beheer")
    answer = await put(admin, [], passwords="one", local=str(await agent_id("admin")))
    assert answer.is_success, answer.text
    return admin


async def map_groups(desk: Desk, **roles: str) -> None:
    for position, (name, role) in enumerate(roles.items()):
        await GroupRole.insert(GroupRole(name=name, role=await role_id(role), position=position))


async def set_mail(username: str, address: str) -> None:
    await Agent.update({Agent.email: address}).where(Agent.username == username)


async def role_id(name: str) -> int:
    row = await Role.select(Role.id).where(Role.name == name).first()
    assert row
    return int(row["id"])


async def role_of(username: str) -> str:
    row = await Agent.select(Agent.role.name.as_alias("role")).where(Agent.username == username).first()
    assert row
    return str(row["role"])


async def agent_id(username: str) -> int:
    row = await Agent.select(Agent.id).where(Agent.username == username).first()
    assert row
    return int(row["id"])


async def audited(what: str) -> int:
    return int(await Audit.count().where(Audit.what == what))
