"""A network that keeps an answer back: the server has done its work, and nobody is told."""

import threading
from http.server import BaseHTTPRequestHandler
from typing import Any

from lossy import LossyNetwork


class HoldingNetwork(LossyNetwork):
    """While `holds` is set, answers stay here. `is_answered`: the server has answered something."""

    def __init__(self, port: int) -> None:
        self.holds = False
        self.is_answered = threading.Event()
        self._go_on = threading.Event()
        super().__init__(port)

    def __exit__(self, *error: object) -> None:
        self._go_on.set()
        super().__exit__(*error)

    def _answer(self, handler: BaseHTTPRequestHandler, *given: Any, **named: Any) -> None:
        self.is_answered.set()
        if self.holds:
            self._go_on.wait(60)
            return
        super()._answer(handler, *given, **named)
