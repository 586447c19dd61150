"""Python imports this at its start where it finds it: a process with this folder in its path has a clock that is wrong.

By SKEW_SECONDS, for `time.time` and for Django's `timezone.now`, by which the code asks for the time. (A class in
the place of `datetime` itself would be no date for those who look closely.) The monotonic clock is right.
"""

import os
import time
from datetime import timedelta

from django.utils import timezone

SKEW_SECONDS = float(os.environ["SKEW_SECONDS"])
_time, _time_ns, _now = time.time, time.time_ns, timezone.now

time.time = lambda: _time() + SKEW_SECONDS
time.time_ns = lambda: _time_ns() + int(SKEW_SECONDS * 1e9)
timezone.now = lambda: _now() + timedelta(seconds=SKEW_SECONDS)
