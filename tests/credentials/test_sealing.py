"""Sealed is sealed: without the key, under another name or after a change of one bit nothing is given."""

import base64

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from bridge.credentials.sealing import Broken, Key, Keys, NoSuchKey, read_keys, write_keys
from bridge.secret import Secret

OLD, NEW = Key.fresh(), Key.fresh()


@given(st.text(min_size=1), st.binary(min_size=1, max_size=300))
def test_what_was_sealed_comes_back(name: str, octets: bytes) -> None:
    sealed = Keys((NEW, OLD)).seal(name, Secret(octets))
    assert sealed.key == NEW.mark
    assert Keys((OLD, NEW)).unseal(name, sealed) == Secret(octets)


def test_the_same_secret_is_never_sealed_the_same() -> None:
    keys = Keys((NEW,))
    assert len({keys.seal("work", Secret(b"wonder")).octets for _ in range(100)}) == 100


def test_another_key_is_named_and_gives_nothing() -> None:
    sealed = Keys((OLD,)).seal("work", Secret(b"wonder"))
    with pytest.raises(NoSuchKey, match=OLD.mark):
        Keys((NEW,)).unseal("work", sealed)
    with pytest.raises(Broken):
        Keys((NEW,)).unseal("work", evolve(sealed, key=NEW.mark))


def test_a_value_cannot_be_put_in_the_place_of_another() -> None:
    keys = Keys((NEW,))
    with pytest.raises(Broken):
        keys.unseal("home", keys.seal("work", Secret(b"wonder")))


@given(st.data())
def test_no_bit_can_be_changed(data: st.DataObject) -> None:
    keys = Keys((NEW,))
    sealed = keys.seal("work", Secret(b"wonder"))
    octets = bytearray(sealed.nonce + sealed.octets)
    octets[data.draw(st.integers(0, len(octets) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    nonce, rest = bytes(octets[: len(sealed.nonce)]), bytes(octets[len(sealed.nonce) :])
    with pytest.raises(Broken):
        keys.unseal("work", evolve(sealed, nonce=nonce, octets=rest))


@pytest.mark.parametrize("octets", [b"", b"short"])
def test_what_is_cut_is_broken(octets: bytes) -> None:
    keys = Keys((NEW,))
    sealed = keys.seal("work", Secret(b"wonder"))
    for cut in (evolve(sealed, octets=octets), evolve(sealed, nonce=octets)):
        with pytest.raises(Broken):
            keys.unseal("work", cut)


def test_keys_are_read_as_they_were_written() -> None:
    for keys in (Keys((NEW,)), Keys((NEW, OLD))):
        text = write_keys(keys).reveal()
        assert read_keys(text).marks == keys.marks
        assert read_keys(b"# a comment\n\n  " + text.replace(b"\n", b" \r\n")).marks == keys.marks


@pytest.mark.parametrize("text", [b"", b"# nothing\n", b"c2VjcmV0", b"wonderland!", base64.b64encode(bytes(31))])
def test_what_is_no_key_is_refused_and_not_repeated(text: bytes) -> None:
    with pytest.raises(ValueError, match="holds") as refused:
        read_keys(text)
    assert not text.strip() or text.decode() not in str(refused.value)


def test_a_key_shows_nothing_of_itself() -> None:
    assert base64.b64encode(NEW.octets.reveal()).decode() not in repr(NEW)
    assert NEW.octets.reveal().hex() not in repr(NEW)
    assert NEW.mark != OLD.mark
