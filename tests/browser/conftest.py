"""Real Chromium against a real server with all of its middleware; what is stored is committed."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from shutil import which
from typing import Any

import greenlet
import pytest
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.test import Client
from playwright._impl import _greenlets
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, sync_playwright

from accounts.models import User
from accounts.roles import Role
from tests.factories import make_user
from tests.places import RUNS, hold

PASSWORD = "correct horse battery staple"
# The first has the same engine without a window around each page, and costs a third.
CHROMIUM = next(
    filter(None, map(which, ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"))), None
)


class LoopOutOfSight:
    """Playwright's synchronous API runs an event loop in a greenlet of this thread.

    To all else the thread would seem to stand on that loop, also in the tests that come later. So the greenlet of the
    tests sees no loop, and those of Playwright see theirs.
    """

    def __init__(self) -> None:
        self._tests = greenlet.getcurrent()
        self._loop: asyncio.AbstractEventLoop | None = None

    def __call__(self, event: str, greenlets: tuple[Any, Any]) -> None:
        origin, target = greenlets
        if target is self._tests:
            self._loop = asyncio._get_running_loop()
            asyncio._set_running_loop(None)
        elif origin is self._tests:
            asyncio._set_running_loop(self._loop)


class AsyncioWithoutPretence:
    """What Playwright sees of asyncio where it would mark the test's own code as running on its loop."""

    _set_running_loop = staticmethod(lambda loop: None)

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)


class QuietHandler(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None: ...


class Server(ThreadedWSGIServer):
    """A server whose end is the end of its connections too."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), QuietHandler, allow_reuse_address=True)
        self.connections: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that hangs up is no news."""

    def hang_up(self) -> None:
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Site:
    """A server that can be stopped and started again on the same port."""

    def __init__(self) -> None:
        self.port = 0
        self._server: Server | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        from eventflow_site.wsgi import application

        self._server = Server(self.port)
        self._server.set_app(application)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()


@pytest.fixture(scope="session")
def server() -> Iterator[Site]:
    started = Site()
    yield started
    started.stop()


@pytest.fixture
def site(server: Site, db_with_commits, settings) -> Site:
    # Plain HTTP on this machine, as `make run` serves it.
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = False
    return server


@pytest.fixture(scope="session")
def loop() -> asyncio.AbstractEventLoop:
    """The loop of this thread, which Playwright takes for granted."""
    made = asyncio.new_event_loop()
    asyncio.set_event_loop(made)
    return made


@pytest.fixture(autouse=True)
def loop_in_place(loop: asyncio.AbstractEventLoop) -> None:
    """`asyncio.run`, in a test between these, leaves the thread without one."""
    asyncio.set_event_loop(loop)


@pytest.fixture(scope="session")
def browser(loop: asyncio.AbstractEventLoop) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("There is no Chromium on this machine: apt-get install chromium")
    greenlet.settrace(LoopOutOfSight())
    setattr(_greenlets, "asyncio", AsyncioWithoutPretence())  # noqa: B010 (no name that its types export)
    # One for the whole machine is enough: two would make each other late.
    with hold(RUNS / "browser.lock"), sync_playwright() as playwright:
        # A process for each page would start anew, and compile anew what it was given before.
        flags = ["--no-sandbox", "--process-per-site"]
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def context(browser: Browser, server: Site) -> Iterator[BrowserContext]:
    """One for all tests, so that scripts and styles are fetched once; cookies are cleared after each."""
    size = ViewportSize(width=1280, height=900)
    made = browser.new_context(base_url=server.url, viewport=size, reduced_motion="reduce")
    made.set_default_timeout(30_000)
    # As long as there is one, each further page is a tab of its window: a window of its own costs half as much again.
    # And it keeps the process of the site's pages, without asking the site for anything.
    first = made.new_page()
    first.route("**", lambda route: route.fulfill(body=""))
    first.goto("/")
    yield made
    made.close()


class Complaints(list[str]):
    """What the browser's console said against the page; a test may expect some of it."""

    def expect(self, part: str) -> None:
        self[:] = [each for each in self if part not in each]


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


@pytest.fixture
def page(context: BrowserContext, site: Site, complaints: Complaints) -> Iterator[Page]:
    """A page whose console must stay silent: no error, no warning, no refusal by the CSP."""
    opened = context.new_page()

    def note(message: Any) -> None:
        if message.type in ("error", "warning"):
            complaints.append(f"{message.type}: {message.text} ({opened.url})")

    opened.on("console", note)
    opened.on("pageerror", lambda error: complaints.append(f"exception: {error} ({opened.url})"))
    yield opened
    opened.close()
    context.clear_cookies()
    assert not complaints, "\n".join(complaints)


SignIn = Callable[..., User]


@pytest.fixture
def sign_in(context: BrowserContext, page: Page, site: Site) -> SignIn:
    """Sign a user in, by default a new one of the given roles; the form has tests of its own."""

    def do(*roles: Role, user: User | None = None) -> User:
        somebody = user or make_user(*(roles or tuple(Role)), password=PASSWORD)
        client = Client()
        client.force_login(somebody, "django.contrib.auth.backends.ModelBackend")
        context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site.url}])
        return somebody

    return do
