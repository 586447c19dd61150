"""Characters that nobody sees are marked on pages, and stay in the text."""

import html
import re

import pytest

from observability.dashboard.unseen import mark_unseen

TAG = re.compile(r"<[^>]+>")


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("plain \t\n text, é, 漢字, \u0627\u0644", []),
        ("in\u202evoice", ["U+202E"]),
        ("a\u200bb\u2060c\ufeff", ["U+200B", "U+2060", "U+FEFF"]),
        ("\u2066isolated\u2069", ["U+2066", "U+2069"]),
        ("\x00\x1b[31m\x85", ["U+0000", "U+001B", "U+0085"]),
        ("soft\xadhyphen \u3164", ["U+00AD", "U+3164"]),
        ("tags \U000e0041", ["U+E0041"]),
        ("a\u200db", ["U+200D"]),
        # A family is one picture.
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467", []),
        ("<b>\u202e</b>&", ["U+202E"]),
    ],
)
def test_every_unseen_character_is_marked_and_stays(text, codes):
    marked = mark_unseen(text)
    assert re.findall(r'data-code="([^"]+)"', marked) == codes
    assert html.unescape(TAG.sub("", marked).replace("\x00", "\ufffe")).replace("\ufffe", "\x00") == text


def test_a_mark_says_which_character_it_is():
    assert 'title="right-to-left override"' in mark_unseen("\u202e")


def test_what_is_marked_is_no_markup():
    assert "<script" not in mark_unseen("<script>\u200b")
