"""`/auth/*`: a token for a person, and who am I."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.caller import caller_of
from accounts.http.client_address import visitor_of
from accounts.http.fields import StrictCharField, StrictSerializer
from accounts.http.views import StrictView
from accounts.permissions import AnyCaller, Anyone
from accounts.queries import get_user_of
from accounts.services.sign_in import sign_in
from accounts.services.tokens import TokenPair, refresh_tokens, sign_out


class LoginSerializer(StrictSerializer):
    email = StrictCharField(max_length=254)
    # As long as a body may be: one too long is simply wrong, and is told so in no longer time.
    password = StrictCharField()


class RefreshSerializer(StrictSerializer):
    refresh = StrictCharField(max_length=4096)


class UserSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    email = serializers.EmailField()
    name = serializers.CharField()
    roles = serializers.ListField(child=serializers.CharField())


_TOKENS: dict[str, Any] = {
    "access": serializers.CharField(),
    "refresh": serializers.CharField(),
    "expires_in": serializers.IntegerField(),
}
TokensSerializer = inline_serializer("Tokens", _TOKENS)
SignedInSerializer = inline_serializer("SignedIn", {**_TOKENS, "user": UserSerializer()})
WhoAmISerializer = inline_serializer(
    "WhoAmI",
    {
        "user": UserSerializer(),
        "api_key": inline_serializer(
            "WhoAmIKey",
            {
                "id": serializers.CharField(),
                "scopes": serializers.ListField(child=serializers.CharField()),
                "streams": serializers.ListField(child=serializers.CharField(), allow_null=True),
            },
            allow_null=True,
        ),
        "server_version": serializers.CharField(),
    },
)


def shown_tokens(pair: TokenPair) -> dict[str, object]:
    return {"access": pair.access, "refresh": pair.refresh, "expires_in": pair.expires_in}


class _OpenView(StrictView):
    # No authenticator: a stale token in the header must not keep anybody from signing in.
    authentication_classes = ()
    permission_classes = (Anyone,)


class LoginView(_OpenView):
    @extend_schema(
        operation_id="login", tags=["Authentication"], request=LoginSerializer, responses={200: SignedInSerializer}
    )
    def post(self, request: Request) -> Response:
        """Exchange an e-mail address and a password for an access and a refresh token."""
        body = LoginSerializer.checked(request.data)
        user, pair = sign_in(**body.validated_data, visitor=visitor_of(request))
        profile = {"id": user.pk, "email": user.email, "name": user.name, "roles": sorted(user.roles)}
        return Response({**shown_tokens(pair), "user": profile})


class RefreshView(_OpenView):
    @extend_schema(
        operation_id="refresh", tags=["Authentication"], request=RefreshSerializer, responses={200: TokensSerializer}
    )
    def post(self, request: Request) -> Response:
        """Exchange a refresh token for a new pair, once; using it again later ends the whole session.

        Within ten seconds the same token gets the same new pair: two tabs may refresh in the same moment.
        """
        body = RefreshSerializer.checked(request.data)
        return Response(shown_tokens(refresh_tokens(**body.validated_data, visitor=visitor_of(request))))


class LogoutView(_OpenView):
    @extend_schema(operation_id="logout", tags=["Authentication"], request=RefreshSerializer, responses={204: None})
    def post(self, request: Request) -> Response:
        """End the session of a refresh token: all that came of the same sign-in, access tokens included."""
        body = RefreshSerializer.checked(request.data)
        sign_out(**body.validated_data)
        return Response(status=204)


class MeView(StrictView):
    permission_classes = (AnyCaller,)

    @extend_schema(operation_id="me", tags=["Authentication"], responses={200: WhoAmISerializer})
    def get(self, request: Request) -> Response:
        """Who am I: the user with their roles, and the key with its scopes and streams if one was used.

        `server_version` is told here and nowhere else: only to who has a credential.
        """
        caller = caller_of(request)
        user = get_user_of(caller)
        key = caller.key_id and {
            "id": caller.key_id,
            "scopes": sorted(caller.scopes),
            "streams": None if caller.stream_names is None else sorted(caller.stream_names),
        }
        profile = {"id": user.pk, "email": user.email, "name": user.name, "roles": sorted(user.roles)}
        return Response({"user": profile, "api_key": key, "server_version": settings.EVENTFLOW_VERSION})
