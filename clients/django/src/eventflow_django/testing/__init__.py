"""For the tests of applications: what was published, and an EventFlow without a network."""

from .capturing import CapturedEvents, capture_events
from .in_memory import InMemoryEventFlow, NotAppended, in_memory_eventflow

__all__ = ["CapturedEvents", "InMemoryEventFlow", "NotAppended", "capture_events", "in_memory_eventflow"]
