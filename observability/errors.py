"""What can go wrong with simulations."""

from accounts.errors import DomainError


class InvalidTemplate(DomainError):
    code = "invalid_template"
    title = "Not a usable template"


class SimulationNotFound(DomainError):
    code = "simulation_not_found"
    title = "Simulation not found"
