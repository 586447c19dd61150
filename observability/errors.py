"""What can go wrong with simulations."""

from accounts.errors import DomainError


class InvalidTemplate(DomainError):
    code = "invalid_template"
    title = "Not a usable template"


class SimulationNotFound(DomainError):
    code = "simulation_not_found"
    title = "Simulation not found"


class NotAnExport(DomainError):
    """A line of an import is not an exported event."""

    code = "not_an_export"
    title = "Not an exported event"

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"Line {line} is not an exported event: {reason}")
        self.line = line
