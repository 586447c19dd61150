"""`make faults`: real processes under load while everything breaks, and every promise held to what came of it.

FAULTS_SECONDS says for how long things break (180), FAULTS_SEED in which order; the report tells the seed, and a run
that breaks a promise or shows too little keeps its history and its logs under var/faults. A kept history is judged
again with `python -m tests.faults var/faults/…/history.jsonl`.

Exit code 0: every promise was kept. 1: some were broken. 2: too little broke, or too few requests ended each way.
"""

import os
import random
import shutil
import signal
import sys
from pathlib import Path

from tests.faults.checker import Facts, judge_all
from tests.faults.history import load
from tests.faults.live.run import HISTORY, Run, say
from tests.faults.summary import exit_code_of, summarise
from tests.faults.validity import lacking
from tests.run.instance import PROJECT

KEPT = PROJECT / "var" / "faults"


def main() -> int:
    # So that whoever is told to end cleans up first.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    if sys.argv[1:]:
        return judge(Path(sys.argv[1]), [])
    seed = int(os.environ.get("FAULTS_SEED") or random.SystemRandom().randrange(1_000_000))
    kept = KEPT / str(seed)
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    say(f"seed {seed}")
    run = Run(seed, float(os.environ.get("FAULTS_SECONDS") or 180), kept)
    run.play()
    code = judge(kept / HISTORY, run.failures)
    if code == 0:
        shutil.rmtree(kept)
    else:
        say(f"the history and the logs are in {kept}")
    return code


def judge(history: Path, failures: list[str]) -> int:
    """Judge a history, print the report, keep it beside, and return the exit code."""
    facts = Facts(load(history))
    verdicts = judge_all(facts)
    missing = [*failures, *lacking(facts, verdicts)]
    report = summarise(facts, verdicts, missing)
    (history.parent / "report.txt").write_text(report + "\n")
    print(report)
    return exit_code_of(verdicts, missing)


if __name__ == "__main__":
    sys.exit(main())
