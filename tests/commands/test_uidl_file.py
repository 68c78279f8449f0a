"""A list of UIDLs in a file is read whole, or the line that cannot be read is named."""

from pathlib import Path

import pytest

from bridge.commands.old_message import OldMessage
from bridge.commands.terminal import CommandRefused
from bridge.commands.uidl_file import read_uidl_file
from bridge.maildrop.fingerprint import fingerprint


def read(folder: Path, text: str) -> list[OldMessage]:
    file = folder / "uidls"
    file.write_text(text)
    return read_uidl_file(file)


def test_uids_and_message_ids_may_stand_in_one_file(tmp_path: Path) -> None:
    by_uid, by_id = read(tmp_path, "# my list\nUID1-7 42\n\nabc   <x@example.org>\r\n")

    assert by_uid == OldMessage(uidl="UID1-7", uid=42)
    assert by_id.uidl == "abc"
    assert by_id.fingerprint is not None
    assert by_id.fingerprint.message_id == fingerprint(b"Message-ID:\r\n <x@example.org>\r\n\r\n").message_id
    assert by_id.fingerprint.header == b""


@pytest.mark.parametrize("line", ["abc", "abc 0", "abc 4294967296", "abc x@example.org", "abc <>", "abc 1 2"])
def test_a_line_that_says_neither_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(CommandRefused, match="line 2: it is neither"):
        read(tmp_path, f"ok 1\n{line}\n")


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandRefused, match="cannot be read: No such file"):
        read_uidl_file(tmp_path / "none")


def test_dovecots_own_list_gives_the_saved_uidls(tmp_path: Path) -> None:
    text = (
        "3 V1600000001 N44 Gabcdef0123456789\n"
        "41 PUID41-9 W1234 :1600000000.M1P1.host,S=1200\n"
        "42 :1600000001.M1P1.host\n"
        "43 W99 POLD43 :1600000002.M1P1.host:2,S\n"
    )

    assert read(tmp_path, text) == [
        OldMessage(uidl="UID41-9", uid=41, uidvalidity=1600000001),
        OldMessage(uidl="OLD43", uid=43, uidvalidity=1600000001),
    ]


def test_dovecots_list_without_saved_uidls_says_what_to_do_instead(tmp_path: Path) -> None:
    with pytest.raises(CommandRefused, match="set uidl = to its format"):
        read(tmp_path, "3 V1600000001 N44\n42 :1600000001.M1P1.host\n")
