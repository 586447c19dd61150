"""The numbers of users and keys. Durations are seconds."""

from typing import Final

# A revoked key is refused within a second on every worker: look-ups are remembered for less.
KEY_CACHE_SECONDS: Final = 0.9
KEY_CACHE_SIZE: Final = 10_000
# A look-up may be as old as that when it is told: together with a body that takes no longer than this, it is no older
# than a second. Nearly all bodies are there with their heads.
BODY_AT_ONCE_SECONDS: Final = 0.1
# How long to wait for a look-up that somebody else makes; a connection is waited for two seconds.
LOOK_UP_PATIENCE_SECONDS: Final = 3.0
LAST_USED_INTERVAL_SECONDS: Final = 60
# How often a process looks for uses of keys to write down.
KEY_USE_ROUND_SECONDS: Final = 2.0
# So many streams and groups are kept of what a key touched last.
TOUCHED_KEPT: Final = 20
# Whoever owns a key that expires is warned for so long before.
EXPIRY_WARNING_SECONDS: Final = 7 * 86_400
MAX_KEY_ADDRESSES: Final = 50
MAX_ROTATION_OVERLAP_SECONDS: Final = 30 * 86_400
MAX_PASSWORD_LENGTH: Final = 256

# Passwords that were looked at, in a window that begins with the first; a good one takes its count back.
SIGN_IN_WINDOW_SECONDS: Final = 300
SIGN_IN_LIMIT_ACCOUNT_AND_ADDRESS: Final = 10
SIGN_IN_LIMIT_ADDRESS: Final = 100

# Two tabs refresh in the same moment with the same token: for so long the second gets what the first one got.
REFRESH_RACE_SECONDS: Final = 10
SESSION_SEEN_INTERVAL_SECONDS: Final = 60

MAX_KEY_NAME_CHARACTERS: Final = 120
IDEMPOTENCY_TTL_SECONDS: Final = 24 * 3600
MAX_IDEMPOTENCY_KEY_LENGTH: Final = 255
# What has expired goes in steps of so many rows, for so long in each tick: as fast as it can come.
EXPIRED_STEP_ROWS: Final = 5_000
EXPIRED_TICK_SECONDS: Final = 10.0

# The largest JSON body of any endpoint but ingest, in bytes.
MAX_BODY_BYTES: Final = 1_000_000
MAX_JSON_DEPTH: Final = 64
# Of what is wrong with a request so many things are looked for and told.
MAX_FAULTS: Final = 100
# Bounds on bodies before they are decoded: no endpoint has nearly so many fields, nor values in one of them.
MAX_BODY_FIELDS: Final = 100
MAX_FIELD_VALUES: Final = 20_000
# Files that one process makes while it sends them.
MAX_DOWNLOADS: Final = 100

# Every process remembers a stream together with its grants, and asks them for each request.
MAX_GRANTS = 100
MAX_TEAM_MEMBERS = 1_000
