"""Streams and the schemas of their events in the admin."""

from streams.admin.schemas import EventSchemaAdmin
from streams.admin.streams import StreamAdmin

__all__ = ["EventSchemaAdmin", "StreamAdmin"]
