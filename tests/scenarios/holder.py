"""A consumer that takes a lease and is not done with it, as a program of its own.

`python -m tests.scenarios.holder PORT KEY PATH MAX_EVENTS` writes `holds` and how many events it has. Asked to stop
(SIGTERM), it gives back what it holds, as a consumer should; killed, it cannot.
"""

import signal
import sys

from tests.scenarios.http import Server


def main(port: int, key: str, path: str, max_events: int) -> None:
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    server = Server(port, X_API_Key=key)
    deliveries = server.ok("POST", f"{path}/lease", {"max_events": max_events, "consumer": "holder"})["deliveries"]
    held = [{name: each[name] for name in ("delivery_id", "lease_token")} for each in deliveries]
    try:
        print("holds", sum(len(each["events"]) for each in deliveries), flush=True)
        signal.pause()
    finally:
        server.ok("POST", f"{path}/release", {"deliveries": held})


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
