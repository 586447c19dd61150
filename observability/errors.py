"""What can go wrong with simulations."""

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
