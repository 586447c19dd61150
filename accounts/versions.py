"""The version of what several may change: a fingerprint of its settings, so that none undoes another's change. Pure."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder


def fingerprint(settings: Mapping[str, Any]) -> str:
    """Return the same text for the same settings, in whatever order, and another for any other."""
    text = json.dumps(settings, cls=DjangoJSONEncoder, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
