"""What every refusal must be, whatever was sent."""

from typing import Any

WINDOW = 200
_OUR_OWN_TROUBLE = (
    b"Traceback",
    b"line 1 column",
    b"Exceeds the limit",
    b"Error(",
    b"object has no attribute",
    b"<html",
)


def assert_refused(answer: Any, status: int, code: str | None = None, *, sent: bytes | str = b"") -> None:
    """The answer is that problem, as JSON, and repeats no more of the input than it may."""
    assert answer.status_code == status, (answer.status_code, answer.content[:500])
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert {"type", "title", "status", "detail", "code", "request_id", "retryable"} <= set(problem)
    assert problem["status"] == status
    if code is not None:
        assert problem["code"] == code, problem
    assert_echoes_little(answer, sent)


def assert_echoes_little(answer: Any, sent: bytes | str) -> None:
    """At most 200 characters of the input come back in a row, and nothing of our insides."""
    content = answer.content
    assert len(content) < 64_000
    for ours in _OUR_OWN_TROUBLE:
        assert ours not in content, content[:500]
    raw = sent.encode() if isinstance(sent, str) else sent
    for start in range(0, min(len(raw) - WINDOW, 20_000), 37):
        assert raw[start : start + WINDOW + 1] not in content
