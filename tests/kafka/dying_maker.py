"""A process that makes a place for a stream in Kafka, and dies before a line of that.

`python -m tests.kafka.dying_maker '{"kafka-main": {…}}' ORDINAL_OF_THE_LINE`, in the environment of a test run.
"""

import json
import os
import signal
import sys
from types import FrameType
from typing import Any

from tests.forked import Forked

MODULE = "streams/services/places.py"


def is_killed(engines: dict[str, Any], *, before_line: int) -> bool:
    """Let it make a place and die there; return whether there was such a line."""
    maker = Forked(__name__, json.dumps(engines), str(before_line))
    said, _ = maker.communicate()
    assert (maker.returncode, said) in ((-signal.SIGKILL, ""), (0, "done\n")), (maker.returncode, said)
    return maker.returncode == -signal.SIGKILL


def _die_before(line: int) -> Any:
    seen = -1

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal seen
        code = frame.f_code
        if not code.co_filename.endswith(MODULE) or code.co_name.startswith("<"):
            return None
        if event == "line":
            seen += 1
            if seen == line:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace


def main() -> None:
    from django.conf import settings

    from streams.log import close_log, get_log
    from streams.services.places import prepare_place

    settings.EVENTFLOW_ENGINES = json.loads(sys.argv[1])
    get_log()
    sys.settrace(_die_before(int(sys.argv[2])))
    prepare_place(
        engine="kafka-main", stream_name="orders-of-a-dying-maker", partitions=2, max_bytes=None, allow_weak=True
    )
    sys.settrace(None)
    close_log()
    print("done", flush=True)
