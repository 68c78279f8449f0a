"""Files of the collection become what an IMAP server would be given."""

import io
import tarfile
from pathlib import Path

import pytest

from tests.mail.corpus import corpus

FILES = {
    "unix.eml": (b"A: b\n\nbody\n", "lf"),
    "dos.eml": (b"A: b\r\n\r\nx\ny", "mixed"),
    "mac.eml": (b"A: b\r\rx", "cr"),
}


def test_only_files_of_plain_lf_are_changed(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "corpus.tar.xz", "w:xz") as archive:
        for name, (octets, _) in FILES.items():
            member = tarfile.TarInfo(f"corpus/{name}")
            member.size = len(octets)
            archive.addfile(member, io.BytesIO(octets))
    header = "name\tsource\tlicence\tsize\ttraits\teol\tsha256\torigin\n"
    rows = [f"{name}\ts\tl\t{len(octets)}\tnul,tiny\t{eol}\t-\t-\n" for name, (octets, eol) in FILES.items()]
    (tmp_path / "index.tsv").write_text(header + "".join(rows))
    unix, dos, mac = corpus(tmp_path)
    assert unix.octets == b"A: b\r\n\r\nbody\r\n"
    assert (dos.octets, mac.octets) == (FILES["dos.eml"][0], FILES["mac.eml"][0])
    assert unix.traits == {"nul", "tiny"}


def test_without_the_collection_the_test_is_skipped(tmp_path: Path) -> None:
    with pytest.raises(pytest.skip.Exception, match="corpus"):
        corpus(tmp_path)
