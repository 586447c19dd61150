"""Programs that are killed while they work: `python killed_programs.py produce|pipe URL KEY STREAM [GROUP TARGET]`.

They use the client as anybody would.
"""

import sys

from eventflow_client import ConsumerSettings, Event, EventFlow, ProducerSettings


def produce(url: str, key: str, stream: str) -> None:
    """Append 0, 1, 2 … for ever, and say of each, once it is certain, that it is stored."""
    with EventFlow(url, key=key) as client, client.producer(ProducerSettings(batch_events=20)) as producer:
        waiting = []
        number = 0
        while True:
            waiting.append(producer.enqueue(stream, number))
            number += 1
            if len(waiting) == 100:
                for each in waiting:
                    print(each.result().offset - 1, flush=True)
                waiting.clear()


def pipe(url: str, key: str, stream: str, group: str, target: str) -> None:
    """Copy each event to another stream, once: a copy that was made before a crash is found by its key."""
    with EventFlow(url, key=key) as client:

        def copy(event: Event) -> None:
            client.send(target, event.payload, key=event.key, idempotency_key=f"copy-of-{event.id}")
            # In one piece: others print beside it.
            print(f"{event.payload}\n", end="", flush=True)

        client.consumer(
            stream, group, copy, settings=ConsumerSettings(max_events=20, wait_seconds=0.5, concurrency=3)
        ).run()


if __name__ == "__main__":
    {"produce": produce, "pipe": pipe}[sys.argv[1]](*sys.argv[2:])
