"""What the audit trail tells of: every act that changes something, but appending, reading and acking."""

from enum import StrEnum


class AuditAction(StrEnum):
    """What was done, as `thing.verb`; part of the API's contract."""

    SIGNED_IN = "user.signed_in"
    SIGN_IN_REFUSED = "user.sign_in_refused"
    SESSIONS_ENDED = "user.sessions_ended"
    PASSWORD_CHANGED = "user.password_changed"  # noqa: S105 (no password)
    USER_CREATED = "user.created"
    USER_CHANGED = "user.changed"
    USER_DISABLED = "user.disabled"
    KEY_CREATED = "key.created"
    KEY_ROTATED = "key.rotated"
    KEY_REVOKED = "key.revoked"
    TEAM_CREATED = "team.created"
    TEAM_CHANGED = "team.changed"
    TEAM_DELETED = "team.deleted"
    MEMBER_ADDED = "team.member_added"
    MEMBER_REMOVED = "team.member_removed"
    STREAM_CREATED = "stream.created"
    STREAM_CHANGED = "stream.changed"
    STREAM_DELETED = "stream.deleted"
    STREAM_SHARED = "stream.shared"
    STREAM_UNSHARED = "stream.unshared"
    EVENT_ERASED = "event.erased"
    GROUP_CREATED = "group.created"
    GROUP_CHANGED = "group.changed"
    GROUP_DELETED = "group.deleted"
    GROUP_SHARED = "group.shared"
    GROUP_UNSHARED = "group.unshared"
    GROUP_SOUGHT = "group.sought"
    GROUP_LOSS_ACKNOWLEDGED = "group.loss_acknowledged"
    DEAD_LETTERS_REDRIVEN = "dead_letters.redriven"
    DEAD_LETTERS_RESOLVED = "dead_letters.resolved"
    DEAD_LETTERS_DISCARDED = "dead_letters.discarded"
