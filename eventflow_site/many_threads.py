"""What a web worker asks of Python and of the kernel, as a process with hundreds of threads of which most wait.

A thousand polls that wait must not slow down those who append. Measured with `make bench`.
"""

import ctypes
import gc
import sys

# From Linux 6.17 on each process has a table of its own for its sleeping threads, sized by the number of processors:
# 16 slots on a small machine. Whoever wakes one thread would walk past dozens of others.
_PR_FUTEX_HASH = 78
_PR_FUTEX_HASH_SET_SLOTS = 1
# More than threads; a slot takes 64 bytes.
FUTEX_SLOTS = 1024

# Collections look at what requests in flight hold, and the hot verbs leave nothing to be found.
GC_THRESHOLDS = (10_000, 10, 10)


def spread_sleeping_threads() -> None:
    """Give each sleeping thread a slot of its own in the kernel's table; harmless where the kernel has none."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_FUTEX_HASH, _PR_FUTEX_HASH_SET_SLOTS, FUTEX_SLOTS, 0, 0)


def collect_less_garbage() -> None:
    """Keep what is loaded by now out of garbage collections, and make these rarer.

    Looking through all of it stops every thread for a tenth of a second, again and again. What requests leave behind
    is still collected.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
