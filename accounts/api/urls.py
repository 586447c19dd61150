from django.urls import path
from rest_framework.routers import SimpleRouter

from accounts.api.api_keys import ApiKeyViewSet
from accounts.api.auth import LoginView, LogoutView, MeView, RefreshView
from accounts.api.sessions import PasswordView, SessionsView, SessionView
from accounts.api.teams import TeamMemberView, TeamViewSet

router = SimpleRouter(trailing_slash=False)
router.register("api-keys", ApiKeyViewSet, basename="api-keys")
router.register("teams", TeamViewSet, basename="teams")

urlpatterns = [
    path("auth/login", LoginView.as_view(), name="login"),
    path("auth/refresh", RefreshView.as_view(), name="refresh"),
    path("auth/logout", LogoutView.as_view(), name="logout"),
    path("auth/sessions", SessionsView.as_view(), name="sessions"),
    path("auth/sessions/<str:session_id>", SessionView.as_view(), name="session"),
    path("auth/password", PasswordView.as_view(), name="password"),
    path("auth/me", MeView.as_view(), name="me"),
    path("teams/<str:team>/members/<str:user>", TeamMemberView.as_view(), name="team-member"),
    *router.urls,
]
