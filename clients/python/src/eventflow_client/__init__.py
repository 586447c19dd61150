"""EventFlow from Python: `EventFlow` for threads, `AsyncEventFlow` for asyncio, and otherwise alike.

`problems` has an exception for each code that the server refuses with; all are `EventFlowError`s.
"""

from . import models, problems
from ._async.client import AsyncEventFlow
from ._async.producer import AsyncProducer
from ._sync.client import EventFlow
from ._sync.producer import Producer
from .encoding import NewEvent
from .errors import Closed, EventFlowError, FieldError, NoAnswer, NotInTime, NotJson, Problem
from .models import Appended, Event
from .outcomes import Retries
from .producing import ProducerSettings
from .sync_kit import Pending
from .tracing import current_traceparent, traced

__all__ = [
    "Appended",
    "AsyncEventFlow",
    "AsyncProducer",
    "Closed",
    "Event",
    "EventFlow",
    "EventFlowError",
    "FieldError",
    "NewEvent",
    "NoAnswer",
    "NotInTime",
    "NotJson",
    "Pending",
    "Problem",
    "Producer",
    "ProducerSettings",
    "Retries",
    "current_traceparent",
    "models",
    "problems",
    "traced",
]
