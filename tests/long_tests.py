"""Which tests are left out of `make check-fast` because of their length: those in `long_tests.txt`.

The list is made by `make long-tests`: what takes more than 30 ms of processor, or waits for a fifth of a second, worst
case of a parametrised test. Whatever is new runs in `check-fast` until the list is renewed. Loaded with `-p`.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

LIST = Path(__file__).parent / "long_tests.txt"
LONG_PROCESSOR_SECONDS = 0.03
LONG_SECONDS = 0.2
_began = pytest.StashKey[tuple[float, float]]()


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
    item.stash[_began] = time.process_time(), time.monotonic()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    try:
        return (yield)
    finally:
        processor, clock = item.stash[_began]
        is_long = time.process_time() - processor > LONG_PROCESSOR_SECONDS or time.monotonic() - clock > LONG_SECONDS
        # So that it comes along from xdist's workers.
        item.user_properties.append(("is_long", is_long))


def long_tests() -> frozenset[str]:
    return frozenset(LIST.read_text().split())


def name_of(nodeid: str) -> str:
    """A test's name without its parameters."""
    return nodeid.partition("[")[0]


class Recorder:
    """Keeps which tests were long in one case at least, and writes the list in the end."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and dict(report.user_properties).get("is_long"):
            self.names.add(name_of(report.nodeid))

    def pytest_sessionfinish(self) -> None:
        LIST.write_text("".join(f"{name}\n" for name in sorted(self.names)))
