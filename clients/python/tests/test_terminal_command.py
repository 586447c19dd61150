"""The command `eventflow` of this package: it has its own subcommands, and finds those that other packages bring."""

import tomllib
from pathlib import Path

import pytest
from eventflow_client.terminal import subcommands
from eventflow_client.terminal.entry import main

from eventflow_site.command_line.entry import main as main_of_the_server
from eventflow_site.command_line.subcommands import BROUGHT_BY, GROUP, OWN

PYPROJECT = tomllib.loads((Path(__file__).resolve().parents[1] / "pyproject.toml").read_text())
OTHER = '''
def run(words):
    """Do something else."""
    print("was given", *words)
    return 3
'''


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a package, as pip leaves it behind: code, and a directory that tells of it."""

    def install_package(name: str, *, code: str = "", commands: str = "") -> None:
        place = tmp_path / name
        module = name.replace("-", "_") + "_installed"
        information = place / f"{module}-2.3.dist-info"
        information.mkdir(parents=True)
        if code:
            (place / f"{module}.py").write_text(code)
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.3\n")
        (information / "entry_points.txt").write_text(f"[{GROUP}]\n{commands}\n")
        monkeypatch.syspath_prepend(str(place))

    return install_package


def entry_points_of(project: dict) -> str:
    return "\n".join(f"{name} = {value}" for name, value in project["project"]["entry-points"][GROUP].items())


def test_every_subcommand_is_declared_and_the_server_knows_who_brings_it():
    assert PYPROJECT["project"]["entry-points"][GROUP] == subcommands.OWN
    assert set(BROUGHT_BY["eventflow-client"]) == set(subcommands.OWN)
    assert PYPROJECT["project"]["scripts"] == {"eventflow": "eventflow_client.terminal.entry:main"}
    assert set(subcommands.OF_THE_SERVER) == set(OWN)
    assert subcommands.GROUP == GROUP


def test_every_subcommand_says_what_it_does_and_takes_help(capsys):
    for name in subcommands.OWN:
        with pytest.raises(SystemExit, match="0"):
            main([name, "--help"])
        assert capsys.readouterr().out.startswith(f"usage: eventflow {name}")
    assert main([]) == 0
    overview = capsys.readouterr().out
    assert [line.split()[0] for line in overview.splitlines() if line.startswith("  ")] == list(subcommands.OWN)
    assert "  tail " in overview and "See a stream's events" in overview


def test_it_does_not_matter_whose_script_was_installed_last(install, capsys):
    server = tomllib.loads((Path(__file__).resolve().parents[3] / "pyproject.toml").read_text())
    install("eventflow-client", commands=entry_points_of(PYPROJECT))
    install("eventflow", commands=entry_points_of(server))

    for begin in (main, main_of_the_server):
        for words in (["tail", "--help"], ["up", "--help"]):
            with pytest.raises(SystemExit, match="0"):
                begin(words)
            assert capsys.readouterr().out.startswith(f"usage: eventflow {words[0]}")
        assert begin([]) == 0
        listed = capsys.readouterr().out
        assert all(f"\n  {name} " in listed for name in (*OWN, *subcommands.OWN))


def test_another_package_brings_a_subcommand_of_its_own(install, capsys):
    install("other", code=OTHER, commands="dance = other_installed:run")

    assert main(["dance", "a", "--b"]) == 3
    assert capsys.readouterr().out == "was given a --b\n"


def test_no_other_package_takes_the_servers_names_nor_ours(install, capsys):
    install("greedy", code=OTHER, commands="up = greedy_installed:run\ntail = greedy_installed:run")

    assert main(["up"]) == 2
    assert "comes with eventflow, which is not installed here: pip install eventflow" in capsys.readouterr().err
    assert main(["tail"]) == 2
    assert "eventflow-client and greedy both bring `eventflow tail`" in capsys.readouterr().err


def test_a_word_that_nobody_knows_is_answered_with_where_to_look(capsys):
    assert main(["fly"]) == 2
    assert capsys.readouterr().err == "There is no `eventflow fly`. `eventflow` alone says what there is.\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["seek", "orders", "readers", "999999999d"], "before all time"),
        (["keys", "create", "k", "--scope", "produce", "--save", "p", "--days", "99999999"], "beyond all time"),
    ],
)
def test_spans_beyond_all_time_were_typed_wrongly(bare, words, told):
    said = bare.run(*words)
    assert said.code == 2
    assert told in said.err


def test_bytes_that_are_no_text_were_typed_wrongly(bare):
    said = bare.run("streams", "show", "\udcff", EVENTFLOW_KEY="evf_live_0123456789")
    assert (said.code, said.out) == (2, "")
    assert "UTF-8" in said.err
