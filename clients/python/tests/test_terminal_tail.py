"""`eventflow tail`: events as they come, once each over connections that break, and harmless to look at."""

import json
import signal

import pytest
from between import Between
from django.utils import timezone
from eventflow_client.models import Retention
from running import append

from streams.services.retention import delete_expired_events

pytestmark = pytest.mark.processes


@pytest.fixture
def live(shell, web):
    """The server itself: the lossy network passes on whole answers only."""
    shell.environment["EVENTFLOW_API"] = web.url
    return shell


def test_what_is_there_is_shown_and_that_was_it(shell, client, orders):
    append(client, orders, 12, type="paid", key="k")

    lines = shell.ok("tail", orders, "--no-follow").lines
    assert len(lines) == 10
    assert lines[0].split()[1:] == ["0/3", "paid", "k", "2"]
    assert shell.ok("tail", orders, "--no-follow", "--after", "earliest", "--payload").lines == [
        str(n) for n in range(12)
    ]
    assert shell.ok("tail", orders, "--no-follow", "-n", "2", "--payload").lines == ["10", "11"]
    assert shell.ok("tail", orders, "--no-follow", "--after", "4", "--max", "1", "--payload").lines == ["4"]


def test_of_several_partitions_each_has_its_last(shell, client, orders):
    client.streams.create(wide := f"{orders}-wide", partitions=40)
    for n in range(120):
        client.send(wide, n, key=f"k{n % 40}")

    shown = shell.ok("tail", wide, "--no-follow", "-n", "1", "--json").all_json()

    heads = {each.partition: each.offset for each in client.streams.read(wide)}
    assert {event["partition"]: event["offset"] for event in shown} == heads
    assert len(shown) == len(heads)


def test_only_the_types_and_the_partition_that_were_asked_for(shell, client, orders):
    append(client, orders, 2, type="paid")
    append(client, orders, 3, type="sent")
    append(client, orders, 1, type="lost")

    words = ["tail", orders, "--no-follow", "--after", "earliest", "--payload", "--partition", "0"]
    assert shell.ok(*words, "--type", "paid", "--type", "lost").lines == ["0", "1", "0"]


def test_new_events_are_shown_as_they_come_until_it_is_stopped(live, client, orders):
    append(client, orders, 3)
    with live.running("tail", orders, "-n", "1", "--payload") as program:
        assert program.stdout.readline() == "2\n"
        client.send(orders, "new")
        assert program.stdout.readline() == '"new"\n'
        program.send_signal(signal.SIGINT)
        _, err = program.communicate(timeout=30)

    assert (program.returncode, err) == (130, "")


def test_it_ends_after_as_many_as_were_asked_for(live, client, orders):
    append(client, orders, 5)

    assert live.ok("tail", orders, "-n", "5", "--max", "3", "--payload").lines == ["0", "1", "2"]


def test_cut_off_it_goes_on_where_it_was(shell, client, web, orders):
    append(client, orders, 3)
    with (
        Between(web.port) as between,
        shell.running("tail", orders, "-n", "3", "--payload", EVENTFLOW_API=between.url) as program,
    ):
        assert [program.stdout.readline() for _ in range(3)] == ["0\n", "1\n", "2\n"]
        between.cut()
        client.send(orders, "meanwhile")
        assert program.stdout.readline() == '"meanwhile"\n'
        assert program.stderr.readline().startswith("Cut off")


def test_lines_end_where_the_server_ends_them(live, client, orders):
    strange = "a\u2028b\u0085c\x1cd\re"
    client.send(orders, strange)

    (line,) = live.ok("tail", orders, "-n", "1", "--max", "1", "--json").out.removesuffix("\n").split("\n")

    assert json.loads(line)["payload"] == strange


def test_what_a_terminal_would_obey_is_shown_and_not_obeyed(shell, client, orders):
    client.send(orders, {"\x1b[2J": "\x9b31m"}, type="evil", key="k\x1b]0;title\x07\u202e")

    (line,) = shell.ok("tail", orders, "--no-follow").lines

    assert not set(line) & {"\x1b", "\x07", "\x9b", "\u202e"}
    assert "\\x1b]0;title" in line


def test_what_retention_took_is_told_beside(live, client, orders):
    append(client, orders, 2)
    append(client, orders, 2)
    client.streams.change(orders, retention=Retention(max_events=2), confirm=orders)
    delete_expired_events(now=timezone.now())

    said = live.ok("tail", orders, "--after", "0", "--max", "2", "--payload")

    assert (said.lines, said.err) == (["0", "1"], "0/1 to 2 are gone: retention took them.\n")


def test_a_reader_that_has_enough_ends_it_quietly(live, client, orders):
    append(client, orders, 50)
    with live.running("tail", orders, "-n", "50", "--payload") as program:
        program.stdout.readline()
        program.stdout.close()
        append(client, orders, 50)
        program.wait(30)
        assert (program.returncode, program.stderr.read()) == (141, "")


def test_a_stream_that_is_not_there_is_an_exit_code(shell):
    assert shell.run("tail", "nothing").code == 4
    assert shell.run("tail", "nothing", "--no-follow").code == 4


def test_a_place_that_is_none_is_refused(shell, orders):
    said = shell.run("tail", orders, "--after", "yesterday")

    assert (said.code, "last_offset" in said.err) == (1, True)


@pytest.mark.parametrize(("options", "begin"), [(["--json"], "{"), (["--payload"], '"'), ([], "")])
def test_letters_that_an_encoding_does_not_have_are_escaped(shell, client, orders, options, begin):
    client.send(orders, "für 😀", type="t")
    words = ("tail", orders, "--no-follow", *options)
    with shell.running(*words, PYTHONIOENCODING="ascii", PYTHONUTF8="0") as program:
        out, err = program.communicate(timeout=30)

    assert (program.returncode, err) == (0, "")
    assert out.startswith(begin) and "f\\u00fcr \\ud83d\\ude00" in out
