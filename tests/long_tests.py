"""Which tests are left out of `make check-fast` because of their length: those in `long_tests.txt`.

The list is made by `make long-tests`: what takes more than 30 ms of processor, worst case of a
parametrised test. Whatever is new runs in `check-fast` until the list is renewed. Loaded with `-p`.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

LIST = Path(__file__).parent / "long_tests.txt"
LONG_SECONDS = 0.03
_began = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record-long", action="store_true", help="Write down which tests are long.")


def pytest_configure(config: pytest.Config) -> None:
    # The workers measure, the process that started them writes.
    if config.option.record_long and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    names = long_tests()
    for item in items:
        if name_of(item.nodeid) in names:
            item.add_marker("long")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.stash[_began] = time.process_time()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    try:
        return (yield)
    finally:
        # So that it comes along from xdist's workers.
        item.user_properties.append(("processor_seconds", time.process_time() - item.stash[_began]))


def long_tests() -> frozenset[str]:
    return frozenset(LIST.read_text().split())


def name_of(nodeid: str) -> str:
    """A test's name without its parameters."""
    return nodeid.partition("[")[0]


class Recorder:
    """Keeps the worst case of each test, and writes the list in the end."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            name = name_of(report.nodeid)
            spent = float(str(dict(report.user_properties).get("processor_seconds", 0.0)))
            self.seconds[name] = max(self.seconds.get(name, 0.0), spent)

    def pytest_sessionfinish(self) -> None:
        LIST.write_text("".join(f"{name}\n" for name in sorted(self.seconds) if self.seconds[name] > LONG_SECONDS))
