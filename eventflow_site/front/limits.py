"""How much of what has not come yet is waited for, and how much is done at once. Durations are seconds, sizes bytes."""

from typing import Final

# --- a body on its way ---
BODY_PAUSE_SECONDS: Final = 10.0
BODY_SECONDS: Final = 60.0
# After the first pause that it may make, what came must be this many bytes for each second since.
BODY_BYTES_PER_SECOND: Final = 500
SWEEP_SECONDS: Final = 0.5

# --- bodies that take their time, beyond SLOW_BODY_SECONDS: their number, and the bytes of all under way ---
SLOW_BODY_SECONDS: Final = 2.0
MAX_SLOW_BODIES_EACH: Final = 50
MAX_SLOW_BODIES: Final = 2_000
MAX_BODY_BYTES_EACH: Final = 128 * 1024 * 1024
MAX_BODY_BYTES_ALL: Final = 256 * 1024 * 1024
# Of those who have not proved who they are; each is told by address.
MAX_UNPROVEN_SLOW_BODIES: Final = 1_000
MAX_UNPROVEN_BODY_BYTES_EACH: Final = 8 * 1024 * 1024
MAX_UNPROVEN_BODY_BYTES_ALL: Final = 32 * 1024 * 1024

# --- readers of live streams and downloads ---
# After so much was handed over it is looked at what the client has taken, and waited until no more is left than this.
HANDED_OVER_BYTES: Final = 256 * 1024
NOT_TAKEN_BYTES: Final = 128 * 1024
LOOK_SECONDS: Final = (0.005, 0.5)
# A client that takes nothing for so long has to come again.
TAKES_NOTHING_SECONDS: Final = 15.0
# Where nobody can tell what the client has taken, it has to come again after so much.
UNSEEN_BYTES: Final = 1024 * 1024
# How long it is remembered which socket leads to whom.
PEERS_SECONDS: Final = 1.0

# --- threads ---
DJANGO_PATIENCE_SECONDS: Final = 10.0
LONG_WORK_THREADS: Final = 2
# Without a pool of connections (tests) there is no number to go by.
THREADS_WITHOUT_POOL: Final = 8
