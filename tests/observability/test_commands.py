"""The operator's commands, as they are typed."""

import gzip
import io
import json
import sys
from datetime import datetime, timedelta
from functools import partial

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.utils import timezone
from psycopg_pool import PoolTimeout

from accounts.models import ApiKey, User
from accounts.services.authenticate_key import authenticate_key
from consumers.models import GroupOffset
from observability.management.commands.tail import Command as Tail
from observability.operations.command import OperatorCommand
from observability.operations.transfer import count_events
from observability.operations.verify_log import verify_partition
from streams.log import get_log
from streams.lookup import load_stream
from streams.models import EventBatch, Partition, Stream
from streams.services.lifecycle import change_stream, delete_stream
from streams.services.merging import merge_small_batches
from tests.client import ApiClient
from tests.factories import make_group, make_key, make_owner, make_stream
from tests.observability.appending import append
from tests.run.instance import wait_for
from tests.threads import Work

pytestmark = pytest.mark.usefixtures("db_with_commits")


def run(*arguments, stdin=None, monkeypatch=None):
    """Return what a command wrote to standard output."""
    out, binary = io.StringIO(), io.BytesIO()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "stdout", io.TextIOWrapper(binary, write_through=True))
        if stdin is not None:
            patched.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        call_command(*arguments, stdout=out)
        sys.stdout.flush()
        written = binary.getvalue().decode()
    return out.getvalue() + written


def payloads(stream):
    owner = User.objects.get(pk=Stream.objects.get(name=stream).owner_id)
    client = ApiClient(key=make_key(owner))
    return [
        event["payload"] for event in client.get(f"/streams/{stream}/events", last_offset="earliest", limit=1000).json()
    ]


# --- users, keys, streams ---


def test_a_user_a_stream_and_a_key_from_nothing(monkeypatch):
    monkeypatch.setenv("EVENTFLOW_PASSWORD", "correct-horse-battery")
    run("create_user", "Ada@Example.com", "--role", "producer", "--role", "consumer", "--name", "Ada")
    run("create_stream", "orders", "--owner", "ada@example.com", "--partitions", "3", "--max-age", "3600")
    out = run("create_key", "ada@example.com", "--name", "shop", "--scope", "produce", "--stream", "orders")

    user = User.objects.get(email="ada@example.com")
    assert user.check_password("correct-horse-battery")
    assert Stream.objects.get().retention_max_age_seconds == 3600
    secret = out.strip()
    assert "\n" not in secret, "the key stands alone on standard output"
    caller = authenticate_key(secret)
    assert caller.user_id == user.pk
    assert caller.stream_names == {"orders"}


def test_a_stream_in_another_engine(distant, capsys):
    User.objects.filter(pk=make_owner().pk).update(email="ada@example.com")
    distant.weather.is_weak = True
    wanted = ("create_stream", "orders", "--owner", "ada@example.com", "--engine", "distant", "--partitions", "2")
    with pytest.raises(CommandError, match="allow_weak"):
        run(*wanted)
    with pytest.raises(CommandError, match="no engine of that alias"):
        run(*wanted[:-3], "elsewhere")
    run(*wanted, "--allow-weak")
    assert Stream.objects.get().engine == "distant"
    assert "Created orders with 2 partitions in distant" in capsys.readouterr().err


def test_a_weak_password_is_refused_in_words(monkeypatch):
    monkeypatch.setenv("EVENTFLOW_PASSWORD", "short")
    with pytest.raises(CommandError, match="too short"):
        run("create_user", "ada@example.com", "--role", "admin")
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["create_stream", "Bad Name", "--owner", "a@example.com"], "A name matches"),
        (["create_stream", "admin", "--owner", "a@example.com"], "reserved"),
        (["create_stream", "orders", "--owner", "a@example.com", "--partitions", "0"], "--partitions"),
        (["create_stream", "orders", "--owner", "a@example.com", "--max-age", "2592000000000000"], "--max-age"),
        (["create_stream", "orders", "--owner", "nobody@example.com"], "no active user"),
        (["create_stream", "taken", "--owner", "a@example.com"], "exists already"),
        (["create_key", "nobody@example.com", "--name", "x", "--scope", "produce"], "no active user"),
        (["create_key", "a@example.com", "--name", "x", "--scope", "produce", "--expires-in-days", "0"], "--expires"),
        (["create_user", "a@example.com", "--role", "admin", "--no-password"], "already"),
        (["tail", "nothing"], "no stream nothing"),
        (["tail", "taken", "--partition", "7"], "has the partitions"),
        (["export_stream", "nothing"], "no stream nothing"),
        (["append", "taken", "/nonexistent"], "No such file"),
        (["append", "taken", "/dev/null", "--idempotency-key", "k" * 250], "--idempotency-key: at most 240 characters"),
        (["create_stream", "orders", "--owner", "a@example.com", "--max-age", "99999999999"], "--max-age: from 1 to"),
        (["create_stream", "orders", "--owner", "a@example.com", "--max-bytes", str(2**63)], "--max-bytes: from 1"),
        (["create_stream", "orders", "--owner", "a@example.com", "--max-events", "0"], "--max-events: from 1 to"),
        (
            ["create_stream", "orders", "--owner", "a@example.com", "--description", "d" * 1001],
            "--description: at most",
        ),
        (["create_stream", "orders", "--owner", "\udcff"], "not UTF-8"),
        (["create_key", "a@example.com", "--name", "", "--scope", "produce"], "--name: from 1 to 120"),
        (["create_key", "a@example.com", "--name", "n" * 121, "--scope", "produce"], "--name: from 1 to 120"),
        (["create_user", "nobody", "--role", "admin", "--no-password"], "valid email address"),
        (["create_user", "", "--role", "admin", "--no-password"], "cannot be blank"),
        (["create_user", "b@example.com", "--role", "admin", "--no-password", "--name", "n" * 121], "at most 120"),
    ],
)
def test_what_cannot_be_done_is_said_in_words(command, words):
    owner = make_owner()
    User.objects.filter(pk=owner.pk).update(email="a@example.com")
    make_stream("taken", owner=User.objects.get(pk=owner.pk))
    with pytest.raises(CommandError, match=words):
        run(*command)
    assert not ApiKey.objects.exists()
    assert User.objects.count() == Stream.objects.count() == 1


# --- append and tail ---


def test_append_takes_events_as_the_api_does():
    make_stream("orders")
    run("append", "orders", stdin=b'{"payload": {"n": 1.50}, "type": "paid"}\n\n{"stream": "orders", "payload": 2}\n')

    assert payloads("orders") == [{"n": 1.5}, 2]


def test_append_takes_bare_payloads():
    make_stream("orders")
    run("append", "orders", "--payloads", stdin=b'{"n": 1}\n[1, 2]\n"text"\n')

    assert payloads("orders") == [{"n": 1}, [1, 2], "text"]


def test_append_reads_long_files_in_portions(tmp_path):
    make_stream("orders")
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"".join(b'{"payload":%d}\n' % number for number in range(2_500)))

    run("append", "orders", str(file))

    assert Partition.objects.get().head_offset == 2_500


def test_append_with_a_key_goes_on_where_it_stopped():
    make_stream("orders")
    lines = b"".join(b'{"payload":%d}\n' % number for number in range(1_500))
    run("append", "orders", "--idempotency-key", "load-1", stdin=b"".join(lines.splitlines(keepends=True)[:1_000]))
    run("append", "orders", "--idempotency-key", "load-1", stdin=lines)

    assert Partition.objects.get().head_offset == 1_500


def test_append_says_what_an_earlier_run_with_the_same_key_has_stored(capsys):
    make_stream("orders")
    lines = b"".join(b'{"payload":%d}\n' % number for number in range(1_500))

    def said(*lines_given):
        run("append", "orders", "--idempotency-key", "load-1", stdin=b"".join(lines_given))
        return " ".join(capsys.readouterr().err.split())

    assert said(*lines.splitlines(keepends=True)[:1_000]) == "Appended 1000 events to orders."
    again = "more were stored before under this idempotency key, and were not appended again."
    assert said(lines) == f"Appended 500 events to orders. 1000 {again}"
    assert said(lines) == f"Appended 0 events to orders. 1500 {again}"


def test_append_names_the_line_that_it_cannot_take():
    make_stream("orders")
    with pytest.raises(CommandError):
        run("append", "orders", stdin=b'{"payload":1}\n{"payload":\n')
    assert Partition.objects.get().head_offset == 0


def test_tail_shows_the_newest_events():
    stream = make_stream("orders", partitions=2)
    append(stream, *[f"t{number}" for number in range(20)], partition=0)
    append(stream, "other", partition=1)

    shown = [json.loads(line) for line in run("tail", "orders", "-n", "3").splitlines()]

    assert sorted((event["partition"], event["type"]) for event in shown) == [
        (0, "t17"),
        (0, "t18"),
        (0, "t19"),
        (1, "other"),
    ]
    assert [json.loads(line)["type"] for line in run("tail", "orders", "-n", "20", "--type", "t4").splitlines()] == [
        "t4"
    ]


class TailUntil(Tail):
    """`tail`, interrupted as soon as it has shown so many events."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.shown: list[str] = []

    def write_lines(self, lines) -> None:
        self.shown += [json.loads(line)["type"] for line in lines]
        if len(self.shown) >= self.count:
            raise KeyboardInterrupt


def test_tail_follows_partitions_that_are_added():
    stream = make_stream("orders")
    append(stream, "before")
    tail = TailUntil(2)
    work = Work(partial(call_command, tail, "orders", follow=True))
    wait_for("the first event", lambda: tail.shown)
    changes = {"partition_count": 2}
    append(change_stream(stream=stream, changes=changes, now=timezone.now(), confirm="orders"), "after", partition=1)
    work.result(20)
    assert tail.shown == ["before", "after"]


# --- export and import ---


def test_what_is_exported_comes_back_byte_by_byte_with_its_offsets(tmp_path):
    owner = make_owner()
    make_stream("orders", owner=owner, partitions=3)
    shop = ApiClient(key=make_key(owner))
    hostile = b'{"payload":{"a":1e400,"b":1.0,"c":"\\u0000\\ud83d\\ude00","a":12345678901234567890}'
    for number in range(30):
        body = hostile + b',"stream":"orders","key":"k%d","id":"id-%d","headers":{"h":"\xc3\xa4"}}' % (number, number)
        assert shop.post("/events", body).status_code == 202
    assert (
        shop.post(
            "/events", {"stream": "orders", "payload": 1, "occurred_at": "2026-11-22T12:00:00.5+02:00"}
        ).status_code
        == 202
    )
    file = tmp_path / "orders.ndjson.gz"
    run("export_stream", "orders", str(file))
    make_stream("copy", owner=owner, partitions=3)
    run("import_stream", "copy", str(file))

    def events(name):
        return [
            (each.number, offset, event.split(b'"id":', 1)[1])
            for each in load_stream(name).partitions
            for found in [get_log().read(each, after=0, max_events=1000, max_bytes=10**7)]
            for event, offset in zip(found.events, found.offsets, strict=True)
        ]

    assert len(gzip.decompress(file.read_bytes()).splitlines()) == 31
    assert events("copy") == events("orders")
    run("verify_log")


def test_what_was_erased_is_exported_and_imported_as_erased(tmp_path):
    owner = make_owner()
    make_stream("orders", owner=owner)
    make_stream("copy", owner=owner)
    shop = ApiClient(key=make_key(owner))
    for number in (1, 2, 3):
        event = {"stream": "orders", "id": f"id-{number}", "payload": "secret", "headers": {"h": "secret"}}
        assert shop.post("/events", event).status_code == 202
    erased = shop.post("/streams/orders/events/0/2/erase", {"reason": "asked for"}).json()
    assert run("verify_log") == ""

    exported = run("export_stream", "orders")
    run("import_stream", "copy", stdin=exported.encode())

    assert [json.loads(line) for line in exported.splitlines()][1] == erased
    assert exported.count("secret") == 4
    copied = shop.get("/streams/copy/events").json()
    assert [event["payload"] for event in copied] == ["secret", None, "secret"]
    assert copied[1]["erased"] == {"at": erased["erased"]["at"]}
    assert (copied[1]["id"], copied[1]["headers"]) == ("id-2", {})
    assert "erased" not in copied[0]
    # Once more changes nothing, here as there.
    again = shop.post("/streams/copy/events/0/2/erase", {"reason": "asked for"})
    assert again.json() == copied[1]
    assert run("verify_log") == ""


def test_what_is_for_later_or_expires_does_so_after_an_import_when_it_was_to(tmp_path):
    owner = make_owner()
    make_stream("orders", owner=owner)
    make_stream("copy", owner=owner)
    shop = ApiClient(key=make_key(owner))
    time = "2026-11-01T10:00:00Z"
    times = [{"deliver_after": 86_400}, {"deliver_after": time}, {"expires_after": 0.001}, {"expires_after": 3_600}]
    first, *_ = shop.post("/streams/orders/events", [{"payload": 1, **each} for each in times]).json()["events"]

    run("import_stream", "copy", stdin=run("export_stream", "orders").encode())

    late, at_a_time, expired, expiring = shop.get("/streams/copy/events").json()
    due_at = datetime.fromisoformat(first["recorded_at"]) + timedelta(days=1)
    assert datetime.fromisoformat(late["deliver_after"]) == due_at
    assert at_a_time["deliver_after"] == time
    assert expired["expires_after"] == 0.001
    assert 3_500 < expiring["expires_after"] < 3_600
    (ends,) = get_log().bounds(load_stream("copy").partitions).values()
    assert ends.timed_through == 4


def test_an_import_into_another_number_of_partitions_goes_by_key(tmp_path):
    owner = make_owner()
    make_stream("orders", owner=owner, partitions=4)
    shop = ApiClient(key=make_key(owner))
    for number in range(40):
        shop.post("/events", {"stream": "orders", "payload": number, "key": f"k{number % 7}"})
    exported = run("export_stream", "orders").encode()
    make_stream("copy", owner=owner, partitions=2)
    run("import_stream", "copy", "--partitions", "4", stdin=exported)

    ApiClient(key=make_key(owner)).post("/events", {"stream": "copy", "payload": "new", "key": "k3"})
    by_key = {}
    for line in run("export_stream", "copy").splitlines():
        event = json.loads(line)
        by_key.setdefault(event["key"], set()).add(event["partition"])
    assert len(by_key) == 7
    assert all(len(partitions) == 1 for partitions in by_key.values())


def test_an_import_into_a_filled_stream_is_refused():
    stream = make_stream("orders")
    append(stream, "a")
    with pytest.raises(CommandError, match="has events already"):
        run("import_stream", "orders", stdin=b"")


def test_an_import_that_was_broken_off_can_be_repeated_where_ids_are_stored_once(capsys):
    append(make_stream("orders"), "a", "b", "c")
    exported = run("export_stream", "orders").encode()
    make_stream("copy", deduplicate_ids_seconds=3600)
    run("import_stream", "copy", stdin=exported.split(b"\n")[0] + b"\n")
    run("import_stream", "copy", "--into-filled", stdin=exported)
    assert "Imported 2 events into copy. 1 were there already" in capsys.readouterr().err
    copied = [json.loads(line) for line in run("export_stream", "copy").splitlines()]
    assert [event["offset"] for event in copied] == [1, 2, 3]
    assert run("verify_log") == ""


@pytest.mark.parametrize(
    "line", [b"{}", b"nonsense", b'{"partition":0,"id":"x","type":"t","payload":"\\ud800"}', b"[]"]
)
def test_an_import_names_the_line_that_is_none(line):
    make_stream("orders")
    good = b'{"partition":0,"id":"x","type":"t","payload":1}\n'
    with pytest.raises(CommandError):
        run("import_stream", "orders", stdin=good + line + b"\n")
    assert Partition.objects.get().head_offset == 0


def test_an_import_counts_lines_as_an_editor_does():
    make_stream("orders")
    good = b'{"partition":0,"id":"x","type":"t","payload":1}\n'
    with pytest.raises(CommandError, match=r"^Line 4 is not"):
        run("import_stream", "orders", stdin=good + b"\n\n" + b"nonsense\n")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda packed: packed[: len(packed) // 2], "ended before"),
        (lambda packed: b"not compressed at all", "Not a gzipped file"),
        (lambda packed: packed[:-8] + bytes(8), "CRC check failed"),
        (lambda packed: packed[:40] + b"garbage!" + packed[48:], "Error -3"),
    ],
)
def test_a_file_that_is_damaged_is_said_in_words_and_how_far_it_went(tmp_path, damage, words):
    make_stream("orders")
    line = b'{"partition":0,"id":"x","type":"t","payload":1}\n'
    (tmp_path / "orders.ndjson.gz").write_bytes(damage(gzip.compress(line * 100)))
    with pytest.raises(CommandError, match=rf"{words}.* 0 events were imported\.$"):
        run("import_stream", "orders", str(tmp_path / "orders.ndjson.gz"))
    assert Partition.objects.get().head_offset == 0


@pytest.mark.parametrize(
    ("error", "words", "code"),
    [
        (OperationalError("connection failed: refused\n\tIs the server running?"), "cannot be reached.*refused$", 1),
        (PoolTimeout("none free"), "cannot be reached, or is too busy: none free", 1),
        (KeyboardInterrupt(), "Interrupted", 130),
        (OSError(28, "No space left on device"), "No space left", 1),
    ],
)
def test_what_comes_in_between_is_said_in_words(error, words, code):
    class Odd(OperatorCommand):
        def run_for(self, options):
            raise error

    with pytest.raises(CommandError, match=words) as refused:
        Odd().handle()
    assert refused.value.returncode == code


def test_an_export_does_not_write_over_a_file(tmp_path):
    make_stream("orders")
    file = tmp_path / "there"
    file.write_text("precious")
    with pytest.raises(CommandError, match="exists"):
        run("export_stream", "orders", str(file))
    assert file.read_text() == "precious"


# --- lag and verify ---


def test_lag_is_shown_as_a_table():
    stream = make_stream("orders")
    group = make_group(stream, "billing")
    append(stream, *["a"] * 1_234)
    GroupOffset.objects.filter(group=group).update(committed_offset=1_000)

    shown = run("lag", "orders")

    assert "billing" in shown
    assert "234" in shown


def test_a_sound_log_verifies():
    stream = make_stream("orders", partitions=2)
    for number in range(5):
        append(stream, "a", "b", partition=number % 2)
    get_log().trim(load_stream("orders").partitions[0], keep_events=2)

    assert run("verify_log") == ""


@pytest.mark.parametrize("kept", [0, 1, 250, 750])
def test_what_retention_takes_while_it_is_verified_is_no_finding(kept):
    stream = make_stream("orders")
    for _ in range(6):
        append(stream, *["a"] * 250)
    partition = load_stream("orders").partitions[0]
    told = []

    def come_by(offsets):
        # After the first thousand were read.
        if not told:
            get_log().trim(partition, keep_events=kept)
        told.append(offsets)

    assert list(verify_partition(partition, advance=come_by)) == []
    assert told[0] == 1_000


def test_a_stream_that_is_deleted_while_it_is_verified_or_before_its_turn_is_no_finding():
    stream = make_stream("orders")
    append(stream, *["a"] * 750)
    append(stream, *["a"] * 750)
    info = load_stream("orders")

    found = verify_partition(info.partitions[0], advance=lambda _: delete_stream(stream=stream, confirm="orders"))
    assert list(found) == []
    assert count_events(info) == 0
    assert list(verify_partition(info.partitions[0], advance=lambda _: None)) == []


def append_and_merge(stream):
    for _ in range(70):
        append(stream, "a", "b")
    merge_small_batches(now=timezone.now() + timedelta(minutes=1), seconds=60)
    assert EventBatch.objects.count() == 1


def test_merged_batches_verify():
    append_and_merge(make_stream("orders"))
    assert run("verify_log") == ""


@pytest.mark.parametrize("damage", ["recorded_at = recorded_at + interval '1 s'", "codec = 1", "event_count = 139"])
def test_merged_batches_whose_times_are_not_those_of_their_row_do_not_verify(damage):
    append_and_merge(make_stream("orders"))
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE streams_eventbatch SET {damage}")
    from streams.log import close_log

    close_log()
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("verify_log", stdout=out)
    assert out.getvalue().startswith("orders/0 offset 1: unreadable: ")


def test_a_group_that_would_never_read_a_partition_does_not_verify(capsys):
    stream = make_stream("orders", partitions=3)
    groups = [make_group(stream, name) for name in ("billing", "mail")]
    GroupOffset.objects.filter(group=groups[0], partition__number=2).delete()
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("verify_log", stdout=out)
    assert out.getvalue() == "orders/2: billing has no offset in it\n"


def damage_bytes(stream):
    EventBatch.objects.filter(partition__stream=stream, last_offset=4).update(records=b"\x28\xb5\x2f\xfdgarbage")


def damage_by_deleting(stream):
    EventBatch.objects.filter(partition__stream=stream, last_offset=4).delete()


def damage_counter(stream):
    Partition.objects.filter(stream=stream).update(appended_bytes=1)


def damage_head(stream):
    Partition.objects.filter(stream=stream).update(head_offset=9)


def damage_text(stream):
    EventBatch.objects.filter(partition__stream=stream, last_offset=4).update(records=b'{"id":1}\n{"id":2}', codec=0)


@pytest.mark.parametrize("damage", [damage_bytes, damage_by_deleting, damage_counter, damage_head, damage_text])
def test_a_damaged_log_does_not_verify(damage, capsys):
    stream = make_stream("orders")
    for _ in range(3):
        append(stream, "a", "b")
    from streams.log import close_log

    damage(stream)
    close_log()
    out = io.StringIO()

    with pytest.raises(SystemExit) as ended:
        call_command("verify_log", stdout=out)

    assert ended.value.code == 1
    assert out.getvalue().startswith("orders/0 offset ")
