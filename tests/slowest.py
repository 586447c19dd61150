"""`--slowest=20` ends a run with the table of CONTRIBUTING.md: the slowest tests, and why they are slow.

Why, says their mark: `pytest.mark.slow("waits for a lease to expire")`, or that they start programs. Loaded with `-p`.
"""

from collections import defaultdict

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slowest", type=int, metavar="N", default=0, help="Say which N tests took longest, and why.")


def pytest_configure(config: pytest.Config) -> None:
    if config.option.slowest:
        config.pluginmanager.register(Slowest(config.option.slowest))


def pytest_runtest_setup(item: pytest.Item) -> None:
    # So that it comes along from xdist's workers.
    item.user_properties.append(("why", why_slow(item)))


def why_slow(item: pytest.Item) -> str:
    mark = item.get_closest_marker("slow")
    if mark is not None:
        return str(mark.args[0])
    reasons = {"browser": "drives Chromium", "processes": "starts programs of its own"}
    return next((reasons[name] for name in reasons if item.get_closest_marker(name)), "")


class Slowest:
    """Adds up what each test took, with its fixtures."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.seconds: dict[str, float] = defaultdict(float)
        self.why: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] += report.duration
        self.why[report.nodeid] = str(dict(report.user_properties).get("why", ""))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.write_line("| seconds | test | why |\n|---:|---|---|")
        for test in sorted(self.seconds, key=self.seconds.__getitem__, reverse=True)[: self.count]:
            terminalreporter.write_line(
                f"| {self.seconds[test]:.1f} | `{test.removeprefix('tests/')}` | {self.why[test]} |"
            )
