"""The numbers of what is seen from outside. Durations are seconds."""

from typing import Final

# --- roll-ups ---
ROLLUP_KEEP_SECONDS: Final = 30 * 86400
# One step is one transaction: so many events, of so many partitions, are read and added up in it.
ROLLUP_STEP_EVENTS: Final = 20_000
ROLLUP_STEP_PARTITIONS: Final = 100
# What each of a step's partitions may have at least, however many they are.
ROLLUP_SHARE_EVENTS: Final = 1_000
ROLLUP_READ_EVENTS: Final = 5_000
ROLLUP_READ_BYTES: Final = 8 * 1024 * 1024
# What one tick may take, of the ten seconds between ticks: the rest of the processor belongs to the requests.
ROLLUP_TICK_SECONDS: Final = 2.5
# Types counted by name in one stream and hour; further ones are counted together, as OTHER_TYPES.
ROLLUP_MAX_TYPES: Final = 100
OTHER_TYPES: Final = ""
# Of each table in one step, and how long a tick goes on with steps: as fast as rows can come.
ROLLUP_DELETE_ROWS: Final = 10_000
ROLLUP_DELETE_SECONDS: Final = 20.0

# Where groups stood, by the minute: a row for each of them, so not for long. Of each hour the first remains.
GROUP_MINUTES_KEEP_SECONDS: Final = 2 * 86400
GROUP_HOURS_KEEP_SECONDS: Final = ROLLUP_KEEP_SECONDS

# --- stats ---
# How far back the rates look from which the time to catch up is estimated.
CATCH_UP_SECONDS: Final = 300
DEFAULT_WINDOW_SECONDS: Final = 3600
MIN_WINDOW_SECONDS: Final = 60
MAX_WINDOW_SECONDS: Final = ROLLUP_KEEP_SECONDS
# A longer window is answered hour by hour.
MAX_MINUTES_WINDOW_SECONDS: Final = 86400
STATS_MAX_TYPES: Final = 50
# A range of a group's is told in points of the shortest of these lengths that makes no more of them than that.
GROUP_STEPS_SECONDS: Final = (60, 300, 900, 3600, 4 * 3600)
GROUP_MAX_POINTS: Final = 200

# --- health ---
HEARTBEAT_INTERVAL_SECONDS: Final = 10
HEARTBEAT_LATE_SECONDS: Final = 60

# --- work in the background ---
# It runs every ten to thirty seconds.
BACKGROUND_LATE_SECONDS: Final = 120
# Retention is behind when a stream keeps more than its limits by this share and a batch, or for so much longer.
RETENTION_TOLERANCE: Final = 1 / 10
RETENTION_LATE_SECONDS: Final = 300

# --- disk ---
# One sample is kept for each period. A tick is more frequent: it renews the period's sample.
DISK_PERIOD_SECONDS: Final = 600
DISK_KEEP_SECONDS: Final = 2 * 86400
# Whoever does not answer for so long hangs.
DISK_PATIENCE_SECONDS: Final = 5.0
# A sample that is older tells nothing any more.
DISK_STALE_SECONDS: Final = 3600
# A whole day, so that busy hours and quiet ones are both in it; of less than some hours the first WAL files alone
# would make a forecast.
DISK_FORECAST_SECONDS: Final = 86400
DISK_FORECAST_MIN_SECONDS: Final = 3 * 3600
DISK_FORECAST_MIN_SAMPLES: Final = 6
DISK_HORIZON_SECONDS: Final = 365 * 86400
# When to warn.
DISK_LOW_PERCENT: Final = 85
DISK_LOW_SECONDS: Final = 7 * 86400

# --- metrics ---
# Beyond these many, only the fullest streams and the groups most in need get lines of their own.
MAX_LABELLED_STREAMS: Final = 2_000
MAX_LABELLED_GROUPS: Final = 2_000
SCRAPE_TIMEOUT_SECONDS: Final = 5
# After an outage was met, scrapes leave the database alone for so long.
RETRY_DATABASE_SECONDS: Final = 5.0

# --- export and import: what goes through memory at once ---
TRANSFER_EVENTS: Final = 1_000
TRANSFER_BYTES: Final = 8 * 1024 * 1024

# --- refused appends ---
REJECTIONS_ROUND_SECONDS: Final = 2.0
REJECTIONS_WINDOW_SECONDS: Final = 300
REJECTIONS_KEEP_SECONDS: Final = 3600

# --- alerts ---
# Of a rule for many groups or streams so many are told at once: the worst.
ALERTS_OF_ONE_RULE: Final = 50
CHANNELS_OF_ONE_RULE: Final = 10
MAX_ALERT_FOR_SECONDS: Final = 7 * 86400
MIN_ALERT_REPEAT_SECONDS: Final = 60
MAX_ALERT_REPEAT_SECONDS: Final = 30 * 86400
ALERTS_KEEP_SECONDS: Final = 30 * 86400
ALERTS_DELETE_ROWS: Final = 1_000
ALERTS_DELETE_SECONDS: Final = 5.0
ALERT_TEST_INTERVAL_SECONDS: Final = 10
# What one try may take in all; what is taken for longer is taken from who has it.
ALERT_SEND_SECONDS: Final = 10.0
ALERT_LEASE_SECONDS: Final = 60
ALERT_SEND_TICK_SECONDS: Final = 20.0
# After so many seconds a channel that failed is tried again; the last one repeats, until a message is a day old.
ALERT_BACKOFF_SECONDS: Final = (10, 30, 60, 300, 900, 1800, 3600)
ALERT_GIVE_UP_SECONDS: Final = 86400

# --- the dashboard's live tail ---
# What stays on the page.
TAIL_ROWS: Final = 500
# A tail that is further behind goes on near the head, and says so.
TAIL_MAX_BEHIND_EVENTS: Final = 5_000
# The same where most of what is looked at is not shown.
TAIL_MAX_BEHIND_SEARCHED_EVENTS: Final = 50_000
# Nobody reads faster: what comes meanwhile goes into one message.
TAIL_PAUSE_SECONDS: Final = 0.1
# How long a page waits for the first word, and after that beyond a missing sign of life, before it asks by itself.
TAIL_PATIENCE_SECONDS: Final = 6.0
