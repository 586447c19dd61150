"""The programs of the recipes in JavaScript and Go do what those in Python do."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.client import ApiClient
from tests.conventions.commands import PROJECT, serving
from tests.conventions.test_client_recipes import Unreliable
from tests.factories import make_group, make_key, make_owner, make_stream
from tests.run.instance import clean_environment, wait_for

pytestmark = [
    pytest.mark.processes,
    pytest.mark.slow("compiles, and starts a program for each of its tests"),
    pytest.mark.usefixtures("db_with_commits"),
]

# What a reader adds of their own: the work, which prints what it is given, and fails on a 3 the first time.
MAIN_MJS = """
import { append } from "./producer.mjs";
import { consume } from "./consumer.mjs";
import { work } from "./worker.mjs";
const [verb, events] = process.argv.slice(2);
const print = (event) => console.log(JSON.stringify(event.payload));
let failed = false;
if (verb === "append") console.log((await append(JSON.parse(events), 4)).accepted);
if (verb === "consume") await consume("demo", "demo-readers", print);
if (verb === "work") await work("demo", "workers", (event) => {
  print(event);
  if (event.payload === 3 && !failed) { failed = true; throw new Error("no such customer"); }
});
"""
MAIN_GO = """
package main

import ("context"; "encoding/json"; "errors"; "fmt"; "os")

func show(event Event) error { fmt.Println(string(event.Payload)); return nil }

func main() {
	failed := false
	switch os.Args[1] {
	case "append":
		var events []NewEvent
		if err := json.Unmarshal([]byte(os.Args[2]), &events); err != nil { panic(err) }
		if err := Append(context.Background(), events, 4); err != nil { fmt.Fprintln(os.Stderr, err); os.Exit(1) }
		fmt.Println(len(events))
	case "consume":
		Consume(context.Background(), "demo", "demo-readers", show)
	case "work":
		Work(context.Background(), "demo", "workers", func(event Event) error {
			show(event)
			if string(event.Payload) == "3" && !failed { failed = true; return errors.New("no such customer") }
			return nil
		})
	}
}
"""
# How long the programs wait for an event: here nobody waits for the last one to end.
HURRIED = re.compile(r"""(\bwait"?[:=] ?)20\b""")


class Language(NamedTuple):
    name: str
    fence: str
    suffix: str
    # What says its version, and the first one that the page promises to run with.
    version: tuple[str, ...]
    minimum: tuple[int, int]
    # Makes a program of the folder and returns how to start it.
    prepare: Callable[[Path], list[str]]


def prepare_javascript(folder: Path) -> list[str]:
    (folder / "main.mjs").write_text(MAIN_MJS)
    return ["node", "main.mjs"]


def prepare_go(folder: Path) -> list[str]:
    (folder / "main.go").write_text(MAIN_GO)
    sources = sorted(path.name for path in folder.glob("*.go"))
    environment = clean_environment(GOTOOLCHAIN="local", GOPROXY="off", GOFLAGS="")
    command = ["go", "build", "-o", "recipes", *sources]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return ["./recipes"]


LANGUAGES = [
    Language("javascript", "js", "mjs", ("node", "--version"), (20, 0), prepare_javascript),
    Language("go", "go", "go", ("go", "version"), (1, 22), prepare_go),
]


class Recipes:
    """The programs of one language's page, with somebody's work around them."""

    def __init__(self, folder: Path, command: list[str], site: Unreliable) -> None:
        self.folder, self.command, self.site = folder, command, site
        self.environment = clean_environment()

    def append(self, *events: dict[str, object]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command, "append", json.dumps(events)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @contextmanager
    def running(self, verb: str) -> Iterator[Callable[[], list[object]]]:
        """A consumer or worker at work; the value says what it was given so far."""
        with (self.folder / "seen.ndjson").open("w+") as seen:
            process = subprocess.Popen([*self.command, verb], cwd=self.folder, env=self.environment, stdout=seen)
            try:
                yield lambda: [json.loads(line) for line in (self.folder / "seen.ndjson").read_text().splitlines()]
            finally:
                process.kill()
                process.wait()


def found_version(language: Language) -> tuple[int, int]:
    if shutil.which(language.version[0]) is None:
        return 0, 0
    told = subprocess.run(language.version, capture_output=True, text=True, check=True).stdout
    major, minor = re.findall(r"\d+", told)[:2]
    return int(major), int(minor)


@pytest.fixture(scope="module", params=LANGUAGES, ids=lambda language: language.name)
def program(request, tmp_path_factory) -> tuple[Path, list[str]]:
    language: Language = request.param
    if found_version(language) < language.minimum:
        pytest.skip(f"needs {language.version[0]} {language.minimum[0]}.{language.minimum[1]} or newer")
    folder = tmp_path_factory.mktemp(language.name)
    text = (PROJECT / "docs" / f"client-recipes-{language.name}.md").read_text()
    files = re.findall(rf"```{language.fence}\n// (\w+\.{language.suffix})\n(.*?)```", text, re.DOTALL)
    assert [name.partition(".")[0] for name, _ in files] == ["producer", "consumer", "worker"]
    for name, source in files:
        (folder / name).write_text(HURRIED.sub(r"\g<1>1", source))
    return folder, language.prepare(folder)


@pytest.fixture
def recipes(program) -> Iterator[Recipes]:
    site = Unreliable()
    with serving(site) as api:
        folder, command = program
        recipes = Recipes(folder, command, site)
        recipes.environment["EVENTFLOW_API"] = api
        yield recipes
        site.wait_until_idle()


@pytest.fixture
def client(recipes) -> ApiClient:
    owner = make_owner()
    make_group(make_stream("demo", owner=owner, partitions=2), "demo-readers")
    key = make_key(owner)
    recipes.environment["EVENTFLOW_KEY"] = key
    return ApiClient(key=key)


def lag(client: ApiClient, group: str) -> int:
    return sum(each["lag"] for each in client.get(f"/streams/demo/consumer-groups/{group}/offsets").json()["data"])


def test_the_producer_stores_once_though_answers_are_lost(recipes, client):
    recipes.site.answers_to_lose = 2
    done = recipes.append(*({"stream": "demo", "key": "a", "payload": n} for n in range(3)))
    assert (done.stdout, done.returncode) == ("3\n", 0), done.stderr
    assert recipes.site.answers_to_lose == 0
    assert [event["payload"] for event in client.get("/streams/demo/events").json()] == [0, 1, 2]


def test_the_producer_says_at_once_why_it_is_refused(recipes, client):
    done = recipes.append({"stream": "nothing", "payload": 1})
    assert done.returncode != 0
    assert "refused for good" in done.stderr
    assert "stream_not_found" in done.stderr


def test_the_producer_gives_up_in_the_end(recipes, client):
    recipes.site.answers_to_lose = 4
    done = recipes.append({"stream": "demo", "payload": 1})
    assert done.returncode != 0
    assert "still no answer" in done.stderr


def test_the_consumer_sees_every_event_and_commits(recipes, client):
    client.post("/events", [{"stream": "demo", "key": f"k{n}", "payload": n} for n in range(10)])
    with recipes.running("consume") as seen:
        wait_for("everything to be committed", lambda: lag(client, "demo-readers") == 0)
        assert sorted(seen()) == list(range(10))


def test_the_worker_acks_what_went_well_and_the_rest_comes_again(recipes, client):
    group = {"name": "workers", "mode": "lease", "backoff": [0], "max_failures": 3}
    assert client.post("/streams/demo/consumer-groups", group).status_code == 201
    client.post("/events", [{"stream": "demo", "key": "k", "payload": n} for n in range(5)])
    with recipes.running("work") as seen:
        wait_for("everything to be finished", lambda: lag(client, "workers") == 0)
        assert sorted(seen()) == [0, 1, 2, 3, 3, 4]
    assert client.get("/dead-letters").json()["data"] == []
