"""What a command says reads as a sentence."""

from bridge.commands.terminal import counted, some


def test_one_is_not_many() -> None:
    assert counted(1, "message") == "1 message"
    assert counted(0, "message") == "0 messages"
    assert counted(100_000, "message") == "100,000 messages"


def test_a_long_list_is_cut_and_says_so() -> None:
    assert some(["a", "b"]) == "a, b"
    assert some(["a", "b", "c"], 2) == "a, b and 1 more"
