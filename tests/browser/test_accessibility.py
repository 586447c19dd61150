"""What the other tests rely upon: a page with faults is told of them."""

import pytest

from tests.browser.accessibility import assert_accessible, assert_legible

PAGE = '<html lang="en"><title>A page</title><main><h1>A page</h1>{}</main>'


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ('<img src="data:,">', "image-alt (critical)"),
        ("<button></button>", "button-name (critical)"),
        ('<p style="color: #999; background: #aaa">Faint</p>', "color-contrast (serious)"),
        ('<p tabindex="3">In front of all</p>', "tabindex (serious)"),
        ('<button style="width: 9px; height: 9px; padding: 0">a</button>' * 2, "target-size (serious)"),
    ],
)
def test_a_grave_fault_is_found(page, fault, rule):
    page.set_content(PAGE.format(fault))
    with pytest.raises(AssertionError) as found:
        assert_accessible(page)
    assert rule in str(found.value)


def test_a_page_without_fault_is_accessible_and_legible(page):
    # A heading that is left out is a moderate fault.
    page.set_content(PAGE.format("<h3>A part</h3>"))
    assert_accessible(page)
    assert_legible(page)
