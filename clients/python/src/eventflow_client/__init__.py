"""EventFlow from Python: `EventFlow` for threads, `AsyncEventFlow` for asyncio, and otherwise alike.

`problems` has an exception for each code that the server refuses with; all are `EventFlowError`s.
"""

from . import models, problems
from ._async.client import AsyncEventFlow
from ._async.consumer import AsyncConsumer
from ._async.producer import AsyncProducer
from ._sync.client import EventFlow
from ._sync.consumer import Consumer
from ._sync.producer import Producer
from .consuming import ConsumerSettings
from .encoding import NewEvent, encode_event
from .errors import Closed, EventFlowError, FieldError, NoAnswer, NotInTime, NotJson, Problem
from .failures import GiveUp, HandlerFailed, SomeFailed, TryLater
from .models import Appended, Event
from .outcomes import Retries
from .producing import ProducerSettings
from .refused_batches import AfterRefusal, blame
from .sync_kit import Pending
from .tracing import current_traceparent, traced

__all__ = [
    "AfterRefusal",
    "Appended",
    "AsyncConsumer",
    "AsyncEventFlow",
    "AsyncProducer",
    "Closed",
    "Consumer",
    "ConsumerSettings",
    "Event",
    "EventFlow",
    "EventFlowError",
    "FieldError",
    "GiveUp",
    "HandlerFailed",
    "NewEvent",
    "NoAnswer",
    "NotInTime",
    "NotJson",
    "Pending",
    "Problem",
    "Producer",
    "ProducerSettings",
    "Retries",
    "SomeFailed",
    "TryLater",
    "blame",
    "current_traceparent",
    "encode_event",
    "models",
    "problems",
    "traced",
]
