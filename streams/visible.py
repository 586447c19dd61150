"""Which streams a caller may see: `rights_on_stream` as a question to the database."""

from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.caller import Caller
from accounts.roles import Right, Role
from streams.models import Stream, StreamGrant, Visibility


def list_streams(caller: Caller, right: Right | None = None) -> QuerySet[Stream]:
    """The streams that a caller may see, or if a right is named, use in that way."""
    streams = Stream.objects.select_related("owner", "owner_team").prefetch_related("partitions", "grants")
    rights = caller.rights & {right} if right else caller.rights
    if not rights:
        return streams.none()
    if caller.stream_names is not None:
        streams = streams.filter(name__in=caller.stream_names)
    if caller.is_admin:
        return streams
    granted = StreamGrant.objects.filter(stream=OuterRef("pk"), rights__overlap=sorted(rights))
    theirs = Q(user_id=caller.user_id) | Q(team_id__in=caller.team_ids)
    visible: Any = Q(owner_id=caller.user_id) | Q(owner_team_id__in=caller.team_ids) | Exists(granted.filter(theirs))
    if Role.CONSUMER in caller.roles and Right.CONSUME in rights:
        visible |= Q(visibility=Visibility.INTERNAL)
    return streams.filter(visible)
