"""A network between the log and its server, to be broken on purpose."""

import contextlib
import selectors
import socket
import threading
from typing import Any

from tests.threads import Work


class FaultyNetwork:
    """Forwards connections on a local port to the database, until told otherwise.

    Attributes:
        port: where to connect.
    """

    def __init__(self, *, host: str, port: int, listen: str = "127.0.0.1") -> None:
        # As for libpq: a host that begins with a slash is a directory with the server's socket.
        self._is_unix = host.startswith("/")
        self._target: Any = f"{host}/.s.PGSQL.{port}" if self._is_unix else (host, port)
        self._listener = socket.create_server((listen, 0))
        self.port = self._listener.getsockname()[1]
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._lock = threading.Lock()
        self._is_down = False
        self._swallows_answers = False
        self._is_frozen = False
        self._is_closed = False
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._forwarding = Work(self._run)

    # --- faults --------------------------------------------------------------------------------------

    def go_down(self) -> None:
        """Cut all connections and refuse new ones."""
        self._is_down = True
        self.cut()

    def come_back(self) -> None:
        self._is_down = self._is_frozen = self._swallows_answers = False

    def freeze(self) -> None:
        """Keep the connections, but let nothing through any more, and accept new ones in silence."""
        self._is_frozen = True

    def swallow_answers(self) -> None:
        """What is sent still reaches the server; its answers do not come back."""
        self._swallows_answers = True

    def cut(self) -> int:
        """Cut all connections that there are; return how many."""
        with self._lock:
            for one in self._pairs:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            return len(self._pairs) // 2

    def close(self) -> None:
        self._is_closed = True
        self._forwarding.result(10)
        with self._lock:
            for one in self._pairs:
                one.close()
        self._listener.close()

    # --- forwarding ----------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._is_closed:
            for key, _ in self._selector.select(timeout=0.02):
                if self._is_frozen:
                    break
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    self._forward(key.fileobj)  # type: ignore[arg-type]  # only sockets are registered

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        if self._is_down:
            # A reset, as from a port where nobody listens.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            client.close()
            return
        server = socket.socket(socket.AF_UNIX if self._is_unix else socket.AF_INET)
        server.connect(self._target)
        for one in (client,) if self._is_unix else (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._pairs[client], self._pairs[server] = server, client
        self._selector.register(client, selectors.EVENT_READ, "client")
        self._selector.register(server, selectors.EVENT_READ, "server")

    def _forward(self, source: socket.socket) -> None:
        if source not in self._pairs:
            # Closed with its other half a moment ago.
            return
        try:
            sent = source.recv(1 << 16)
            if sent:
                if self._selector.get_key(source).data == "client" or not self._swallows_answers:
                    self._pairs[source].sendall(sent)
                return
        except OSError:
            pass
        with self._lock:
            for one in (source, self._pairs.pop(source)):
                self._pairs.pop(one, None)
                with contextlib.suppress(KeyError):
                    self._selector.unregister(one)
                one.close()
