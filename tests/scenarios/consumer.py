"""A consumer as a team would write one, as a program of its own: `python -m tests.scenarios.consumer PORT KEY PATH NAME`.

It cannot process an event whose number divides by 20, unless its payload says that it was fixed. Each line that it
writes is a fact: `leased` or `acked`, when (one clock for all processes of a machine), and which events.
"""

import sys
import time
from typing import Any

from tests.scenarios.http import Server


def tell(what: str, events: list[dict[str, Any]]) -> None:
    print(what, time.monotonic(), *(event["payload"]["n"] for event in events), flush=True)


def is_broken(event: dict[str, Any]) -> bool:
    return event["payload"]["n"] % 20 == 0 and not event["payload"].get("fixed")


def main(port: int, key: str, path: str, name: str) -> None:
    server = Server(port, X_API_Key=key)
    while True:
        request = {"max_events": 25, "wait": 2, "consumer": name}
        for delivery in server.ok("POST", f"{path}/lease", request)["deliveries"]:
            tell("leased", delivery["events"])
            # The one that is to crash does so in the middle of its work.
            time.sleep(60 if name == "crashing" else 0.01)
            broken = [event for event in delivery["events"] if is_broken(event)]
            held = {"delivery_id": delivery["delivery_id"], "lease_token": delivery["lease_token"]}
            if broken and len(broken) == len(delivery["events"]):
                status, answer = server.call("POST", f"{path}/nack", {"deliveries": [held | {"error": "by twenty"}]})
            else:
                failed = [{"offset": event["offset"], "error": f"n is {event['payload']['n']}"} for event in broken]
                status, answer = server.call("POST", f"{path}/ack", {"deliveries": [held | {"failed": failed}]})
            assert status in (200, 409), (status, answer)
            if status == 200:
                tell("acked", [event for event in delivery["events"] if not is_broken(event)])


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
