"""Labels of a stream: a few short texts by name, for people and their tools."""

from typing import Any

MAX_LABELS = 32
MAX_LABEL_NAME_CHARACTERS = 64
MAX_LABEL_CHARACTERS = 256


def explain_labels(labels: Any) -> str | None:
    """Return what is wrong with them; None if nothing is."""
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        return 'Labels are an object of texts: {"team": "billing"}.'
    if len(labels) > MAX_LABELS or any(not 1 <= len(name) <= MAX_LABEL_NAME_CHARACTERS for name in labels):
        return f"At most {MAX_LABELS} labels with names of 1 to {MAX_LABEL_NAME_CHARACTERS} characters."
    if any(len(value) > MAX_LABEL_CHARACTERS for value in labels.values()):
        return f"The text of a label has at most {MAX_LABEL_CHARACTERS} characters."
    if any("\x00" in text for label in labels.items() for text in label):
        return "Labels must not contain NUL."
    return None
