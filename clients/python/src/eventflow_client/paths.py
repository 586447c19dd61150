"""Addresses below `/api/v1`."""

from urllib.parse import quote


def of_stream(stream: str) -> str:
    return f"/streams/{quote(stream, safe='')}"


def of_group(stream: str, group: str) -> str:
    return f"{of_stream(stream)}/consumer-groups/{quote(group, safe='')}"
