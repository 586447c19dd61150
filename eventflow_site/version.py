"""Which version of EventFlow this is."""

import importlib.metadata
import tomllib

from eventflow_site.layout import CODE, IS_INSTALLED


def version() -> str:
    """The version in pyproject.toml: of the installed package, or of the checkout."""
    if IS_INSTALLED:
        return importlib.metadata.version("eventflow")
    with (CODE / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])
