"""The headers by which a made-up event can be told from a real one."""

from typing import Final

SIMULATION_HEADER: Final = "eventflow-simulation"
BAD_HEADER: Final = "eventflow-simulated-fault"
