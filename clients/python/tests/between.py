"""What stands between client and server, byte for byte: it can cut connections, hold answers back, or lose patience."""

import socket
import ssl
import threading
from contextlib import suppress
from typing import Self

_LATE = b"HTTP/1.1 504 Gateway Timeout\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\nlate"


class Between:
    """A TCP relay in front of one port.

    Attributes:
        holds_back: answers wait until the server has ended the connection, as a proxy does that gathers them first.
        patience_seconds: a connection on which the server says nothing for so long is answered with 504 and cut.
        is_mute: it is cut without an answer.
        encryption: TLS to the client, which the server knows nothing of.
        accepted: how many connections there were.
    """

    def __init__(
        self,
        port: int,
        *,
        holds_back: bool = False,
        patience_seconds: float | None = None,
        is_mute: bool = False,
        encryption: ssl.SSLContext | None = None,
    ) -> None:
        self._target = port
        self.holds_back = holds_back
        self.patience_seconds = patience_seconds
        self.is_mute = is_mute
        self.encryption = encryption
        self.accepted = 0
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http{'s' if encryption else ''}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Cut all connections there are."""
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            if self.encryption:
                try:
                    near = self.encryption.wrap_socket(near, server_side=True)
                except OSError:
                    continue
            far = socket.create_connection(("127.0.0.1", self._target))
            self._open += [near, far]
            threading.Thread(target=self._up, args=(near, far), daemon=True).start()
            threading.Thread(target=self._down, args=(far, near), daemon=True).start()

    @staticmethod
    def _up(near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):
            while content := near.recv(65536):
                far.sendall(content)
        with suppress(OSError):
            far.shutdown(socket.SHUT_RDWR)

    def _down(self, far: socket.socket, near: socket.socket) -> None:
        far.settimeout(self.patience_seconds)
        held = b""
        with suppress(OSError):
            try:
                while content := far.recv(65536):
                    if self.holds_back and b"text/event-stream" in held + content:
                        held += content
                    else:
                        near.sendall(content)
            except TimeoutError:
                if not self.is_mute:
                    near.sendall(_LATE)
            near.sendall(held)
        with suppress(OSError):
            near.shutdown(socket.SHUT_RDWR)
