"""The live tail follows its stream, in a real browser on the real web server."""

import http.client
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, Route, expect

from accounts.roles import Role
from consumers.services.erasure import erase_event
from streams.conf import STREAM_CACHE_SECONDS
from streams.log import get_log
from streams.lookup import load_stream
from streams.models import Stream, Visibility
from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import PASSWORD
from tests.browser.story import HOSTILE, append, tell_story
from tests.factories import make_stream, make_user
from tests.run.instance import wait_for
from tests.web_server import WebServer

pytestmark = [pytest.mark.processes]

ROWS = "#tail-rows tr"


@pytest.fixture(scope="module")
def web(django_db_setup, django_db_blocker) -> Iterator[WebServer]:
    with django_db_blocker.unblock(), WebServer() as server:
        yield server


@pytest.fixture(autouse=True)
def forgotten() -> None:
    """What the server remembers of the stream that had the same name in the test before."""
    time.sleep(STREAM_CACHE_SECONDS)


@pytest.fixture
def story(site, page, sign_in):
    told = tell_story()
    sign_in(user=told.owner)
    return told


@pytest.fixture
def tail(page, web, story) -> Page:
    return open_tail(page, web)


def open_tail(page: Page, web: WebServer, query: str = "", stream: str = "orders") -> Page:
    page.goto(f"{web.url}/streams/{stream}/tail{query}")
    wait_until_followed(page)
    return page


def wait_until_followed(page: Page) -> None:
    expect(page.locator("#tail-poller[data-followed]")).to_have_count(1, timeout=15_000)


def open_streams(web: WebServer) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=20)
    connection.request("GET", "/metrics")
    shown = connection.getresponse().read().decode()
    connection.close()
    found = re.search(r"^eventflow_live_streams (\S+)$", shown, re.MULTILINE)
    return float(found[1]) if found else 0.0


def offsets(page: Page) -> list[int]:
    return [int(each) for each in page.locator(f"{ROWS} .event-offset").all_inner_texts()]


# --- as they come ---------------------------------------------------------------------------------------------


def test_events_appear_as_they_are_appended_and_nothing_is_asked_for(page, web, story):
    polls: list[str] = []
    page.on("request", lambda request: polls.append(request.url) if "/tail?" in request.url else None)
    open_tail(page, web)
    expect(page.locator(ROWS).first).to_contain_text("order.evil")
    append(story.stream, {"type": "order.fresh", "payload": {"n": 1}})
    expect(page.locator(ROWS).first).to_contain_text("order.fresh")
    append(story.stream, {"type": "order.fresher", "payload": {"n": 2}})
    expect(page.locator(ROWS).first).to_contain_text("order.fresher")
    # As long as two polls would have taken.
    page.wait_for_timeout(2500)
    assert polls == []
    expect(page.locator("[data-connection]")).to_have_text("Live")


# What a mark stands for is told on hover by the server alone.
AS_HTML = """rows => rows.map(row => {
    row.classList.remove("row-new");
    row.querySelectorAll(".unseen").forEach(mark => mark.removeAttribute("title"));
    return [row.id, row.outerHTML.replace(/\\s+/g, "")];
})"""


@pytest.mark.parametrize("partitions", [1, 3])
def test_a_script_draws_a_row_as_the_server_does(page, web, site, sign_in, partitions):
    owner = make_user(Role.PRODUCER, Role.CONSUMER)
    stream = make_stream("orders", owner=owner, partitions=partitions)
    sign_in(user=owner)
    open_tail(page, web)
    append(
        stream,
        {"type": "order.plain", "payload": {"n": 1.50, "big": 2**63}, "key": "k"},
        {"type": "order.evil", "payload": {HOSTILE: "\u202e</script>"}, "key": HOSTILE},
        {"type": "order.long", "payload": "x" * 500, "key": "k" * 400},
        {"type": "order.simulated", "payload": None, "headers": {"eventflow-simulation": "1"}},
    )
    expect(page.locator(ROWS)).to_have_count(4)
    drawn = dict(page.locator(ROWS).evaluate_all(AS_HTML))
    page.reload()
    wait_until_followed(page)
    rendered = dict(page.locator(ROWS).evaluate_all(AS_HTML))
    # An attribute that is empty is as good as none.
    assert {row: html.replace('class=""', "") for row, html in drawn.items()} == rendered


def test_an_event_that_was_erased_meanwhile_has_no_payload(page, web, story, tail):
    tail.get_by_role("button", name="Pause").click()
    append(story.stream, {"type": "order.secret", "payload": "hunter2"})
    erase_event(stream=load_stream("orders"), partition=0, offset=31, reason="asked for", now=timezone.now())
    tail.get_by_role("button", name="Resume").click()
    expect(tail.locator("#e-0-31")).to_contain_text("erased")
    expect(tail.locator("#e-0-31")).not_to_contain_text("hunter2")


def test_the_filter_of_the_page_counts(page, web, story):
    open_tail(page, web, "?type=order.paid&path=order&value=7")
    append(
        story.stream,
        {"type": "order.paid", "payload": {"order": 7}},
        {"type": "order.paid", "payload": {"order": 8}},
        {"type": "order.made", "payload": {"order": 7}},
    )
    append(story.stream, {"type": "order.paid", "payload": {"order": 7, "last": True}})
    expect(page.locator(ROWS).first).to_contain_text("last")
    assert offsets(page) == [34, 31]


def test_a_page_without_an_event_says_so_until_the_first(page, web, site, sign_in):
    owner = make_user(Role.PRODUCER, Role.CONSUMER)
    empty = make_stream("empty", owner=owner)
    sign_in(user=owner)
    open_tail(page, web, stream="empty")
    expect(page.get_by_text("No event yet")).to_be_visible()
    assert_accessible(page)
    append(empty, {"payload": 1})
    expect(page.locator(ROWS)).to_have_count(1)
    expect(page.get_by_text("No event yet")).to_be_hidden()


# --- standing still -------------------------------------------------------------------------------------------


def test_a_paused_tail_follows_nothing_and_catches_up(page, web, story, tail):
    wait_for("one who follows", lambda: open_streams(web) == 1)
    pause = tail.get_by_role("button", name="Pause")
    pause.focus()
    tail.keyboard.press("Space")
    expect(tail.locator("[data-connection]")).to_have_text("Paused")
    wait_for("nobody who follows", lambda: open_streams(web) == 0)
    append(story.stream, {"type": "order.fresh", "payload": 1}, {"type": "order.fresh", "payload": 2})
    tail.wait_for_timeout(2500)
    expect(tail.locator(ROWS).first).to_contain_text("order.evil")

    tail.keyboard.press("Space")
    expect(tail.locator(ROWS, has_text="order.fresh")).to_have_count(2)
    assert offsets(tail)[:3] == [32, 31, 30]


def test_what_the_poller_brings_while_the_stream_is_opening_is_there_once(web, story, tail):
    wait_for("one who follows", lambda: open_streams(web) == 1)
    tail.get_by_role("button", name="Pause").focus()
    tail.keyboard.press("Space")
    wait_for("nobody who follows", lambda: open_streams(web) == 0)
    append(story.stream, {"type": "order.fresh", "payload": 1}, {"type": "order.fresh", "payload": 2})
    opening: list[Route] = []
    tail.route("**/tail/live?*", lambda route: opening.append(route))  # noqa: PLW0108 - it marks what it is given
    tail.keyboard.press("Space")
    expect(tail.locator(ROWS, has_text="order.fresh")).to_have_count(2)

    opening[0].continue_()
    wait_for("one who follows", lambda: open_streams(web) == 1)
    append(story.stream, {"type": "order.last", "payload": 3})
    expect(tail.locator(ROWS).first).to_contain_text("order.last")
    expect(tail.locator(ROWS, has_text="order.fresh")).to_have_count(2)


def test_a_page_that_nobody_sees_follows_nothing_and_catches_up(page, web, story, tail):
    tail.evaluate("""() => {
        Object.defineProperty(document, "hidden", { configurable: true, get: () => true });
        document.dispatchEvent(new Event("visibilitychange"));
    }""")
    wait_for("nobody who follows", lambda: open_streams(web) == 0)
    append(story.stream, {"type": "order.fresh", "payload": 1})
    tail.evaluate("() => { delete document.hidden; document.dispatchEvent(new Event('visibilitychange')); }")
    expect(tail.locator(ROWS).first).to_contain_text("order.fresh")


def test_a_list_that_somebody_is_in_waits_and_says_so(page, web, story, tail):
    tail.locator("#e-0-29 [data-expand]").click()
    expect(tail.locator(".row-detail")).to_contain_text("28")
    append(story.stream, {"type": "order.fresh", "payload": 1}, {"type": "order.fresh", "payload": 2})
    expect(tail.get_by_role("status").filter(has_text="2 new events wait")).to_be_visible()
    expect(tail.locator(ROWS).first).to_contain_text("order.evil")

    tail.locator("#e-0-29 [data-expand]").click()
    expect(tail.locator(ROWS).first).to_contain_text("order.fresh")
    expect(tail.locator("[data-tail-waiting]")).to_be_empty()


def test_whoever_goes_through_the_list_with_the_keyboard_keeps_their_place(page, web, story, tail):
    tail.get_by_role("region", name="Newest events first").focus()
    tail.keyboard.press("Tab")
    tail.keyboard.press("Tab")
    focused = tail.locator("#e-0-30 .event-offset")
    expect(focused).to_be_focused()
    append(story.stream, {"type": "order.fresh", "payload": 1})
    expect(tail.get_by_role("status").filter(has_text="1 new event waits")).to_be_visible()
    expect(focused).to_be_focused()
    tail.keyboard.press("Shift+Tab")
    tail.keyboard.press("Shift+Tab")
    tail.keyboard.press("Shift+Tab")
    expect(tail.locator(ROWS).first).to_contain_text("order.fresh")


# --- a lot ----------------------------------------------------------------------------------------------------


def test_many_events_are_drawn_together_and_the_last_stay(page, web, story, tail):
    tail.evaluate("""() => {
        window.draws = 0;
        new MutationObserver((records) => {
            window.draws += records.filter((record) => record.addedNodes.length > 0).length;
        }).observe(document.getElementById("tail-rows"), { childList: true });
    }""")
    for start in range(0, 20_000, 500):
        append(story.stream, *({"type": "order.many", "payload": {"n": start + n}} for n in range(500)))
    append(story.stream, {"type": "order.last", "payload": 1})
    expect(tail.locator(ROWS).first).to_contain_text("order.last")
    found = offsets(tail)
    assert found == list(range(20_031, 20_031 - len(found), -1))
    assert tail.evaluate("window.draws") < 2_000
    expect(tail.locator(ROWS)).to_have_count(500, timeout=30_000)
    assert offsets(tail) == list(range(20_031, 19_531, -1))
    tail.get_by_role("button", name="Pause").click()
    expect(tail.locator("[data-connection]")).to_have_text("Paused")


def test_what_is_not_shown_is_said_between_the_rows(page, web, story, tail):
    tail.get_by_role("button", name="Pause").click()
    for start in range(0, 6_000, 1_000):
        append(story.stream, *({"type": "order.many", "payload": start + n} for n in range(1_000)))
    [partition] = load_stream("orders").partitions
    tail.get_by_role("button", name="Resume").click()
    expect(tail.locator(ROWS).first).to_contain_text("order.many")
    expect(tail.locator(ROWS)).to_have_count(500, timeout=30_000)
    # One of the rows may say what is not shown.
    assert offsets(tail)[:499] == list(range(6_030, 5_531, -1))

    tail.get_by_role("button", name="Pause").click()
    append(story.stream, {"type": "order.gone", "payload": 1})
    append(story.stream, {"type": "order.kept", "payload": 1})
    while get_log().trim(partition, keep_events=1):
        pass
    tail.get_by_role("button", name="Resume").click()
    expect(tail.locator(ROWS).first).to_contain_text("order.kept")
    gap = tail.locator(ROWS).nth(1)
    expect(gap).to_contain_text("Events not shown: 1")
    expect(gap).to_contain_text("6031 to 6031")
    expect(gap).to_contain_text("Retention took them")
    assert_accessible(tail)


# --- when it breaks -------------------------------------------------------------------------------------------


def test_a_break_is_said_and_what_came_meanwhile_is_there_once(page, site, story, complaints):
    with WebServer() as own:
        open_tail(page, own)
        own.process.terminate()
        own.process.wait(20)
        expect(page.locator("[data-connection]")).to_have_text("Reconnecting…")
        expect(page.get_by_role("status").filter(has_text="The connection is lost")).to_be_visible()
        append(story.stream, {"type": "order.meanwhile", "payload": 1})
        own.process = own.child.start()
        expect(page.locator(ROWS).first).to_contain_text("order.meanwhile", timeout=30_000)
        expect(page.get_by_role("status").filter(has_text="The connection is back")).to_be_visible()
        wait_until_followed(page)
        append(story.stream, {"type": "order.after", "payload": 1})
        expect(page.locator(ROWS).first).to_contain_text("order.after")
        assert offsets(page)[:3] == [32, 31, 30]
        expect(page.locator("[data-connection]")).to_have_text("Live")
    complaints.expect("Failed to load resource")
    complaints.expect("htmx:")


def test_it_ends_with_the_session_and_goes_on_after_signing_in(page, context, web, site, sign_in):
    owner = make_user(Role.PRODUCER, Role.CONSUMER, password=PASSWORD)
    stream = make_stream("orders", owner=owner)
    sign_in(user=owner)
    open_tail(page, web)
    elsewhere = context.new_page()
    elsewhere.goto(f"{web.url}/account")
    elsewhere.get_by_role("button", name="Sign out").first.click()
    expect(elsewhere.get_by_label("Password")).to_be_visible()
    elsewhere.close()
    expect(page.locator("[data-connection]")).to_have_text("Signed out")
    append(stream, {"type": "order.secret", "payload": 1})
    page.wait_for_timeout(1500)
    expect(page.locator(ROWS)).to_have_count(0)

    page.get_by_role("button", name="Sign in").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("E-mail").fill(owner.email)
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_role("button", name="Sign in").click()
    expect(page.locator(ROWS).first).to_contain_text("order.secret")
    wait_until_followed(page)
    expect(page.locator("[data-connection]")).to_have_text("Live")


def test_it_ends_with_the_right_to_the_stream(page, web, site, sign_in, complaints):
    stream = make_stream("orders")
    sign_in(Role.CONSUMER)
    open_tail(page, web)
    Stream.objects.filter(pk=stream.pk).update(visibility=Visibility.RESTRICTED)
    expect(page.locator("#tail-rows")).to_have_count(0)
    expect(page.get_by_role("heading", level=1)).not_to_have_text("orders")
    complaints.expect("404")


class KeepsWhatComes(BaseHTTPRequestHandler):
    """A proxy that gives an answer on when it is whole: of one that goes on, nothing."""

    upstream = 0
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._pass_on(b"")

    def do_POST(self) -> None:
        self._pass_on(self.rfile.read(int(self.headers["Content-Length"])))

    def _pass_on(self, body: bytes) -> None:
        there = http.client.HTTPConnection("127.0.0.1", self.upstream, timeout=30)
        there.request(self.command, self.path, body, dict(self.headers))
        answer = there.getresponse()
        content = answer.read()
        there.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        return


class Proxy(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that has waited long enough hangs up."""


@pytest.mark.slow("a page waits 6 s for the first word")
def test_behind_a_proxy_that_keeps_what_comes_the_page_polls(page, web, story):
    handler = type("Handler", (KeepsWhatComes,), {"upstream": web.port})
    with Proxy(("127.0.0.1", 0), handler) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        page.goto(f"http://127.0.0.1:{proxy.server_port}/streams/orders/tail")
        append(story.stream, {"type": "order.fresh", "payload": 1})
        expect(page.locator(ROWS).first).to_contain_text("order.fresh")
        # Beyond the time in which it might have heard something.
        page.wait_for_timeout(8_000)
        append(story.stream, {"type": "order.fresher", "payload": 1})
        expect(page.locator(ROWS).first).to_contain_text("order.fresher")
        expect(page.locator("[data-connection]")).to_have_text("Live")
        expect(page.locator("#tail-poller[data-followed]")).to_have_count(0)
        assert offsets(page)[:3] == [32, 31, 30]
        proxy.shutdown()


# --- how it looks ---------------------------------------------------------------------------------------------


def test_it_fits_a_phone_with_rows_gaps_and_what_waits(page, web, story):
    page.set_viewport_size({"width": 390, "height": 844})
    open_tail(page, web)
    page.locator("#e-0-30 [data-expand]").click()
    append(story.stream, {"type": "order.fresh", "payload": HOSTILE})
    expect(page.get_by_role("status").filter(has_text="1 new event waits")).to_be_visible()
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
