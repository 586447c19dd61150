"""`/auth/sessions` and `/auth/password`: what people do with their own sign-ins."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.auth import TokensSerializer, shown_tokens
from accounts.caller import caller_of
from accounts.errors import InvalidCredentials
from accounts.http.client_address import visitor_of
from accounts.http.fields import StrictCharField, StrictSerializer
from accounts.http.views import StrictView
from accounts.models import UserSession
from accounts.permissions import PersonOnly
from accounts.queries import get_user_of, list_newest_sessions
from accounts.services.sessions import end_other_sessions, end_session
from accounts.services.sign_in import change_password


class PasswordSerializer(StrictSerializer):
    # As long as a body may be: one too long is simply wrong.
    current_password = StrictCharField()
    new_password = StrictCharField()


class SessionSerializer(serializers.Serializer):
    """A sign-in that has not ended."""

    id = serializers.CharField()
    kind = serializers.ChoiceField(choices=UserSession.Kind.choices)
    current = serializers.BooleanField(help_text="Whether this very request is of it.")
    address = serializers.CharField()
    user_agent = serializers.CharField()
    created_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()


SessionListSerializer = inline_serializer(
    "SessionList", {"data": SessionSerializer(many=True), "next": serializers.CharField(allow_null=True)}
)
EndedSerializer = inline_serializer("Ended", {"ended": serializers.IntegerField()})


class SessionsView(StrictView):
    permission_classes = (PersonOnly,)

    @extend_schema(operation_id="list_sessions", tags=["Authentication"], responses={200: SessionListSerializer})
    def get(self, request: Request) -> Response:
        """List your sessions that have not ended, the one last seen first: at most the 100 newest."""
        caller = caller_of(request)
        sessions = list_newest_sessions(caller.user_id, now=timezone.now())
        for session in sessions:
            session.current = session.pk == caller.session_id  # type: ignore[attr-defined]
        return Response({"data": SessionSerializer(sessions, many=True).data, "next": None})

    @extend_schema(operation_id="end_other_sessions", tags=["Authentication"], responses={200: EndedSerializer})
    def delete(self, request: Request) -> Response:
        """End all your sessions but this one: their browsers and tokens are refused at once."""
        caller = caller_of(request)
        ended = end_other_sessions(user_id=caller.user_id, now=timezone.now(), except_id=caller.session_id)
        return Response({"ended": ended})


class SessionView(StrictView):
    permission_classes = (PersonOnly,)

    @extend_schema(operation_id="end_session", tags=["Authentication"], responses={204: None})
    def delete(self, request: Request, session_id: str) -> Response:
        """End one of your sessions, also this one: its browser or its tokens are refused at once."""
        end_session(user_id=caller_of(request).user_id, session_id=session_id, now=timezone.now())
        return Response(status=204)


class PasswordView(StrictView):
    permission_classes = (PersonOnly,)

    @extend_schema(
        operation_id="change_password",
        tags=["Authentication"],
        request=PasswordSerializer,
        responses={200: TokensSerializer},
    )
    def post(self, request: Request) -> Response:
        """Change your password. All your other sessions end; this one goes on with the tokens in the answer."""
        caller = caller_of(request)
        body = PasswordSerializer.checked(request.data)
        pair = change_password(
            user=get_user_of(caller),
            **body.validated_data,
            session_id=caller.session_id,
            visitor=visitor_of(request),
        )
        if pair is None:
            # It has ended meanwhile; the password is changed all the same.
            raise InvalidCredentials("The password is changed, but your session has ended. Sign in again.")
        return Response(shown_tokens(pair))
