"""`eventflow lag`: how far groups are behind, for people, for programs, and as an exit code."""

import signal

import pytest
from running import append

pytestmark = pytest.mark.processes


def test_lag_of_all_of_a_stream_and_of_a_group(shell, client, orders):
    client.groups.create(orders, "readers")
    client.groups.create(orders, "workers", mode="lease")
    append(client, orders, 10)
    client.groups.commit(orders, "readers", {0: 7})

    everything = {
        each["name"]: each["lag"] for each in shell.ok("lag", "--json").all_json() if each["stream"] == orders
    }
    of_stream = {each["id"]: each["lag"] for each in shell.ok("lag", orders, "--json").all_json()}
    (partition,) = shell.ok("lag", orders, "readers", "--json").all_json()

    assert everything == of_stream == {"readers": 3, "workers": 10}
    assert (partition["committed_offset"], partition["head_offset"], partition["lag"]) == (7, 10, 3)


def test_for_people_it_is_a_table(shell, client, orders):
    client.groups.create(orders, "readers")
    append(client, orders, 1000)
    append(client, orders, 1000)

    heading, row = shell.ok("lag", orders, "readers").lines

    assert heading.split()[:4] == ["PARTITION", "FINISHED", "HEAD", "LAG"]
    assert row.split()[:4] == ["0", "0", "2,000", "2,000"]


@pytest.mark.parametrize(("over", "code"), [(9, 1), (10, 0)])
def test_too_much_of_it_is_an_exit_code(shell, client, orders, over, code):
    client.groups.create(orders, "readers")
    append(client, orders, 10)

    assert shell.run("lag", orders, "--over", str(over)).code == code
    assert shell.run("lag", orders, "readers", "--over", str(over)).code == code


def test_it_can_be_watched(shell, client, orders):
    client.groups.create(orders, "readers")
    with shell.running("lag", orders, "readers", "--json", "--watch", "0.05") as program:
        assert '"lag":0' in program.stdout.readline()
        append(client, orders, 5)
        while '"lag":5' not in program.stdout.readline():
            pass
        program.send_signal(signal.SIGINT)
        assert program.wait(30) == 130


def test_what_is_not_there_is_an_exit_code(shell, orders):
    assert shell.run("lag", "nothing").code == 4
    assert shell.run("lag", orders, "nobody").code == 4
