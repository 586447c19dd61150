"""What the first start created, kept so that each later greeting can say it."""

import json
import os
from pathlib import Path

_ALWAYS_THERE = {"admin_email", "stream", "consumer_group"}


def read_answer(path: Path) -> dict[str, str] | None:
    """What is kept there; None when nothing is, or nothing that can be read: a power cut may leave a file empty."""
    try:
        answer = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return answer if isinstance(answer, dict) and answer.keys() >= _ALWAYS_THERE else None


def keep_answer(path: Path, answer: dict[str, str]) -> None:
    """Replace what is kept (0600) in one step, which a power cut does not undo by half."""
    draft = path.with_suffix(".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(answer, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
