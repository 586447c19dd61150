"""`eventflow completion`: bash completes what is typed by it."""

import subprocess

import pytest
from eventflow_client.terminal.entry import main
from eventflow_client.terminal.subcommands import OWN

pytestmark = pytest.mark.processes
_ASK = """
COMP_WORDS=(eventflow "$@")
COMP_CWORD=$#
_eventflow
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def complete(capsys):
    """What bash offers for the last of some words."""
    assert main(["completion"]) == 0
    script = capsys.readouterr().out

    def offered(*words: str) -> list[str]:
        done = subprocess.run(
            ["bash", "--norc", "-c", script + _ASK, "bash", *words], capture_output=True, text=True, check=True
        )
        assert done.stderr == ""
        return done.stdout.split()

    return offered


def test_subcommands_come_first(complete):
    assert set(complete("")) == set(OWN)
    assert complete("ta") == ["tail"]
    assert complete("dead") == ["dead-letters"]


def test_then_verbs_where_there_are_some(complete):
    assert complete("dead-letters", "") == ["list", "show", "redrive", "discard"]
    assert complete("groups", "p") == ["pause"]


def test_then_options(complete):
    assert complete("tail", "orders", "--no") == ["--no-follow"]
    assert complete("dead-letters", "redrive", "--per") == ["--per-second"]
    assert complete("lag", "--js") == ["--json"]


def test_and_the_words_of_an_option_that_has_some(complete):
    assert complete("groups", "create", "orders", "workers", "--mode", "") == ["offset", "lease"]
    assert complete("groups", "create", "orders", "--mode", "l") == ["lease"]


def test_where_it_knows_nothing_it_offers_nothing(complete):
    assert complete("dance", "") == []
    assert complete("tail", "ord") == []
