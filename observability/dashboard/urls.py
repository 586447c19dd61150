"""The dashboard's addresses, by page."""

from django.urls import include, path

from observability.dashboard import events, groups, keys, overview, send, sign_in, simulations, stream, streams, users

one_group = [
    path("", groups.Group.as_view(), name="group"),
    path("/settings", groups.GroupSettingsPage.as_view(), name="group-settings"),
    path("/pause", groups.PauseGroup.as_view(), name="group-pause"),
    path("/delete", groups.DeleteGroup.as_view(), name="group-delete"),
]

urlpatterns = [
    path("", overview.Overview.as_view(), name="overview"),
    path("pulse", overview.Pulse.as_view(), name="pulse"),
    path("sign-in", sign_in.SignIn.as_view(), name="sign-in"),
    path("sign-out", sign_in.SignOut.as_view(), name="sign-out"),
    path("send", send.SendEvents.as_view(), name="send-events"),
    path("keys", keys.Keys.as_view(), name="keys"),
    path("keys/new", keys.NewKeyPage.as_view(), name="key-new"),
    path("keys/<str:key_id>/rotate", keys.RotateKey.as_view(), name="key-rotate"),
    path("keys/<str:key_id>/revoke", keys.RevokeKey.as_view(), name="key-revoke"),
    path("dead-letters", overview.Overview.as_view(), name="dead-letters"),
    path("simulations", simulations.Simulations.as_view(), name="simulations"),
    path("simulations/<int:run_id>/stop", simulations.StopSimulation.as_view(), name="simulation-stop"),
    path("users", users.Users.as_view(), name="users"),
    path("consumer-groups", groups.Groups.as_view(), name="consumer-groups"),
    path("streams", streams.Streams.as_view(), name="streams"),
    path("streams/new", streams.NewStream.as_view(), name="stream-new"),
    path("streams/<str:stream>", stream.StreamOverview.as_view(), name="stream"),
    path("streams/<str:stream>/settings", streams.StreamSettingsPage.as_view(), name="stream-settings"),
    path("streams/<str:stream>/delete", streams.DeleteStream.as_view(), name="stream-delete"),
    path("streams/<str:stream>/events", events.StreamEvents.as_view(), name="stream-events"),
    path("streams/<str:stream>/tail", events.TailEvents.as_view(), name="stream-tail"),
    path("streams/<str:stream>/events/<str:partition>/<str:offset>", events.OneEvent.as_view(), name="event-page"),
    path("streams/<str:stream>/consumer-groups", groups.StreamGroups.as_view(), name="stream-groups"),
    path("streams/<str:stream>/consumer-groups/new", groups.NewGroup.as_view(), name="group-new"),
    path("streams/<str:stream>/consumer-groups/<str:group>", include(one_group)),
]
