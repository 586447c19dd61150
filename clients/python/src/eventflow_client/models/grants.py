"""Rights to streams and groups, given to users and teams."""

from datetime import datetime

import msgspec


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """Who else may do what: a user by their e-mail address, or a team by its name."""

    id: int
    rights: list[str]
    granted_by: str
    created_at: datetime
    user: str | None = None
    team: str | None = None
