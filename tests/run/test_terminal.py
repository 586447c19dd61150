"""What is said at the terminal, whatever terminal that is."""

import io
import sys

import pytest

from eventflow_site.supervisor.terminal import say


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_letter_that_the_terminal_cannot_show_keeps_nothing_from_running(
    monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    screen = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(screen, encoding=encoding))

    say("web: 3 € owed \ufffd …")

    assert screen.getvalue().startswith(b"web: 3 ")
    assert screen.getvalue().endswith(b"\n")
