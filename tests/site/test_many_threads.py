"""A web worker is made ready for hundreds of threads that wait."""

import ctypes
import subprocess
import sys

import pytest

from eventflow_site.many_threads import FUTEX_SLOTS, GC_THRESHOLDS

SLOTS = "ctypes.CDLL(None).prctl(78, 2, 0, 0, 0)"


def run(*lines: str) -> str:
    """What a process of its own prints; what is changed here stays for as long as a process."""
    program = "import ctypes, gc\nfrom eventflow_site import many_threads\n" + "\n".join(lines)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has futexes")
def test_each_sleeping_thread_has_a_slot_of_its_own():
    if ctypes.CDLL(None).prctl(78, 2, 0, 0, 0) < 0:
        pytest.skip("this kernel has one table for all processes: older than Linux 6.17")
    assert run("many_threads.spread_sleeping_threads()", f"print({SLOTS})") == str(FUTEX_SLOTS)


def test_what_is_loaded_is_left_out_of_collections_and_these_are_rare():
    told = run("many_threads.collect_less_garbage()", "print(gc.get_freeze_count() > 1000, gc.get_threshold())")
    assert told == f"True {GC_THRESHOLDS}"
