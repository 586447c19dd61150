"""`traceparent`: the trace that a request is part of, which its events keep."""

from typing import Final

from drf_spectacular.utils import OpenApiParameter

TRACEPARENT: Final = OpenApiParameter(
    "traceparent",
    {"type": "string"},
    "header",
    description="The trace that this is part of (W3C Trace Context): kept as a header of each event that brings none.",
)
