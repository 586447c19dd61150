"""The handles of librdkafka that this process has opened, and what becomes of them in a forked child.

A handle works with threads, which a child does not have. Used there it hangs, and so does its destructor, also the one
that runs when the child ends. A child keeps what it inherits, for ever, and opens handles of its own.
"""

import ctypes
import os
from typing import Any, Final, TypeVar

Handle = TypeVar("Handle")

_open: Final[dict[int, Any]] = {}


def keep(handle: Handle) -> Handle:
    """Remember a handle that was just opened."""
    _open[id(handle)] = handle
    return handle


def let_go(handle: object) -> None:
    """Forget a handle that was closed: it may be destroyed."""
    _open.pop(id(handle), None)


def _make_immortal() -> None:
    for handle in _open.values():
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(handle))
    _open.clear()


os.register_at_fork(after_in_child=_make_immortal)
