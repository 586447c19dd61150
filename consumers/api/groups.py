"""`/streams/{stream}/consumer-groups` and `/consumer-groups`."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.caller import caller_of
from accounts.http.idempotent import idempotent
from accounts.http.parsers import require_body
from accounts.http.versions import ETAG, IF_MATCH, IF_NONE_MATCH, answer_with_version, expected_versions
from accounts.http.views import StrictViewSet
from accounts.names import NAME_PATTERN
from accounts.permissions import MayConsume
from accounts.queries import find_owner
from accounts.roles import Right
from accounts.services.owners import new_owner_of
from consumers.access import GroupRight
from consumers.bodies.groups import (
    ChangeGroupSerializer,
    CreateGroupSerializer,
    FilterSerializer,
    read_group_changes,
    read_new_group,
)
from consumers.models import ConsumerGroup, Mode, Ordering, Start
from consumers.progress_queries import lag_of, lost_of, lost_total_of
from consumers.queries import get_group, list_groups, list_visible_groups, load_offsets, require_group, with_offsets
from consumers.services.groups import change_group, create_group, delete_group
from streams.lookup import require_stream


class GroupSerializer(serializers.Serializer):
    name = serializers.CharField()
    stream = serializers.CharField(source="stream.name")
    mode = serializers.ChoiceField(choices=Mode.values)
    start = serializers.ChoiceField(choices=Start.values)
    ack_wait = serializers.IntegerField(source="ack_wait_seconds")
    max_failures = serializers.IntegerField()
    max_deliveries = serializers.IntegerField()
    backoff = serializers.ListField(child=serializers.IntegerField(), source="backoff_seconds")
    ordering = serializers.ChoiceField(choices=Ordering.values)
    max_in_flight = serializers.IntegerField()
    paused = serializers.BooleanField(source="is_paused")
    filter = FilterSerializer(allow_null=True, help_text="What it is given; null: everything.")
    owner = serializers.CharField(
        source="owner_name",
        help_text="A user's e-mail address, or a team's name: may use and manage it, as may who manages the stream.",
    )
    created_at = serializers.DateTimeField()
    lag = serializers.SerializerMethodField(help_text="Events that are still there and not finished.")
    lost = serializers.SerializerMethodField(
        help_text="Events that retention took before the group had finished them, since somebody acknowledged it."
    )
    lost_total = serializers.SerializerMethodField(help_text="The same since the group began: what to acknowledge.")

    def get_lag(self, group: ConsumerGroup) -> int:
        return lag_of(group.offsets.all())

    def get_lost(self, group: ConsumerGroup) -> int:
        return lost_of(group.offsets.all())

    def get_lost_total(self, group: ConsumerGroup) -> int:
        return lost_total_of(group.offsets.all())


class GroupProgressSerializer(GroupSerializer):
    members = serializers.SerializerMethodField()

    def get_members(self, group: ConsumerGroup) -> list[dict[str, Any]]:
        return [{"name": member.name, "last_seen_at": member.last_seen_at} for member in group.members.all()]


@extend_schema(tags=["Consumer groups"])
class GroupViewSet(StrictViewSet):
    """The groups of one stream. Whoever may consume a stream may look at all of them, and make groups of their own."""

    permission_classes = (MayConsume,)
    serializer_class = GroupSerializer
    queryset = ConsumerGroup.objects.none()
    keyset = ("name",)
    query_parameters = {"destroy": ("confirm",)}

    @extend_schema(operation_id="list_stream_groups")
    def list(self, request: Request, stream: str) -> Response:
        """List a stream's groups, by name."""
        groups = list_groups(require_stream(caller_of(request), stream, Right.CONSUME))
        page = self.paginate_queryset(with_offsets(groups))
        return self.get_paginated_response(GroupSerializer(page, many=True).data)

    @extend_schema(
        operation_id="create_group",
        request=CreateGroupSerializer,
        responses={201: GroupSerializer, 200: GroupSerializer},
    )
    @idempotent()
    def create(self, request: Request, stream: str) -> Response:
        """Create a group, yours or your team's; an equal one that exists answers 200, a different one 409."""
        found = require_stream(caller_of(request), stream, Right.CONSUME)
        caller = caller_of(request)
        name, settings, owner = read_new_group(request.data)
        owned_by = caller.principal if owner is None else find_owner(caller, owner)
        group, is_new = create_group(stream=found, name=name, settings=settings, owner=owned_by)
        return Response(_represent(group), status=201 if is_new else 200)

    @extend_schema(
        operation_id="get_group", parameters=[ETAG, IF_NONE_MATCH], responses={200: GroupSerializer, 304: None}
    )
    def retrieve(self, request: Request, stream: str, group: str) -> Response:
        """Look at one group."""
        found = get_group(require_stream(caller_of(request), stream, Right.CONSUME), group)
        return answer_with_version(request, _represent(found), found.version)

    @extend_schema(operation_id="change_group", request=ChangeGroupSerializer, parameters=[ETAG, IF_MATCH])
    def partial_update(self, request: Request, stream: str, group: str) -> Response:
        """Change some settings of a group that you manage; the mode and the start stay."""
        found = _managed(request, stream, group)
        require_body(request)
        changes, owner = read_group_changes(request.data)
        if owner is not None:
            changes |= new_owner_of(found, name=owner, caller=caller_of(request))
        changed = change_group(group=found, changes=changes, expected=expected_versions(request))
        return answer_with_version(request, _represent(changed), changed.version)

    @extend_schema(
        operation_id="delete_group",
        parameters=[
            IF_MATCH,
            OpenApiParameter(
                "confirm",
                {"type": "string", "pattern": NAME_PATTERN},
                required=True,
                description="The group's name once more; without it you are told what goes.",
            ),
        ],
        responses={204: None},
    )
    def destroy(self, request: Request, stream: str, group: str) -> Response:
        """Delete a group that you manage, with its offsets and dead letters; the events stay."""
        found = _managed(request, stream, group)
        delete_group(group=found, confirm=self.query.get("confirm"), expected=expected_versions(request))
        return Response(status=204)


def _managed(request: Request, stream: str, group: str) -> ConsumerGroup:
    caller = caller_of(request)
    return require_group(caller, require_stream(caller, stream, Right.CONSUME), group, GroupRight.MANAGE)


def _represent(group: ConsumerGroup) -> dict[str, Any]:
    load_offsets(group)
    return GroupSerializer(group).data


@extend_schema(tags=["Consumer groups"])
class AllGroupsViewSet(StrictViewSet):
    """Every group that the caller may see, whichever its stream."""

    permission_classes = (MayConsume,)
    serializer_class = GroupProgressSerializer
    queryset = ConsumerGroup.objects.none()
    keyset = ("stream__name", "name")

    @extend_schema(operation_id="list_groups")
    def list(self, request: Request) -> Response:
        """List all groups that you may see, with their lag and members."""
        page = self.paginate_queryset(list_visible_groups(caller_of(request)))
        return self.get_paginated_response(GroupProgressSerializer(page, many=True).data)
