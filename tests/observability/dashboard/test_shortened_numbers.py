"""Numbers that pages shorten."""

from observability.dashboard.templatetags.eventflow import shortened


def test_a_number_that_is_shortened_has_the_exact_one_on_hover():
    assert shortened(10_564) == '<span title="10,564">10.6k</span>'
    assert shortened(9_999) == "9,999"
    assert shortened(None) == "–"
