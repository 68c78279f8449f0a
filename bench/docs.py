"""Writes a run into the documentation: `python -m bench.docs FILE` puts its table and its picture into docs.

FILE is what `python -m bench` has written; without it the last one is taken.
"""

import sys
from pathlib import Path

from bench.results import Run, read_run
from bench.table import aligned, table

_ROOT = Path(__file__).resolve().parents[1]
RESULTS = _ROOT / ".cache/bench"
PAGE = _ROOT / "docs/performance.md"
PICTURE = "![How many times as good as Dovecot's POP3 in front of IMAP](performance.svg)"
_BEGIN, _END = "<!-- figures: written by python -m bench.docs -->\n", "<!-- end of the figures -->\n"


def main() -> None:
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else max(RESULTS.glob("*.json"))
    run = read_run(file)
    from bench.plot import plot  # noqa: PLC0415 - needs the extra "bench", which the page alone does not

    PAGE.write_text(with_figures(PAGE.read_text(), run))
    plot(run, PAGE.with_suffix(".svg"))
    print(f"{file} is in {PAGE} now")


def with_figures(page: str, run: Run) -> str:
    """The page with the run's figures in place of those that it has."""
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        raise ValueError(f"the page has no place for figures, between {_BEGIN!r} and {_END!r}")
    machine = aligned(("machine", ""), list(run.machine.items()))
    how = f"{run.rounds} rounds: median (least–most)." if run.rounds > 1 else "One round."
    parts = [PICTURE, machine, how, table(run, heading="### ")]
    return "\n\n".join([before + begin.rstrip("\n"), *parts, end + after])


if __name__ == "__main__":
    main()
