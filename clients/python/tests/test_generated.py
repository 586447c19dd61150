"""What is made by `generate.py` is fresh, and complete."""

import importlib.util
import inspect
from pathlib import Path
from types import ModuleType

import eventflow_client
from eventflow_client import Problem, async_kit, problems, sync_kit

PYTHON = Path(__file__).resolve().parents[1]


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", PYTHON / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_is_as_its_sources_say():
    stale = [path.name for path, content in generator().made().items() if path.read_text() != content]
    assert stale == [], "python clients/python/generate.py"


def test_nothing_is_left_over_from_a_source_that_is_gone():
    made = {path.name for path in generator().made() if path.parent.name == "_sync"}
    assert {path.name for path in (PYTHON / "src/eventflow_client/_sync").glob("*.py")} == made


def test_the_synchronous_half_waits_for_nobody_by_keyword():
    source = "async def a() -> None:\n    '''Await it with `async with`.'''\n    async with b() as c:\n        await c.aclose()  # async\n"
    made = generator().synchronous(source)
    assert made.endswith(
        "def a() -> None:\n    '''Await it with `with`.'''\n    with b() as c:\n        c.close()  # async\n"
    )


def test_both_kits_have_the_same_names():
    def names(module: ModuleType) -> set[str]:
        own = {name for name, each in vars(module).items() if getattr(each, "__module__", None) == module.__name__}
        return own | {"Handler"}

    assert names(sync_kit) == names(async_kit)
    for name in ("Gate", "Crew", "Outcome", "Pending"):
        public = [
            {each for each, _ in inspect.getmembers(getattr(kit, name)) if not each.startswith("_")}
            for kit in (sync_kit, async_kit)
        ]
        assert public[0] == public[1], name


def test_each_code_of_the_server_has_an_exception_of_its_name():
    assert problems.BY_CODE["stream_not_found"] is problems.StreamNotFound
    assert all(issubclass(kind, Problem) and kind.code == code for code, kind in problems.BY_CODE.items())
    written = (PYTHON.parents[1] / "docs" / "problems.md").read_text()
    assert written.count("\n### `") == len(problems.BY_CODE) > 90


def test_what_is_offered_is_there():
    assert [name for name in eventflow_client.__all__ if not hasattr(eventflow_client, name)] == []
