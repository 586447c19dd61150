"""What can go wrong with simulations and alerts."""

from accounts.errors import DomainError


class InvalidTemplate(DomainError):
    """The template of a simulation does not make events: a placeholder is malformed, or the result is not JSON.

    Correct what `detail` names; the page of simulations lists the placeholders.
    """

    code = "invalid_template"
    title = "Not a usable template"


class SimulationNotFound(DomainError):
    """There is no such simulation, or somebody else started it.

    Look at the list of simulations.
    """

    code = "simulation_not_found"
    title = "Simulation not found"


class AlertRuleNotFound(DomainError):
    """There is no such alert rule, or it is somebody else's: the two look the same.

    `GET /alert-rules` lists those that you may see: your own, your teams', and all for an admin.
    """

    code = "alert_rule_not_found"
    title = "Alert rule not found"


class AlertChannelNotFound(DomainError):
    """There is no such alert channel, or it is somebody else's: the two look the same.

    `GET /alert-channels` lists those that you may see: your own, your teams', and all for an admin.
    """

    code = "alert_channel_not_found"
    title = "Alert channel not found"


class AlertChannelInUse(DomainError):
    """Rules send to the alert channel, and would tell nobody any more.

    Take it out of these rules first, or delete them; `detail` says how many they are.
    """

    code = "alert_channel_in_use"
    title = "Rules use the alert channel"


class AlertTestUnderWay(DomainError):
    """A test of this alert channel was asked for a moment ago.

    Wait for its outcome, which the channel shows as `last_notification`, and at least ten seconds.
    """

    code = "alert_test_under_way"
    title = "A test is under way"
