"""Two schemas compared in a process of its own, which can be ended.

Whether one schema takes everything that another one does is a hard question: a few alternatives that multiply keep the
library busy for seconds, in which this process could do nothing else.
"""

import os
import resource
import subprocess
import sys
from contextlib import suppress
from typing import Any, Final

import msgspec

from streams.schemas.compatibility import Break, Compatibility, find_breaks, is_same

_SECONDS: Final = 5.0
_MEMORY_BYTES: Final = 2 * 1024**3


class _Question(msgspec.Struct):
    old: Any
    new: Any
    wanted: Compatibility


_questions: Final = msgspec.json.Decoder(_Question)
_answers: Final = msgspec.json.Decoder(list[Break])


def compare(old: Any, new: Any, wanted: Compatibility, *, seconds: float = _SECONDS) -> list[Break]:
    """Return what in the new schema breaks what was wanted of it.

    Where that cannot be told in time, it is taken for broken as a whole.
    """
    if wanted is Compatibility.NONE or is_same(old, new):
        return []
    question = msgspec.json.encode(_Question(old, new, wanted))
    environment = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-m", __name__]
    try:
        done = subprocess.run(
            command, input=question, capture_output=True, timeout=seconds, env=environment, check=True
        )
        return _answers.decode(done.stdout)
    except (subprocess.SubprocessError, msgspec.DecodeError):
        return [Break("", wanted, f"The two could not be compared within {seconds:g} s: simplify their alternatives.")]


def main() -> None:
    """Answer one question, from standard input to standard output."""
    # Not every system can: then time alone is the bound.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    question = _questions.decode(sys.stdin.buffer.read())
    sys.stdout.buffer.write(msgspec.json.encode(find_breaks(question.old, question.new, question.wanted)))


if __name__ == "__main__":
    main()
