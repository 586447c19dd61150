"""`/teams`: named sets of users that own and are granted things."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.bodies import ChangeTeamSerializer, CreateTeamSerializer, read_new_team, read_team_changes
from accounts.caller import caller_of
from accounts.http.idempotent import idempotent
from accounts.http.parsers import require_body
from accounts.http.versions import ETAG, IF_MATCH, IF_NONE_MATCH, answer_with_version, expected_versions
from accounts.http.views import StrictView, StrictViewSet
from accounts.models import Team
from accounts.permissions import AdminOnly, AnyCaller
from accounts.queries import get_team, get_user_by_email, list_teams
from accounts.services.teams import add_member, change_team, create_team, delete_team, remove_member


class TeamSerializer(serializers.Serializer):
    name = serializers.CharField()
    description = serializers.CharField()
    members = serializers.SerializerMethodField(
        help_text="Their e-mail addresses; null for a key without the scope `admin`."
    )
    created_at = serializers.DateTimeField()

    def get_members(self, team: Team) -> list[str] | None:
        if not caller_of(self.context["request"]).sees_members:
            return None
        return sorted(user.email for user in team.members.all())


@extend_schema(tags=["Teams"])
class TeamViewSet(StrictViewSet):
    """Members look at their teams; admins make, change and delete them."""

    serializer_class = TeamSerializer
    lookup_field = "team"
    lookup_value_regex = "[^/]+"
    queryset = Team.objects.none()
    keyset = ("name",)

    def get_permissions(self) -> list[Any]:
        return [AnyCaller()] if self.action in ("list", "retrieve") else [AdminOnly()]

    @extend_schema(operation_id="list_teams")
    def list(self, request: Request) -> Response:
        """List your teams, by name; an admin sees all. People are told the members, and keys with the scope `admin`."""
        page = self.paginate_queryset(list_teams(caller_of(request)))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(operation_id="create_team", request=CreateTeamSerializer, responses={201: TeamSerializer})
    @idempotent()
    def create(self, request: Request) -> Response:
        """Make a team without members; admins can."""
        team = create_team(**read_new_team(request.data))
        headers = {"Location": f"/api/v1/teams/{team.name}"}
        return Response(self.get_serializer(team).data, status=201, headers=headers)

    @extend_schema(
        operation_id="get_team", parameters=[ETAG, IF_NONE_MATCH], responses={200: TeamSerializer, 304: None}
    )
    def retrieve(self, request: Request, team: str) -> Response:
        """Look at one of your teams. Its version is told to whoever is told its members."""
        found = get_team(caller_of(request), team)
        content = self.get_serializer(found).data
        # A version without the members is none; and one with them would tell of them.
        return Response(content) if content["members"] is None else answer_with_version(request, content, found.version)

    @extend_schema(operation_id="change_team", request=ChangeTeamSerializer, parameters=[ETAG, IF_MATCH])
    def partial_update(self, request: Request, team: str) -> Response:
        """Say anew what a team is for; admins can."""
        found = get_team(caller_of(request), team)
        require_body(request)
        changes, expected = read_team_changes(request.data), expected_versions(request)
        changed = change_team(team=found, changes=changes, expected=expected)
        return answer_with_version(request, self.get_serializer(changed).data, changed.version)

    @extend_schema(operation_id="delete_team", parameters=[IF_MATCH], responses={204: None})
    def destroy(self, request: Request, team: str) -> Response:
        """Delete a team that owns nothing, with all that was granted to it; admins can."""
        delete_team(team=get_team(caller_of(request), team), expected=expected_versions(request))
        return Response(status=204)


@extend_schema(tags=["Teams"])
class TeamMemberView(StrictView):
    permission_classes = (AdminOnly,)

    @extend_schema(operation_id="add_team_member", request=None, responses={204: None})
    def put(self, request: Request, team: str, user: str) -> Response:
        """Make a user, by e-mail address, a member of a team; again is harmless."""
        caller = caller_of(request)
        add_member(team=get_team(caller, team), user=get_user_by_email(caller, user))
        return Response(status=204)

    @extend_schema(operation_id="remove_team_member", responses={204: None})
    def delete(self, request: Request, team: str, user: str) -> Response:
        """Take a user out of a team: what they could do through it ends within a second; again is harmless."""
        remove_member(team=get_team(caller_of(request), team), email=user)
        return Response(status=204)
