"""Measures Popbridge beside Dovecot's POP3 in front of IMAP, and beside the IMAP server's own POP3, in one run.

`python -m bench` measures everything; `python -m bench retr-small 'poll*'` some of it; `--list` names what there is.
The table goes to standard output, and every single figure to a file beside the others in .cache/bench.
"""

import argparse
import datetime as dt
import fnmatch
import signal
import sys
import time
from pathlib import Path

from bench.machine import describe
from bench.measures import MEASURES, Measure
from bench.peers import KINDS
from bench.results import Run
from bench.rounds import run_all
from bench.stage import stage
from bench.table import table

_ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 5
QUICK_ROUNDS = 1


def main() -> None:
    arguments = _arguments()
    measures = chosen(arguments.names, quick=arguments.quick)
    if arguments.list:
        for measure in measures:
            print(f"{measure.name:<28}  {'; '.join(row.title for row in measure.rows)}")
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))  # in order, with all that was started
    began = time.monotonic()

    def tell(text: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {text}", file=sys.stderr, flush=True)

    rounds = arguments.rounds or (QUICK_ROUNDS if arguments.quick else ROUNDS)
    with stage(tell) as made:
        outcomes = run_all(made, measures, rounds, arguments.fronts, tell)
    run = Run(describe(), rounds, arguments.quick, outcomes)
    file = arguments.json or _ROOT / ".cache/bench" / f"{dt.datetime.now(dt.UTC):%Y%m%d-%H%M%S}.json"
    run.write(file)
    print(table(run))
    tell(f"written to {file}")
    if failed := [outcome.name for outcome in outcomes if outcome.trouble]:
        sys.exit(f"not measured: {', '.join(failed)}; see above")


def chosen(names: list[str], *, quick: bool) -> list[Measure]:
    """Those that the names fit, as shell patterns; all, or all quick ones, where there is no name."""
    if not names:
        return [measure for measure in MEASURES if measure.quick or not quick]
    for name in names:
        if not any(fnmatch.fnmatch(measure.name, name) for measure in MEASURES):
            sys.exit(f"nothing is named {name}; --list names what there is")
    return [measure for measure in MEASURES if any(fnmatch.fnmatch(measure.name, name) for name in names)]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="which measures, as shell patterns")
    parser.add_argument("--list", action="store_true", help="names them, and measures nothing")
    parser.add_argument("--rounds", type=int, help=f"{ROUNDS} where left out, with --quick {QUICK_ROUNDS}")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, and without what takes minutes")
    parser.add_argument("--fronts", nargs="+", choices=KINDS, default=list(KINDS), help="only these")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the figures go")
    return parser.parse_args()


if __name__ == "__main__":
    main()
