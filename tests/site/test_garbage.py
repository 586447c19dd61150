"""A web worker leaves what is loaded out of garbage collections."""

import subprocess
import sys

import pytest

from eventflow_site.front.garbage import GC_THRESHOLDS

pytestmark = pytest.mark.processes


def test_what_is_loaded_is_left_out_of_collections_and_these_are_rare():
    program = (
        "import gc\nfrom eventflow_site.front.garbage import collect_less_garbage\ncollect_less_garbage()\n"
        "print(gc.get_freeze_count() > 1000, gc.get_threshold())"
    )
    # In a process of its own: what is changed there stays for as long as it lives.
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()
    assert told == f"True {GC_THRESHOLDS}"
