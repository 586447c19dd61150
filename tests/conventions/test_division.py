"""Which worker of a run gets which tests."""

from types import SimpleNamespace

import pytest

from tests.division import Division

WAITING = ["tests/run/test_a.py", "tests/run/test_b.py", "tests/run/test_c.py"]
COMPUTING = ["tests/streams/test_x.py", "tests/streams/test_y.py", "tests/streams/test_z.py"]
BROWSING = ["tests/browser/test_one.py", "tests/browser/test_two.py", "tests/containers/test_image.py"]


class Worker:
    """As much of a worker as the division sees."""

    shutting_down = False

    def __init__(self, number: int, tests: list[str]) -> None:
        self.gateway = SimpleNamespace(id=f"gw{number}")
        self.tests = tests
        self.files: list[str] = []
        self.todo: list[int] = []

    def send_runtest_some(self, numbers: list[int]) -> None:
        self.files += dict.fromkeys(self.tests[number].partition("::")[0] for number in numbers)
        self.todo += numbers

    def shutdown(self) -> None:
        self.shutting_down = True


def divided(count: int, files: list[str], config: pytest.Config) -> list[Worker]:
    """What each of so many workers did, when all are equally fast."""
    tests = [f"{file}::test_{number}" for file in files for number in range(4)]
    option = SimpleNamespace(loadscopereorder=config.option.loadscopereorder)
    division = Division(SimpleNamespace(option=option, getvalue=lambda name: [f"{count}*popen"]))
    workers = [Worker(number, tests) for number in range(count)]
    for worker in workers:
        division.add_node(worker)
    for worker in workers:
        division.add_node_collection(worker, tests)
    division.schedule()
    while any(worker.todo for worker in workers):
        for worker in workers:
            if worker.todo:
                division.mark_test_complete(worker, worker.todo.pop(0))
    assert sorted(file for worker in workers for file in worker.files) == sorted(files), "each file goes to one worker"
    return workers


def test_two_workers_begin_with_what_waits(pytestconfig):
    first, second = divided(2, WAITING + COMPUTING, pytestconfig)
    assert first.files == [WAITING[0], WAITING[2], COMPUTING[1]]
    assert second.files == [WAITING[1], COMPUTING[0], COMPUTING[2]]


def test_the_last_of_three_computes_while_the_others_wait(pytestconfig):
    *_, last = divided(3, WAITING + COMPUTING, pytestconfig)
    assert last.files == [COMPUTING[2], COMPUTING[1]]


def test_all_that_need_the_browser_or_disturb_it_go_to_one_worker(pytestconfig):
    first, second, last = divided(3, BROWSING + WAITING + COMPUTING, pytestconfig)
    assert first.files[:3] == BROWSING
    assert not {*second.files, *last.files} & {*BROWSING}
