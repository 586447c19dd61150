"""The lines that the page of a new stream shows, pasted into a shell beside an instance that `up` started."""

import html
import http.cookiejar
import re
import subprocess
import sys
import urllib.parse
import urllib.request

import pytest

from tests.run.instance import Instance, wait_for

pytestmark = [pytest.mark.processes, pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")]


class Visitor:
    """Somebody with a browser that runs no scripts."""

    def __init__(self, instance: Instance) -> None:
        self.url = instance.url
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(cookies)

    def get(self, path: str, **headers: str) -> str:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with self._opener.open(urllib.request.Request(self.url + path, headers=named), timeout=60) as answer:
            return str(answer.read().decode())

    def submit(self, path: str, **fields: str) -> str:
        """Fill in the form of a page and send it."""
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get(path))
        assert found
        body = urllib.parse.urlencode({"csrfmiddlewaretoken": found[1], **fields}).encode()
        request = urllib.request.Request(self.url + path.partition("?")[0], body, {"Referer": self.url + path})
        with self._opener.open(request, timeout=60) as answer:
            return str(answer.read().decode())


def block(page: str, name: str) -> str:
    """What a person copies out of a block of the page."""
    found = re.search(rf'<pre[^>]* id="{name}"[^>]*>(.*?)</pre>', page, re.DOTALL)
    assert found, page
    return html.unescape(re.sub(r"<[^>]+>", "", found[1]))


def paste(*lines: str) -> str:
    return subprocess.run(
        ["bash", "-euc", "\n".join(lines)], capture_output=True, text=True, check=True, timeout=60
    ).stdout


def test_the_lines_of_a_new_streams_page_make_its_first_event_appear_there(running: Instance) -> None:
    secrets = dict(
        line.split("=", 1) for line in (running.home / "secrets.env").read_text().splitlines() if "=" in line
    )
    visitor = Visitor(running)
    visitor.submit("/sign-in", email="admin@eventflow.local", password=secrets["EVENTFLOW_ADMIN_PASSWORD"])
    page = visitor.submit("/streams/new", name="first-steps", partitions="1", visibility="internal")
    # It is where creating a stream leads.
    assert running.url in block(page, "first-append")
    key = visitor.submit("/keys/new?stream=first-steps", name="steps", scopes="produce", streams="first-steps")
    export = block(page, "first-key").replace("evf_live_…", block(key, "secret"))

    paste(export, block(page, "first-append").replace("curl ", "curl --fail "))

    def waiting() -> str:
        return visitor.get("/streams/first-steps", HX_Request="true", HX_Target="first-event")

    wait_for("the first event", lambda: "/streams/first-steps/events/0/1" in waiting())
    event = visitor.get("/streams/first-steps/events/0/1")
    assert html.unescape(block(event, "payload-text")) == '{"from": "curl"}'
