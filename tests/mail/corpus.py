"""Real mail out of public projects, where the collection lies beside the checkout: `../shared/corpus`."""

import csv
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from tests.peers.need import need

_BESIDE_THE_CHECKOUT = Path(__file__).resolve().parents[3] / "shared" / "corpus"


@frozen
class CorpusMail:
    name: str
    octets: bytes
    """As an IMAP server would be given it: LF turned to CRLF where the file has no other line ends."""
    traits: frozenset[str]


def corpus(directory: Path = _BESIDE_THE_CHECKOUT) -> list[CorpusMail]:
    """All messages in the order of the index. The collection is no part of the project: without it the test skips."""
    if not (directory / "corpus.tar.xz").exists():
        need("the mail corpus", f"corpus.tar.xz and index.tsv belong into {directory}", optional=True)
    return list(read_corpus(directory))


def read_corpus(directory: Path) -> Iterator[CorpusMail]:
    with tarfile.open(directory / "corpus.tar.xz") as archive:
        files = {
            Path(member.name).name: file.read()
            for member in archive
            if member.isfile() and (file := archive.extractfile(member))
        }
    index = csv.DictReader(
        io.StringIO((directory / "index.tsv").read_text("utf-8")), delimiter="\t", quoting=csv.QUOTE_NONE
    )
    for row in index:
        octets = files[row["name"]]
        if row["eol"] == "lf":
            octets = octets.replace(b"\n", b"\r\n")
        yield CorpusMail(row["name"], octets, frozenset(row["traits"].split(",")) - {"-"})
