"""`eventflow produce`: arguments and lines become events, each once, and what failed is told by line and exit code."""

import json
import os
import shlex
import signal
import subprocess
import sys

import pytest
from lossy import BAD_GATEWAY, LOSE_ANSWER
from running import stored, wait_for
from shell import SOURCE

pytestmark = pytest.mark.processes


def test_one_event_is_where_it_says(shell, client, orders):
    words = ["--type", "order.created", "--key", "customer-7", "--header", "tenant=a", "--json"]

    where = shell.ok("produce", orders, '{"n": 1}', *words).json()

    (event,) = stored(client, orders)
    assert (where["stream"], where["partition"], where["offset"], where["id"]) == (orders, 0, 1, event["id"])
    assert (event["payload"], event["type"], event["key"], event["headers"]) == (
        {"n": 1},
        "order.created",
        "customer-7",
        {"tenant": "a"},
    )


def test_lines_are_events_in_their_order_and_numbers_keep_their_digits(shell, client, orders):
    lines = ["1", '{"n": 1e400}', "", "12345678901234567890123", '"x"']

    said = shell.ok("produce", orders, stdin="\n".join(lines))

    assert said.out == "4 stored\n"
    raw = [bytes(event.raw_payload).decode() for event in client.streams.read(orders)]
    assert raw == [line for line in lines if line]


def test_behind_a_key_on_standard_input_come_the_lines(shell, client, key, orders):
    said = shell.ok("produce", orders, "--key-stdin", stdin=f'{key}\n{{"n": 1}}\n{{"n": 2}}\n')
    assert said.lines == ["2 stored"]
    assert [event["payload"] for event in stored(client, orders)] == [{"n": 1}, {"n": 2}]


def test_lines_are_stored_once_whatever_is_lost(shell, client, network, orders):
    network.happen(LOSE_ANSWER, BAD_GATEWAY)

    shell.ok("produce", orders, stdin="".join(f"{n}\n" for n in range(2500)))

    assert [event["payload"] for event in stored(client, orders)] == list(range(2500))


def test_lines_that_are_no_events_are_told_and_the_others_stored(shell, client, orders):
    said = shell.run("produce", orders, stdin=b'1\n{"a":\n[NaN]\n\xff\n{"ok": true}\n')

    assert (said.code, said.out) == (1, "2 stored, 3 not stored\n")
    assert [line.partition(":")[0] for line in said.err.splitlines()] == ["line 2", "line 3", "line 4"]
    assert [event["payload"] for event in stored(client, orders)] == [1, {"ok": True}]


def test_a_line_that_the_server_refuses_is_told_and_its_neighbours_stored(shell, client, orders):
    lines = [{"payload": 1}, {"payload": 2, "key": "k" * 600}, {"payload": 3, "type": "paid"}]

    said = shell.run("produce", orders, "--events", stdin="\n".join(map(json.dumps, lines)))

    assert (said.code, said.out) == (1, "2 stored, 1 not stored\n")
    assert said.err.startswith("line 2: ")
    assert [event["payload"] for event in stored(client, orders)] == [1, 3]


def test_text_and_keys_out_of_the_payload(shell, client, orders):
    shell.ok("produce", orders, "--text", stdin="not {json}\n")
    shell.ok("produce", orders, "--key-field", "customer", stdin='{"customer": "ada"}\n{"customer": 7}\n')
    said = shell.run("produce", orders, "--key-field", "customer", stdin='{"customer": null}\n')

    assert [(event["payload"], event["key"]) for event in stored(client, orders)] == [
        ("not {json}", None),
        ({"customer": "ada"}, "ada"),
        ({"customer": 7}, "7"),
    ]
    assert (said.code, "line 1" in said.err) == (1, True)


def test_what_tail_writes_can_be_appended_elsewhere(shell, client, orders):
    shell.ok("produce", orders, '{"n": 1}', "--type", "paid", "--key", "k", "--header", "a=b")
    client.streams.create(copy := f"{orders}-copy")

    shell.ok("produce", copy, "--events", stdin=shell.ok("tail", orders, "--no-follow", "--json").out)

    (original,), (copied,) = stored(client, orders), stored(client, copy)
    same = ("payload", "type", "key", "id", "headers")
    assert [copied[name] for name in same] == [original[name] for name in same]


def test_the_same_idempotency_key_stores_nothing_again(shell, client, orders):
    first, second = (shell.ok("produce", orders, "1", "--idempotency-key", "order-42").out for _ in range(2))

    assert first == second
    assert len(stored(client, orders)) == 1


def test_refusals_have_exit_codes_that_scripts_can_tell_apart(shell, client, network, orders):
    assert shell.run("produce", "nothing", "1").code == 4
    assert shell.run("produce", "nothing", stdin="1\n2\n").code == 4
    assert shell.run("produce", orders, "{").code == 2
    client.streams.change(orders, paused=True)
    refused = shell.run("produce", orders, "1", "--json", "--timeout", "1")
    assert (refused.code, json.loads(refused.err)["error"]) == (1, "stream_paused")
    assert shell.run("produce", orders, "1", "--timeout", "0.2", EVENTFLOW_API="http://127.0.0.1:9").code == 5
    network.happen(*[LOSE_ANSWER] * 50)
    lost = shell.run("produce", orders, "1", "--timeout", "0.5")
    assert (lost.code, "Nobody knows" in lost.err) == (6, True)


def test_interrupted_it_stores_what_it_has_read_and_says_how_much(shell, client, orders):
    with shell.running("produce", orders) as program:
        program.stdin.write("1\n2\n")
        program.stdin.flush()
        wait_for("both", lambda: len(stored(client, orders)) == 2)
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=30)

    assert (program.returncode, out, "Traceback" in err) == (130, "2 stored\n", False)


def test_who_has_no_standard_input_or_output_stores_nothing_and_tells_nobody(shell, client, orders):
    command = [sys.executable, "-m", "eventflow_client.terminal", "produce", orders]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), **shell.environment}
    for closed in ("<&-", ">&- </dev/null"):
        done = subprocess.run(
            ["sh", "-c", f"{shlex.join(command)} {closed}"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
    assert stored(client, orders) == []
