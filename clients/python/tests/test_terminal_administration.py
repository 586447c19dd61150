"""`eventflow streams`, `groups`, `seek`, `dead-letters` and `keys`: seen, foreseen, asked about and done."""

import json
import stat
from pathlib import Path

import pytest
from running import append

from tests.factories import make_user

pytestmark = pytest.mark.processes


def test_a_stream_is_made_seen_paused_and_deleted(shell, orders):
    name = f"{orders}-made"

    made = shell.ok("streams", "create", name, "--partitions", "3", "--max-events", "1000", "--json").json()
    assert (made["partitions"], made["retention"]["max_events"]) == (3, 1000)
    assert name in [each["name"] for each in shell.ok("streams", "list", "--json").all_json()]
    assert shell.ok("streams", "pause", name, "--json").json()["paused"] is True
    assert ["paused", "no"] in [line.split() for line in shell.ok("streams", "resume", name).lines]
    assert shell.ok("streams", "stats", name, "--json").json()["head_offset"] == 0
    refused = shell.run("streams", "delete", name, "--confirm", "another")
    assert (refused.code, "confirmation" in refused.err) == (1, True)
    shell.ok("streams", "delete", name, "--confirm", name)
    assert shell.run("streams", "show", name).code == 4


def test_a_group_is_made_seen_paused_and_deleted(shell, orders):
    made = shell.ok("groups", "create", orders, "workers", "--mode", "lease", "--ack-wait", "60", "--json").json()
    assert (made["mode"], made["ack_wait"]) == ("lease", 60)
    assert shell.run("groups", "create", orders, "workers").code == 1
    assert shell.ok("groups", "pause", orders, "workers", "--json").json()["paused"] is True
    assert [each["name"] for each in shell.ok("groups", "list", orders, "--json").all_json()] == ["workers"]
    shell.ok("groups", "delete", orders, "workers", "--confirm", "workers")
    assert shell.run("groups", "show", orders, "workers").code == 4


@pytest.mark.parametrize(("to", "events"), [("earliest", 7), ("3", 4), ("1h", 7), ("latest", 3)])
def test_a_move_is_foreseen_and_moves_nothing(shell, client, orders, to, events):
    client.groups.create(orders, "readers")
    append(client, orders, 10)
    client.groups.commit(orders, "readers", {0: 7})

    foreseen = shell.ok("seek", orders, "readers", to, "--dry-run", "--json").json()

    assert (foreseen["dry_run"], foreseen["events_affected"]) == (True, events)
    assert client.groups.get(orders, "readers").lag == 3


def test_a_move_wants_to_be_confirmed(shell, client, orders):
    client.groups.create(orders, "readers")
    append(client, orders, 10)

    refused = shell.run("seek", orders, "readers", "latest")
    assert (refused.code, client.groups.get(orders, "readers").lag) == (2, 10)
    shell.ok("seek", orders, "readers", "latest", "--yes")
    assert client.groups.get(orders, "readers").lag == 0


@pytest.mark.parametrize("to", ["yesterday", "2026-11-22T10:00:00", "-5", "5x", "٣"])
def test_what_is_no_place_is_not_sent(shell, network, orders, to):
    assert shell.run("seek", orders, "readers", "--", to).code == 2
    assert network.seen("seek") == []


@pytest.fixture
def dead(client, orders) -> list[int]:
    client.groups.create(orders, "readers")
    append(client, orders, 4)
    return [client.groups.park(orders, "readers", offset=n, error=f"bad {n}\x1b[2J").id for n in range(1, 5)]


def test_dead_letters_are_found_and_seen_and_their_errors_move_no_cursor(shell, orders, dead):
    found = shell.ok("dead-letters", "list", "--stream", orders, "--json").all_json()
    assert [each["id"] for each in found] == dead[::-1]
    table = shell.ok("dead-letters", "list", "--stream", orders, "--max", "2")
    assert len(table.lines) == 3 and "more than 2" in table.err
    assert "\x1b" not in table.out and r"bad 4\x1b[2J" in table.out
    assert ["payload", "0"] in [line.split() for line in shell.ok("dead-letters", "show", str(dead[0])).lines]
    assert shell.run("dead-letters", "show", "999999999").code == 4


def test_some_are_sent_again_or_given_up_by_their_ids(shell, client, orders, dead):
    assert shell.ok("dead-letters", "discard", str(dead[0]), "--dry-run", "--json").json()["status"] == "open"
    assert shell.run("dead-letters", "discard", str(dead[0])).code == 2
    shell.ok("dead-letters", "discard", str(dead[0]), "--yes", "--note", "test data")
    again = shell.run("dead-letters", "discard", str(dead[0]), "--yes", "--json")
    assert (again.code, json.loads(again.err)["error"]) == (1, "not_open")
    assert client.dead_letters.get(dead[0]).note == "test data"


def test_all_that_a_filter_finds_are_counted_first(shell, client, orders, dead):
    wanted = ["--stream", orders, "--text", "bad"]

    assert shell.ok("dead-letters", "discard", *wanted, "--dry-run").out == "4\n"
    assert shell.run("dead-letters", "discard", *wanted).code == 2
    assert [each.status for each in client.dead_letters.list(stream=orders)] == ["open"] * 4
    assert shell.ok("dead-letters", "discard", *wanted, "--yes").out.startswith("4 of 4")
    assert [each.status for each in client.dead_letters.list(stream=orders)] == ["discarded"] * 4


def test_everything_at_once_is_not_taken_for_a_wish(shell):
    assert shell.run("dead-letters", "discard", "--yes").code == 2


@pytest.fixture
def person(bare, web):
    """A shell of somebody who has signed in."""
    user = make_user("producer", "consumer", password="correct horse battery")
    bare.ok("login", "--url", web.url, "--email", user.email, EVENTFLOW_PASSWORD="correct horse battery")
    return bare


def test_a_key_is_made_into_a_file_of_ones_own_and_shown_nowhere(person, tmp_path):
    path = tmp_path / "shop.key"

    said = person.ok("keys", "create", "shop", "--scope", "produce", "--to-file", str(path), "--json")

    secret = path.read_text().strip()
    assert secret.startswith("evf_") and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secret not in said.out + said.err
    (listed,) = person.ok("keys", "list", "--json").all_json()
    assert (listed["name"], listed["scopes"], "secret" in listed) == ("shop", ["produce"], False)


def test_a_key_is_made_into_a_profile_that_can_be_used(person):
    person.ok("keys", "create", "reader", "--scope", "consume", "--save", "reader", "--days", "30")

    assert person.ok("lag", "--profile", "reader").code == 0
    assert person.run("streams", "create", "mine", "--profile", "reader").code == 3
    assert [each["with"] for each in person.ok("profiles", "--json").all_json()] == ["session", "key"]


def test_no_key_is_made_that_nobody_could_keep(person, tmp_path):
    (tmp_path / "there").touch()

    assert person.run("keys", "create", "shop", "--scope", "produce", "--to-file", str(tmp_path / "there")).code == 2
    assert person.run("keys", "create", "shop", "--scope", "produce", "--save", "default").code == 2
    assert person.ok("keys", "list", "--json").lines == []


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a directory that takes no files, whoever asks")
def test_a_key_that_was_made_and_could_not_be_kept_is_named(person):
    said = person.run("keys", "create", "shop", "--scope", "produce", "--to-file", "/proc/key")

    (made,) = person.ok("keys", "list", "--json").all_json()
    assert said.code == 6
    assert "could not be saved" in said.err and f"`eventflow keys revoke {made['id']}`" in said.err


def test_a_key_is_replaced_and_ended(person):
    person.ok("keys", "create", "shop", "--scope", "produce", "--save", "old")
    (made,) = person.ok("keys", "list", "--json").all_json()

    person.ok("keys", "rotate", made["id"], "--overlap", "60", "--save", "new")
    person.ok("keys", "revoke", made["id"])

    assert person.run("lag", "--profile", "old").code == 3
    assert person.run("login", "--profile", "new", "--key-stdin", stdin="").code == 2
