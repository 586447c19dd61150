"""`eventflow` has subcommands of its own, and finds those that other packages bring."""

from collections.abc import Callable
from pathlib import Path

import pytest

from eventflow_site.command_line.entry import main
from tests.packaging.building import VERSION

# Installs a package, as pip leaves it behind: code, and a directory that tells of it.
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    def install_package(name: str, *, code: str = "", commands: str = "") -> None:
        place = tmp_path / name
        module = name.replace("-", "_")
        information = place / f"{module}-2.3.dist-info"
        information.mkdir(parents=True)
        (place / f"{module}.py").write_text(code)
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.3\n")
        (information / "entry_points.txt").write_text(f"[eventflow.commands]\n{commands}\n")
        monkeypatch.syspath_prepend(str(place))

    return install_package


TAIL = '''
def run(words):
    """Follow a stream."""
    print("tail was given", *words)
    return 3
'''


def test_it_says_its_version_and_that_of_the_client_if_it_is_there(install, capsys):
    assert main(["--version"]) == 0
    alone = capsys.readouterr().out
    assert alone == f"eventflow {VERSION}\n"

    install("eventflow-client")

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"{alone}eventflow-client 2.3\n"


def test_alone_it_lists_what_there_is(install, capsys):
    install("other-client", code=TAIL, commands="tail = other_client:run")

    assert main([]) == 0

    listed = capsys.readouterr().out
    assert "  up      Start everything" in listed
    assert "  manage  Run a command for operators" in listed
    assert "  tail    Follow a stream." in listed


def test_a_subcommand_of_another_package_gets_the_words_after_its_name(install, capsys):
    install("other-client", code=TAIL, commands="tail = other_client:run")

    assert main(["tail", "orders", "--help"]) == 3

    assert capsys.readouterr().out == "tail was given orders --help\n"


def test_no_other_package_takes_the_servers_own_subcommands(install, capsys):
    install("greedy", code=TAIL, commands="up = greedy:run")

    with pytest.raises(SystemExit, match="0"):
        main(["up", "--help"])

    assert capsys.readouterr().out.startswith("usage: eventflow up")
    assert main([]) == 0
    assert "Follow a stream" not in capsys.readouterr().out


def test_a_subcommand_of_a_package_that_is_missing_names_the_package(capsys):
    assert main(["tail"]) == 2
    assert "comes with eventflow-client, which is not installed here: pip install eventflow-client" in said(capsys)


def test_a_package_that_is_too_old_for_its_subcommand_is_named_too(install, capsys):
    install("eventflow-client")

    assert main(["tail"]) == 2
    assert "eventflow-client 2.3 does not bring `eventflow tail`: pip install --upgrade" in said(capsys)


def test_a_package_that_is_broken_is_named_and_hides_nothing_else(install, capsys):
    install("broken", code="import nothing_of_that_name", commands="tail = broken:run\nlogin = broken:other")

    assert main(["tail"]) == 2
    assert "No module named 'nothing_of_that_name'. Install broken anew." in said(capsys)
    assert main([]) == 0
    assert "  up      Start everything" in capsys.readouterr().out


def test_two_packages_with_one_subcommand_are_told_apart_by_nobody(install, capsys):
    install("one-client", code=TAIL, commands="tail = one_client:run")
    install("two-client", code=TAIL, commands="tail = two_client:run")

    assert main(["tail"]) == 2
    assert "one-client and two-client both bring `eventflow tail`" in said(capsys)


def test_a_word_that_nobody_knows_is_answered_with_where_to_look(capsys):
    assert main(["dance"]) == 2
    assert said(capsys) == "There is no `eventflow dance`. `eventflow` alone says what there is.\n"


def said(capsys: pytest.CaptureFixture[str]) -> str:
    output = capsys.readouterr()
    assert output.out == ""
    return output.err
