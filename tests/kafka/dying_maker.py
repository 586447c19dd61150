"""A process that makes a place for a stream in Kafka, and dies before a line of that.

`python -m tests.kafka.dying_maker '{"kafka-main": {…}}' ORDINAL_OF_THE_LINE`, in the environment of a test run.
"""

import json
import sys
from typing import Any

from tests import dying

MODULES = ("streams/services/places.py",)


def is_killed(engines: dict[str, Any], *, before_line: int) -> bool:
    """Let it make a place and die there; return whether there was such a line."""
    return dying.is_killed(__name__, json.dumps(engines), str(before_line))


def main() -> None:
    from django.conf import settings

    from streams.log import close_log, get_log
    from streams.services.places import prepare_place

    settings.EVENTFLOW_ENGINES = json.loads(sys.argv[1])
    get_log()
    with dying.dying_before(int(sys.argv[2]), of=MODULES):
        prepare_place(
            engine="kafka-main", stream_name="orders-of-a-dying-maker", partitions=2, max_bytes=None, allow_weak=True
        )
    close_log()
    print("done", flush=True)
