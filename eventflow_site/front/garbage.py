"""What a web worker asks of Python's garbage collector. Measured with `make bench`."""

import gc

# Collections look at what requests in flight hold, and the hot verbs leave nothing to be found.
GC_THRESHOLDS = (10_000, 10, 10)


def collect_less_garbage() -> None:
    """Keep what is loaded by now out of garbage collections, and make these rarer.

    Looking through all of it stops everybody for a tenth of a second, again and again. What requests leave behind
    is still collected.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
