"""`make audit`: whether there are advisories for the packages of the lock files that people run.

Exits with 1 for an advisory, with 0 and "not checked" where nobody can be asked, with 2 if the tool itself does not work.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.advisories.outcome import BROKEN, outcome_of

PROJECT = Path(__file__).resolve().parents[2]
LOCK_FILES = ("requirements.txt", "requirements-embedded.txt", "requirements-extras.txt")
PATIENCE_SECONDS = 300


def tool() -> str:
    """Where pip-audit is; `PIP_AUDIT` names it from where this was started, and it runs in another directory."""
    named = os.environ.get("PIP_AUDIT", "pip-audit")
    return str(Path(named).absolute()) if os.sep in named else named


def main() -> int:
    command = [
        *(tool(), "--require-hashes", "--disable-pip"),
        *("--format", "json", "--progress-spinner", "off", "--timeout", "15"),
        *(word for name in LOCK_FILES for word in ("--requirement", str(PROJECT / name))),
    ]
    # It takes a pyproject.toml in its directory for something to look at as well.
    with tempfile.TemporaryDirectory() as elsewhere:
        try:
            done = subprocess.run(
                command, cwd=elsewhere, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
            )
        except FileNotFoundError:
            print("There is no pip-audit here; `make audit` installs it.")
            return BROKEN
        except subprocess.TimeoutExpired:
            print(f"advisories: not checked: no answer within {PATIENCE_SECONDS} s")
            return 0
    outcome = outcome_of(output=done.stdout, errors=done.stderr)
    for line in outcome.lines:
        print(f"advisories: {line}")
    return outcome.exit_code


if __name__ == "__main__":
    sys.exit(main())
