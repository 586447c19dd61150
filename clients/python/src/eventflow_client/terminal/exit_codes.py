"""What the command ends with, for scripts to tell apart."""

from typing import Final

DONE: Final = 0
# Refused by the server, or found wrong: `doctor`, `lag --over`, lines that were not stored.
FAILED: Final = 1
# As argparse answers what was typed wrongly.
WRONG_USE: Final = 2
# No credential, or one that may not do this.
NOT_ALLOWED: Final = 3
NOT_THERE: Final = 4
# Nobody answered, or the server cannot just now: certainly nothing was stored, and later it may work.
NO_ANSWER: Final = 5
# It may have been done or not: look before you do it again.
UNKNOWN: Final = 6
# As shells tell of programs that a signal ended: 128 and its number.
INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 141
