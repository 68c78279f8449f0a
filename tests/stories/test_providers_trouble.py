"""One of several providers is late or wants consent again: no maildrop gets shorter, and it is said what to do."""

import time
from collections.abc import Callable, Iterator

import pytest

from tests.peers.servers.courier import Courier
from tests.peers.servers.cyrus import Cyrus
from tests.stories.pop3 import Pop3, Refused
from tests.stories.providers import SOURCES, Providers, Tenants, providers, tenants
from tests.stories.sources import letter

pytestmark = pytest.mark.story

LATE = 30


@pytest.fixture(scope="module")
def of(tmp_path_factory: pytest.TempPathFactory, cyrus_server: Cyrus, courier_server: Courier) -> Iterator[Providers]:
    with providers(tmp_path_factory.mktemp("providers"), cyrus_server, courier_server) as of:
        yield of


def seed(house: Tenants) -> list[str]:
    """Two letters each; the listing."""
    for name, behind in house.behind.items():
        behind.seed(*[letter(f"{name}-{n}") for n in range(2)])
    return house.listed()


def refusal(house: Tenants) -> str:
    with pytest.raises(Refused) as refused, house.session():
        pass
    return str(refused.value)


def unreadable(client: Pop3, source: str) -> list[int]:
    """Messages of that source; all others can be read."""
    numbers = []
    for number in client.uidls():
        if (answer := client.ask(f"RETR {number}")).startswith(f"-ERR [SYS/TEMP] alice/{source} ".encode()):
            numbers.append(number)
        else:
            assert answer.startswith(b"+OK")
            client.body()
    return numbers


def late() -> Callable[[bytes], bytes]:
    """A server whose first answer comes half a minute late."""
    waited: list[float] = []

    def answer(said: bytes) -> bytes:
        if not waited:
            waited.append(time.monotonic())
            time.sleep(LATE)  # noqa: TID251  a slow server is what this is about
        return said

    return answer


@pytest.mark.slow
@pytest.mark.parametrize("slow", [SOURCES[0], *(pytest.param(name, marks=pytest.mark.soak) for name in SOURCES[1:])])
def test_one_that_takes_half_a_minute_costs_the_wait_or_is_told_by_name(of: Providers, slow: str) -> None:
    with tenants(of) as house:
        before = seed(house)
        house.again()
        house.behind[slow].door.edit = late()
        began = time.monotonic()
        try:
            listed = house.listed()
        except Refused as refused:
            print(f"{time.monotonic() - began:.0f} s: {refused}")
            assert str(refused).startswith(f"-ERR [SYS/TEMP] alice/{slow}: ")
        else:
            print(f"listed after {time.monotonic() - began:.0f} s")
            assert listed == before
            assert time.monotonic() - began > LATE - 1
        house.behind[slow].door.edit = lambda said: said
        assert house.listed() == before


@pytest.mark.slow
def test_where_the_owner_wants_it_one_that_takes_half_a_minute_is_served_from_memory(of: Providers) -> None:
    with tenants(of, more='unavailable = "remembered"') as house:
        before = seed(house)
        house.again()
        house.behind["home"].door.edit = late()
        with house.session() as client:
            assert list(client.uidls().values()) == before
            assert len(unreadable(client, "home")) == 2
        house.behind["home"].door.edit = lambda said: said
        assert house.listed() == before


@pytest.mark.parametrize("unavailable", ["fail", "remembered"])
def test_a_consent_that_was_withdrawn_is_told_by_source_and_remedy_and_given_again_costs_nothing(
    of: Providers, unavailable: str
) -> None:
    with tenants(of, more=f'unavailable = "{unavailable}"') as house:
        before = seed(house)
        of.authority.revoke()
        house.again()
        for _ in range(2):
            text = refusal(house)
            assert text.startswith("-ERR [SYS/PERM] alice/work: ")
            assert "popbridge authorise consent" in text
        status = house.command("status")
        assert "oauth2 consent: the provider wants consent again" in status
        assert "popbridge authorise consent" in status

        assert "consent: authorised" in house.authorise()
        assert house.listed() == before
        assert "oauth2 consent: authorised" in house.command("status")


@pytest.mark.parametrize("unavailable", ["fail", "remembered"])
def test_an_authorization_server_that_is_away_is_an_outage_of_its_source(of: Providers, unavailable: str) -> None:
    with tenants(of, more=f'unavailable = "{unavailable}"') as house:
        before = seed(house)
        house.stop()
        endpoints = house.head
        house.head = house.head.replace(str(of.authority.port), "9")  # nobody is there
        house.start()
        if unavailable == "fail":
            text = refusal(house)
            assert text.startswith("-ERR [SYS/TEMP] alice/work: ")
            assert "no access token can be had now" in text
        else:
            with house.session() as client:
                uidls = client.uidls()
                assert list(uidls.values()) == before
                assert len(unreadable(client, "work")) == 2
                client.quit()
        house.head = endpoints
        house.again()
        assert house.listed() == before


def test_the_owner_s_check_tries_every_source_and_names_what_is_wrong_with_two(of: Providers) -> None:
    with tenants(of) as house:
        seed(house)
        house.command("secret", "set", "cyrus", typed="not-the-right-one\n")
        house.behind["pop-old"].door.shut()
        text = refusal(house)
        assert text.startswith(("-ERR [SYS/PERM] alice/home: ", "-ERR [SYS/TEMP] alice/pop-old: "))
        said = house.command("check", "--login", "alice")
        print(said)
        told = {name: line for name in SOURCES for line in said.splitlines() if f"alice/{name}" in line}
        assert list(told) == SOURCES
        assert "vault:cyrus" in told["home"]
        assert "2 messages" in told["work"]
