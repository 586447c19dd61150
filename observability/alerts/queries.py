"""Which rules, channels and alerts a caller may see: their own, those of their teams, and all for an admin."""

from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery

from accounts.caller import Caller
from accounts.principals import Principal
from accounts.row_ids import row_id_in
from observability.errors import AlertChannelNotFound, AlertRuleNotFound
from observability.models import Alert, AlertChannel, AlertNotification, AlertRule, AlertState


def list_channels(caller: Caller) -> QuerySet[AlertChannel]:
    """The channels that a caller may see, each with the id of its last notification."""
    last = AlertNotification.objects.filter(channel=OuterRef("pk")).order_by("-pk").values("pk")[:1]
    channels = AlertChannel.objects.select_related("owner", "owner_team").annotate(last_id=Subquery(last))
    return channels.filter(_theirs(caller))


def get_channel(caller: Caller, channel_id: str) -> AlertChannel:
    """Return one channel that the caller may see, and so manage.

    Raises:
        AlertChannelNotFound
    """
    number = row_id_in(channel_id)
    found = None if number is None else list_channels(caller).filter(pk=number).first()
    if found is None:
        raise AlertChannelNotFound("There is no such alert channel, or you may not see it.")
    return found


def last_notifications(channels: list[AlertChannel]) -> dict[int, AlertNotification]:
    """Return what was sent last to each of these channels (as `list_channels` gives them), by the channel's id."""
    ids = [last_id for channel in channels if (last_id := getattr(channel, "last_id", None))]
    return {each.channel_id: each for each in AlertNotification.objects.filter(pk__in=ids)}


def list_rules(caller: Caller) -> QuerySet[AlertRule]:
    """The rules that a caller may see, with their channels."""
    rules = AlertRule.objects.select_related("owner", "owner_team", "stream", "group").prefetch_related("channels")
    return rules.filter(_theirs(caller))


def get_rule(caller: Caller, rule_id: str) -> AlertRule:
    """Return one rule that the caller may see, and so manage.

    Raises:
        AlertRuleNotFound
    """
    number = row_id_in(rule_id)
    found = None if number is None else list_rules(caller).filter(pk=number).first()
    if found is None:
        raise AlertRuleNotFound("There is no such alert rule, or you may not see it.")
    return found


def list_alerts(caller: Caller) -> QuerySet[Alert]:
    """What the rules that a caller may see have fired."""
    alerts = Alert.objects.exclude(state=AlertState.PENDING).select_related("rule__owner", "rule__owner_team")
    return alerts.filter(_theirs(caller, "rule__"))


def list_usable_channels(caller: Caller, owner: Principal) -> QuerySet[AlertChannel]:
    """The channels that rules of this owner can send to, as far as the caller may see them."""
    if owner.team_id is not None:
        return list_channels(caller).filter(owner_team_id=owner.team_id)
    teams = Q(owner_team__members=owner.user_id)
    return list_channels(caller).filter(Q(owner_id=owner.user_id) | teams).distinct()


def _theirs(caller: Caller, path: str = "") -> Q:
    if caller.sees_everybody:
        return Q()
    own: dict[str, Any] = {f"{path}owner_id": caller.user_id}
    return Q(**own) | Q(**{f"{path}owner_team_id__in": caller.team_ids})
