"""Children's logs: all of it in files, what is worth a look on the terminal."""

from pathlib import Path

import pytest

from eventflow_site.supervisor import logs
from eventflow_site.supervisor.logs import LogWatch, reason_among, said_since


def test_warnings_are_shown_and_the_rest_is_not(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    watch = LogWatch("web", log)

    log.write_text(
        '{"level":"info","event":"request"}\n{"level":"warning","event":"slow"}\n[ERROR] broken\nall is well\n'
    )

    assert watch.new_warnings() == ['web: {"level":"warning","event":"slow"}', "web: [ERROR] broken"]
    assert watch.new_warnings() == []


def test_what_an_earlier_run_said_is_not_shown_again(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    log.write_text("[ERROR] of yesterday\n")

    assert LogWatch("web", log).new_warnings() == []


def test_a_line_is_shown_when_it_is_whole(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    log.write_text("")
    watch = LogWatch("web", log)

    log.write_text("[ERROR] bro")
    assert watch.new_warnings() == []
    log.write_text("[ERROR] broken\n")
    assert watch.new_warnings() == ["web: [ERROR] broken"]


def test_a_log_line_cannot_command_the_terminal(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    watch = LogWatch("web", log)

    log.write_bytes(b"[ERROR] \x1b[2J\x07\xc2\x9b gone\n")

    assert watch.new_warnings() == ["web: [ERROR]  [2J   gone"]


def test_a_flood_is_cut_short(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    watch = LogWatch("web", log)

    log.write_text("[ERROR] again\n" * 1000)

    assert watch.new_warnings()[-1] == f"web: 995 more in {log}"


def test_a_log_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_LOG_BYTES", 100)
    log = tmp_path / "web.log"
    watch = LogWatch("web", log)

    with log.open("a") as writer:
        writer.write("x" * 100 + "\n")
        writer.flush()
        watch.new_warnings()
        writer.write("[ERROR] after\n")
        writer.flush()

    assert log.read_text() == "[ERROR] after\n"
    assert (tmp_path / "web.log.1").read_text() == "x" * 100 + "\n"
    assert watch.new_warnings() == ["web: [ERROR] after"]


def test_a_line_that_is_longer_than_what_is_read_at_once_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_READ_AT_ONCE_BYTES", 1_000)
    monkeypatch.setattr(logs, "MAX_LOG_BYTES", 5_000)
    log = tmp_path / "postgres.log"
    log.write_text("")
    watch = LogWatch("web", log)

    with log.open("a") as writer:
        writer.write("[ERROR] long " + "x" * 4_000)
        writer.flush()
        shown = watch.new_warnings()
        writer.write("\n[ERROR] after\n" + "y" * 1_000 + "\n")
        writer.flush()
        shown += watch.new_warnings()

    assert [line.rstrip("x") for line in shown] == ["web: [ERROR] long ", "web: [ERROR] after"]
    # It is turned over as any other.
    assert log.stat().st_size == 0


def test_a_failed_start_is_explained_by_the_end_of_its_last_traceback(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    log.write_text("ValueError: of yesterday\n")
    yesterday = log.stat().st_size
    with log.open("a") as more:
        more.write(
            "Traceback (most recent call last):\n  File ...\n"
            "django.core.exceptions.ImproperlyConfigured: PORT is 'x'.\n[INFO] Stopped worker-1\n"
        )

    assert reason_among(said_since(log, yesterday)) == "PORT is 'x'."
    assert reason_among(["starting", "[INFO] no traceback"]) == "[INFO] no traceback"
    assert reason_among([]) == "it gave no reason"
