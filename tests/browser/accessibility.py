"""axe-core, run inside the page as the browser shows it."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = (Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js").read_text()
EVERYTHING = {
    "type": "tag",
    "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}
# The rules whose verdict hangs on the theme: all others only look at what stands where.
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
# However short, transitions take frames, and each may set off those of what inherits from it.
SETTLE = """async () => {
    do await new Promise(requestAnimationFrame);
    while (document.getAnimations().some((each) => each instanceof CSSTransition));
}"""
WIDTH = "document.documentElement.scrollWidth"
FITS = f"{WIDTH} <= document.documentElement.clientWidth"
FIT_TRIES = 50
# Rules that find what is minor or moderate are not run: each says of itself how grave it is. Nor are those that axe
# itself leaves out of a tag.
RUN = """async ({type, values}) => {
    const isAsked = ({ruleId, tags}) => {
        const {impact} = axe._audit.rules.find(({id}) => id === ruleId);
        const isGrave = !impact || ["serious", "critical"].includes(impact);
        return isGrave && !tags.includes("experimental") && !tags.includes("deprecated");
    };
    const chosen = type === "tag" ? axe.getRules(values).filter(isAsked).map(({ruleId}) => ruleId) : values;
    const rules = {runOnly: {type: "rule", values: chosen}, resultTypes: ["violations"]};
    const result = await axe.run(document, rules);
    const told = (nodes) => nodes.slice(0, 5).map((node) => `${node.html} — ${node.failureSummary}`);
    return result.violations.map(({id, impact, help, nodes}) => ({id, impact, help, nodes: told(nodes)}));
}"""


def assert_accessible(page: Page) -> None:
    """Assert that axe finds nothing serious or critical."""
    page.evaluate(AXE)
    _assert_faultless(page, EVERYTHING)


def assert_legible(page: Page) -> None:
    """The same for colours alone: for a page that was accessible in the theme before."""
    page.evaluate(SETTLE)
    _assert_faultless(page, COLOURS)


def assert_fits(page: Page) -> None:
    """Assert that nothing is beyond the right edge; what follows the window, as a chart does, has some frames for it."""
    # Not by wait_for_function: that evaluates text, which the pages allow nobody.
    for _ in range(FIT_TRIES):
        if page.evaluate(FITS):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"{page.url} is {page.evaluate(WIDTH)} pixels wide in {page.viewport_size}")


def _assert_faultless(page: Page, rules: dict[str, Any]) -> None:
    faults = [fault for fault in page.evaluate(RUN, rules) if fault["impact"] in ("serious", "critical")]
    lines = [
        f"{fault['id']} ({fault['impact']}): {fault['help']}\n    " + "\n    ".join(fault["nodes"]) for fault in faults
    ]
    assert not faults, f"{page.url}\n" + "\n".join(lines)
