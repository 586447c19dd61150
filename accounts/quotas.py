"""How much one owner may have: limits of the installation, each off until it is set."""

from django.conf import settings

from accounts.errors import QuotaExceeded

STREAMS = "streams"
PARTITIONS = "partitions"
GROUPS = "groups"
KEYS = "keys"
STORED_MIB = "stored_mib"
SIMULATIONS = "simulations"
ALERT_RULES = "alert_rules"
ALERT_CHANNELS = "alert_channels"


def quota_of(quota: str) -> int | None:
    """Return how many an owner may have, or None where there is no limit."""
    return settings.QUOTAS[quota] or None


def check_quota(quota: str, *, owner: str, used: int, more: int = 1) -> None:
    """Refuse what would give an owner more than the installation allows.

    Two who ask at once may both pass: it bounds growth, to the last one it does not count.

    Raises:
        QuotaExceeded
    """
    most = quota_of(quota)
    if most is not None and used + more > most:
        raise QuotaExceeded(quota, f"{owner} has {used} {quota} of at most {most}.")
