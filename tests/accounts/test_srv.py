"""SRV and MX records: the order is the domain's, ports and names are those of mail servers, and no chance is in it."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.accounts.candidate import PORTS
from bridge.accounts.srv import LABELS, MOST, Exchanger, Srv, named


def hosts(*records: Srv) -> list[str]:
    return [one.host for one in named(("imap", "tls"), records)[0]]


def test_the_preferred_comes_first_and_the_heavier_of_equals() -> None:
    light, heavy = Srv(10, -1, "light.example.org", 993), Srv(10, -60, "heavy.example.org", 993)
    spare = Srv(20, -99, "spare.example.org", 993)

    assert hosts(spare, light, heavy) == ["heavy.example.org", "light.example.org", "spare.example.org"]


def test_a_service_that_is_decidedly_not_there_is_no_server() -> None:
    for target in (".", ""):
        assert named(("pop3", "tls"), [Srv(0, 0, target, 0)]) == ((), ("says that there is no _pop3s._tcp",))


def test_another_port_is_told_and_not_taken() -> None:
    taken, remarks = named(("imap", "tls"), [Srv(0, 0, "imap.example.org", 22), Srv(1, 0, "imap.example.org", 993)])

    assert [str(one) for one in taken] == ["imaps://imap.example.org:993/INBOX"]
    assert remarks == ("imap.example.org port 22 is not IMAP's port 993",)


def test_every_kind_of_server_has_its_label() -> None:
    assert list(LABELS) == list(PORTS)


def test_exchangers_are_sorted_by_preference() -> None:
    first, second = Exchanger(10, "b.example.org"), Exchanger(20, "a.example.org")

    assert sorted([second, first]) == [first, second]


_RECORDS = st.lists(
    st.builds(
        Srv,
        st.integers(0, 65535),
        st.integers(-65535, 0),
        st.text(max_size=30) | st.sampled_from(["imap.example.org", ".", "127.0.0.1"]),
        st.integers(0, 65535) | st.just(993),
    ),
    max_size=20,
)


@given(_RECORDS, st.randoms(use_true_random=False))
def test_any_answer_in_any_order_gives_the_same_servers(records: list[Srv], chance: object) -> None:
    taken, remarks = named(("imap", "tls"), records)
    shuffled = list(records)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # a random.Random

    assert named(("imap", "tls"), shuffled) == (taken, remarks)
    assert all(one.port == 993 and one.security == "tls" for one in taken)
    assert len(taken) + len(remarks) <= MOST
    assert all(remark.isprintable() for remark in remarks)
