"""What cannot start says why in one line, and what to do in another; never a traceback."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from eventflow_site.embedded.errors import CannotStart
from eventflow_site.environment import one_of, seconds, sender, whole_number, yes_or_no
from eventflow_site.supervisor.configuration import check_address, read_configuration
from tests.run.conftest import home_of_an_earlier_start, prepared_home
from tests.run.instance import Instance

KEYS = {"SECRET_KEY": "s" * 60, "JWT_SIGNING_KEY": "j" * 60, "ALLOWED_HOSTS": "127.0.0.1"}


def refusal(home: Path, expected_lines: int = 2, /, **variables: str) -> str:
    instance = Instance(home, **variables)
    try:
        assert instance.process.wait(60) == 1
    finally:
        instance.process.kill()
    assert "Traceback" not in instance.terminal
    said = [line for line in instance.terminal.splitlines() if line.strip()]
    assert len(said) == expected_lines, instance.terminal
    return instance.terminal


@pytest.fixture
def old_postgres() -> Iterator[str]:
    """Speaks just enough of the protocol to say that it is PostgreSQL 13."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            # It hangs up on us once it knows enough.
            with client, suppress(ConnectionError):
                # 80877103 and 80877104: may it be encrypted? No.
                while int.from_bytes(client.recv(1024)[4:8]) in (80877103, 80877104):
                    client.sendall(b"N")
                version = b"server_version\x0013.14\x00"
                client.sendall(
                    b"R\x00\x00\x00\x08\x00\x00\x00\x00S"
                    + (len(version) + 4).to_bytes(4)
                    + version
                    + b"Z\x00\x00\x00\x05I"
                )
                while client.recv(1024):
                    client.sendall(b"C\x00\x00\x00\x0aBEGIN\x00Z\x00\x00\x00\x05T")

    threading.Thread(target=serve, daemon=True).start()
    yield f"postgresql://me@127.0.0.1:{listener.getsockname()[1]}/mine"
    listener.close()


@pytest.fixture(scope="module", name="prepared_home")
def prepared_home_for_all() -> Path:
    """It stays one: whoever is refused puts nothing into its database."""
    return prepared_home()


@pytest.mark.processes
def test_a_port_in_use(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        said = refusal(home, PORT=str(port))

    assert f"Port {port} on 127.0.0.1 is in use" in said
    assert f"PORT={port + 1}" in said


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "8000 ", "٨"])
def test_a_port_that_is_none(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("PORT", port)

    with pytest.raises(CannotStart, match="PORT=8000"):
        read_configuration()


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host", "a" * 300])
def test_a_host_that_is_not_here(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("HOST", host)

    with pytest.raises(CannotStart, match="is no address of this machine"):
        check_address(read_configuration())


@pytest.mark.processes
def test_a_database_that_cannot_be_reached(home: Path) -> None:
    said = refusal(home, **KEYS, DATABASE_URL="postgresql://me:secret@127.0.0.1:9/mine")

    assert "DATABASE_URL cannot be reached" in said
    assert "secret@" not in said


@pytest.mark.processes
def test_a_database_address_that_is_none(home: Path) -> None:
    assert "DATABASE_URL is no PostgreSQL address" in refusal(home, **KEYS, DATABASE_URL="mysql://me@127.0.0.1/mine")


@pytest.mark.processes
def test_a_database_that_is_too_old(home: Path, old_postgres: str) -> None:
    said = refusal(home, **KEYS, DATABASE_URL=old_postgres)

    assert "DATABASE_URL leads to PostgreSQL 13; EventFlow needs 14 or newer" in said


@pytest.mark.processes
def test_a_redis_that_cannot_be_reached(prepared_home: Path) -> None:
    assert "REDIS_URL cannot be reached" in refusal(prepared_home, REDIS_URL="redis://127.0.0.1:9/0")


@pytest.mark.processes
def test_a_redis_address_that_is_none(prepared_home: Path) -> None:
    assert "REDIS_URL is no Redis address" in refusal(prepared_home, REDIS_URL="http://127.0.0.1")


@pytest.mark.processes
def test_secrets_that_are_missing_beside_a_database_of_ones_own(home: Path) -> None:
    said = refusal(home, DATABASE_URL="postgresql://me@127.0.0.1:9/mine", SECRET_KEY="s" * 60)

    assert "JWT_SIGNING_KEY, ALLOWED_HOSTS must be set" in said
    assert "SECRET_KEY," not in said


@pytest.mark.processes
def test_a_home_that_cannot_be_written(home: Path) -> None:
    home.write_text("a file")

    assert f"EVENTFLOW_HOME {home} cannot be written" in refusal(home)


@pytest.mark.processes
def test_a_setting_that_is_of_no_use_on_a_first_start(prepared_home: Path) -> None:
    said = refusal(prepared_home, 3, EVENTFLOW_ADMIN_EMAIL="nobody")

    assert "EVENTFLOW_ADMIN_EMAIL is 'nobody', which is no e-mail address" in said


@pytest.mark.processes
def test_a_setting_that_is_of_no_use_on_a_later_start() -> None:
    home = home_of_an_earlier_start()

    assert "DATABASE_POOL_SIZE is 'many'. It takes a whole number" in refusal(home, DATABASE_POOL_SIZE="many")
    assert "ALLOWED_HOSTS is '*'" in refusal(home, ALLOWED_HOSTS="*")


@pytest.mark.parametrize("text", ["-1", "1.5", "1e3", "ten", " 5", "٣", "9" * 5000])
def test_a_whole_number_that_is_none(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("DATABASE_POOL_SIZE", text)

    with pytest.raises(ImproperlyConfigured, match=r"^DATABASE_POOL_SIZE is .* whole number, 0 or more; .* it is 10.$"):
        whole_number("DATABASE_POOL_SIZE", default=10)


def test_a_whole_number_that_is_more_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENTFLOW_DEFAULT_RETENTION_DAYS", "36600")
    assert whole_number("EVENTFLOW_DEFAULT_RETENTION_DAYS", default=0, highest=36_600) == 36_600
    monkeypatch.setenv("EVENTFLOW_DEFAULT_RETENTION_DAYS", "36601")

    with pytest.raises(ImproperlyConfigured, match=r"is '36601'. It takes a whole number from 0 to 36600; without it"):
        whole_number("EVENTFLOW_DEFAULT_RETENTION_DAYS", default=0, highest=36_600)


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "1e3", "soon", "."])
def test_seconds_that_are_none(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("EVENTFLOW_SLOW_SQL_SECONDS", text)

    with pytest.raises(ImproperlyConfigured, match=r"^EVENTFLOW_SLOW_SQL_SECONDS is .* number of seconds"):
        seconds("EVENTFLOW_SLOW_SQL_SECONDS", default=0.5)


def test_a_slip_of_the_pen_does_not_make_cookies_insecure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENTFLOW_SECURE_COOKIES", "ture")

    with pytest.raises(ImproperlyConfigured, match=r"^EVENTFLOW_SECURE_COOKIES is 'ture'. It takes true or false"):
        yes_or_no("EVENTFLOW_SECURE_COOKIES", default=True)


def test_a_word_that_is_none_of_those_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_FORMAT", "xml")

    with pytest.raises(ImproperlyConfigured, match=r"^LOG_FORMAT is 'xml'. It takes json or pretty"):
        one_of("LOG_FORMAT", ("json", "pretty"), default="json")


@pytest.mark.parametrize(
    "text",
    [
        "Ops Team",
        "a@b.example, c@d.example",
        "@",
        "<>",
        "ops@",
        "ops@a..b",
        "ops@" + "l" * 64 + ".example",
        "a@b\nBcc: c@d",
    ],
)
def test_a_sender_from_whom_no_mail_can_be(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("EMAIL_FROM", text)

    with pytest.raises(
        ImproperlyConfigured, match=r"^EMAIL_FROM is .* one e-mail address, as .*eventflow@localhost\.$"
    ):
        sender("EMAIL_FROM", default="eventflow@localhost")


@pytest.mark.parametrize(
    "text", ["ops@example.com", "EventFlow <ops@example.com>", '"Ops, us" <ops@localhost>', "o@exämple.com"]
)
def test_a_sender_with_or_without_a_name(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("EMAIL_FROM", text)
    assert sender("EMAIL_FROM", default="eventflow@localhost") == text
    monkeypatch.setenv("EMAIL_FROM", "")
    assert sender("EMAIL_FROM", default="eventflow@localhost") == "eventflow@localhost"


def test_settings_are_read_as_they_are_meant_and_empty_ones_count_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIVEN", "0")
    assert (whole_number("GIVEN", default=1), seconds("GIVEN", default=1.0)) == (0, 0.0)
    assert yes_or_no("GIVEN", default=True) is False
    monkeypatch.setenv("GIVEN", "debug")
    assert one_of("GIVEN", ("DEBUG", "INFO"), default="INFO") == "DEBUG"
    monkeypatch.setenv("GIVEN", "")
    assert (whole_number("GIVEN", default=1), seconds("GIVEN", default=1.5)) == (1, 1.5)
    assert yes_or_no("GIVEN", default=True) is True
    assert one_of("GIVEN", ("DEBUG", "INFO"), default="INFO") == "INFO"
