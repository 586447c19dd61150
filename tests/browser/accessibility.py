"""axe-core, run inside the page as the browser shows it."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = (Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js").read_text()
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = """async (tags) => {
    const result = await axe.run(document, {runOnly: {type: "tag", values: tags}, resultTypes: ["violations"]});
    const told = (nodes) => nodes.slice(0, 5).map((node) => `${node.html} — ${node.failureSummary}`);
    return result.violations.map(({id, impact, help, nodes}) => ({id, impact, help, nodes: told(nodes)}));
}"""


def find_faults(page: Page) -> list[dict[str, Any]]:
    """Return what axe finds serious or critical."""
    page.evaluate(AXE)
    return [fault for fault in page.evaluate(RUN, TAGS) if fault["impact"] in ("serious", "critical")]


def assert_accessible(page: Page) -> None:
    faults = find_faults(page)
    lines = [
        f"{fault['id']} ({fault['impact']}): {fault['help']}\n    " + "\n    ".join(fault["nodes"]) for fault in faults
    ]
    assert not faults, f"{page.url}\n" + "\n".join(lines)
