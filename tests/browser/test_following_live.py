"""A page of another site follows a stream with the lines of docs/consuming.md, in a real browser."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page

from accounts.models import ApiKey
from streams.log import get_log
from streams.lookup import load_stream
from tests.client import ApiClient
from tests.conventions.commands import PROJECT
from tests.factories import make_key, make_owner, make_stream
from tests.web_server import WebServer

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("db_with_commits")]

[FOLLOW] = re.findall(r"```js\n(.*?)```", (PROJECT / "docs" / "consuming.md").read_text(), re.DOTALL)


class EmptyPage(BaseHTTPRequestHandler):
    """A site whose page does nothing by itself."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>shop</title>")

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def shop() -> Iterator[str]:
    """The origin of the other site."""
    with ThreadingHTTPServer(("127.0.0.1", 0), EmptyPage) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{site.server_port}"
        site.shutdown()


@pytest.fixture
def web(shop) -> Iterator[WebServer]:
    with WebServer(EVENTFLOW_CORS_ORIGINS=shop) as server:
        yield server


@pytest.fixture
def there(browser: Browser, shop) -> Iterator[Page]:
    page = browser.new_page()
    page.goto(shop)
    yield page
    page.close()


def begin(page: Page, web: WebServer, key: str, query: str = "") -> None:
    page.evaluate(
        f"""([url, key]) => {{
            {FOLLOW}
            window.seen = [];
            window.gaps = [];
            follow(url, key, (event, id) => window.seen.push([event.payload, id]), (gap) => window.gaps.push(gap))
                .then((problem) => {{ window.problem = problem; }});
        }}""",
        [f"{web.url}/api/v1/streams/orders/events/live{query}", key],
    )


def test_events_come_over_a_stop_of_the_server_until_the_right_ends(there, shop, web):
    owner = make_owner()
    make_stream("orders", owner=owner)
    api = ApiClient(key=make_key(owner))
    for number in range(3):
        api.post("/streams/orders/events", {"payload": number})
    [partition] = load_stream("orders").partitions
    get_log().trim(partition, keep_events=2)

    begin(there, web, make_key(owner), "?last_offset=earliest")
    there.wait_for_function("window.seen.length === 2")
    assert there.evaluate("window.gaps") == [{"partition": 0, "first_offset": 1, "last_offset": 1}]
    web.process.terminate()
    web.process.wait(20)
    api.post("/streams/orders/events", {"payload": "ä\n while it was away"})
    web.process = web.child.start()
    there.wait_for_function("window.seen.length === 3", timeout=30_000)
    api.post("/streams/orders/events", {"payload": "the last"})
    there.wait_for_function("window.seen.length === 4")
    ApiKey.objects.update(revoked_at=timezone.now())
    there.wait_for_function("window.problem")

    assert there.evaluate("window.problem.code") == "invalid_credentials"
    assert there.evaluate("window.seen") == [
        [1, "0=2"],
        [2, "0=3"],
        ["ä\n while it was away", "0=4"],
        ["the last", "0=5"],
    ]


def test_an_event_source_has_no_way_to_say_who_asks_and_is_refused_for_good(there, web):
    make_stream("orders")
    state = there.evaluate(
        """(url) => new Promise((resolve) => {
            const source = new EventSource(url);
            source.onerror = () => resolve(source.readyState);
        })""",
        f"{web.url}/api/v1/streams/orders/events/live",
    )
    assert state == 2, "closed, and it does not come again"
