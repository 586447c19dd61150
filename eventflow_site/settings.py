"""All settings, driven by environment variables (`docs/configuration.md` lists them)."""

import logging
import os
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from csp.constants import NONCE, NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from accounts.process_id import process_id
from eventflow_site import layout
from eventflow_site.database import WatchfulConnection
from eventflow_site.environment import (
    HOME,
    engines,
    env,
    mail_server,
    one_of,
    origins,
    places,
    seconds,
    sender,
    web_address,
    whole_number,
    yes_or_no,
)
from eventflow_site.version import version


def required(name: str, purpose: str) -> str:
    """Return a variable that has no safe default, or stop start-up with a way out."""
    value = env.str(name, default="")
    if not value:
        raise ImproperlyConfigured(
            f"{name} is not set: it is {purpose}. Set it in the environment, "
            f"or start with `{layout.START}`, which generates and keeps one."
        )
    return value


# --- who we are -----------------------------------------------------------------------------------
EVENTFLOW_HOME = HOME
# How users are told to run a command for operators.
MANAGE = layout.MANAGE
DEBUG = False
SECRET_KEY = required("SECRET_KEY", "the key that signs sessions and cursors")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
if "*" in ALLOWED_HOSTS:
    raise ImproperlyConfigured("ALLOWED_HOSTS is '*', which lets anybody choose the name in our links. List the names.")
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# Where people reach this installation: links in what is sent to them begin with it.
PUBLIC_URL = web_address("EVENTFLOW_PUBLIC_URL")
# The sites whose pages may use the API from a browser.
CORS_ORIGINS = origins("EVENTFLOW_CORS_ORIGINS")
ROOT_URLCONF = "eventflow_site.urls"
WSGI_APPLICATION = "eventflow_site.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
USE_I18N = False
APPEND_SLASH = False

INSTALLED_APPS = [
    "eventflow_site.apps.EventFlowAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework_simplejwt",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_prometheus",
    "django_structlog",
    "django_htmx",
    "heroicons",
    "csp",
    "accounts",
    "streams",
    "consumers",
    "observability",
    "eventflow_site.apps.SiteConfig",
]

MIDDLEWARE = [
    "eventflow_site.request_id.RequestIdMiddleware",
    "observability.telemetry.access_log.AccessLogMiddleware",
    "eventflow_site.transport.TransportMiddleware",
    "accounts.http.acting.ActingMiddleware",
    # From here to the exit is for browsers only.
    "eventflow_site.machine_lane.MachineLaneEntrance",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "eventflow_site.machine_lane.MachineLaneExit",
]
if CORS_ORIGINS:
    # Around whatever refuses: a browser shows a page no answer without its headers, not even an error.
    MIDDLEWARE.insert(
        MIDDLEWARE.index("eventflow_site.transport.TransportMiddleware"), "eventflow_site.cors.CorsMiddleware"
    )

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [layout.TEMPLATES],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
            ],
            "libraries": {"eventflow": "observability.dashboard.templatetags.eventflow"},
        },
    },
]

# --- engines of the log beside PostgreSQL ---------------------------------------------------------------
EVENTFLOW_ENGINES = engines("EVENTFLOW_ENGINES")

# --- PostgreSQL -----------------------------------------------------------------------------------
# Threads share a pool; a process that forks (Celery's prefork) or a test sets DATABASE_POOL_SIZE=0.
DATABASE_POOL_SIZE = whole_number("DATABASE_POOL_SIZE", default=10)
DATABASE_URL = required("DATABASE_URL", "the PostgreSQL that holds everything")
# Whether what DATABASE_URL names is a pooler that gives each transaction whichever session is free, and the address of
# PostgreSQL itself, for what needs a session of its own: appends, wake-ups and migrations.
DATABASE_POOLER = one_of("DATABASE_POOLER", ("none", "transaction"), default="none")
DATABASE_DIRECT_URL = env.str("DATABASE_DIRECT_URL", default="")
if (DATABASE_POOLER == "transaction") != bool(DATABASE_DIRECT_URL):
    raise ImproperlyConfigured(
        "DATABASE_POOLER=transaction and DATABASE_DIRECT_URL belong together: the second leads past the pooler, to "
        "PostgreSQL itself. Set both, or neither."
    )


def database(url: str) -> dict[str, Any]:
    """Return a connection that has its session to itself."""
    config: dict[str, Any] = env.db_url_config(url)
    # Django's own backend, counting connections, statements and errors.
    config["ENGINE"] = "eventflow_site.postgresql"
    config["CONN_MAX_AGE"] = 0
    config["CONN_HEALTH_CHECKS"] = DATABASE_POOL_SIZE > 0
    config.setdefault("OPTIONS", {}).update(
        {
            "connect_timeout": 2,
            # `synchronous_commit` is per session: 202 means durable whatever the server's default is.
            "options": "-c synchronous_commit=on -c statement_timeout=30s -c lock_timeout=5s"
            " -c idle_in_transaction_session_timeout=60s -c timezone=UTC",
            "application_name": "eventflow",
            # A network that swallows everything is noticed in seconds, not after the kernel's two hours.
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": 8000,
            # Planning the log's read costs twice as much as running it. Django's own queries are never prepared.
            "prepare_threshold": 5,
        }
    )
    return config


DATABASES: dict[str, dict[str, Any]] = {"default": database(DATABASE_URL)}
DATABASE_DIRECT: dict[str, Any] | None = database(DATABASE_DIRECT_URL) if DATABASE_DIRECT_URL else None
if DATABASE_POOLER == "transaction":
    # What one transaction leaves in a session, the next client's finds there: no settings, no prepared statements, no
    # cursors that outlive it. The time-outs are the role's own (`manage.py check --database default` says which).
    DATABASES["default"]["OPTIONS"]["options"] = ""
    DATABASES["default"]["OPTIONS"]["prepare_threshold"] = None
    DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = True
if DATABASE_POOL_SIZE:
    DATABASES["default"]["OPTIONS"]["pool"] = {
        "connection_class": WatchfulConnection,
        "min_size": 1,
        "max_size": DATABASE_POOL_SIZE,
        "timeout": 2.0,
        # Give up soon and let the next request try anew: a long back-off would outlive the outage.
        "reconnect_timeout": 1.0,
    }

# --- Redis / Valkey: broker, rate limits and caches; losing it loses no data --------------------------
REDIS_URL = required("REDIS_URL", "the Redis or Valkey that carries Celery's messages")

# --- Celery -----------------------------------------------------------------------------------------
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default=REDIS_URL)
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # What a killed worker had in its hands goes to another one after so many seconds; no task runs nearly as long.
    "visibility_timeout": whole_number("CELERY_VISIBILITY_TIMEOUT_SECONDS", default=60),
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# What the clocks of beat and a worker may differ by: by the one a tick says when it expires, by the other it does.
_CLOCKS_DIFFER_SECONDS: Final = 30


def _tick(task: str, seconds: float) -> dict[str, Any]:
    # One that waited longer than its interval is worthless: the next one does the same work.
    return {"task": task, "schedule": seconds, "options": {"expires": seconds + _CLOCKS_DIFFER_SECONDS}}


CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "delete-expired-idempotency-keys": _tick("accounts.delete_expired_idempotency_keys", 60.0),
    "delete-expired-sessions": _tick("accounts.delete_expired_sessions", 600.0),
    "delete-expired-events": _tick("streams.delete_expired_events", 30.0),
    "forget-passed-ids": _tick("streams.forget_passed_ids", 30.0),
    "merge-small-batches": _tick("streams.merge_small_batches", 10.0),
    "move-exhausted-deliveries": _tick("consumers.move_exhausted_deliveries", 1.0),
    "continue-bulk-actions": _tick("consumers.continue_bulk_actions", 1.0),
    "tidy-up-lease-mode": _tick("consumers.tidy_up", 10.0),
    "roll-up": _tick("observability.roll_up", 10.0),
    "record-groups": _tick("observability.record_groups", 30.0),
    "delete-old-rollups": _tick("observability.delete_old_rollups", 300.0),
    "drive-simulations": _tick("observability.drive_simulations", 1.0),
    "record-tick": _tick("observability.record_tick", 10.0),
    "sample-disk": _tick("observability.sample_disk", 60.0),
    "look-at-alert-rules": _tick("observability.look_at_alert_rules", 15.0),
    "send-alert-messages": _tick("observability.send_alert_messages", 2.0),
    "delete-old-alerts": _tick("observability.delete_old_alerts", 300.0),
}

if EVENTFLOW_ENGINES:
    CELERY_BEAT_SCHEDULE |= {
        "look-at-engines": _tick("streams.look_at_engines", 1.0),
        "run-mirrors": _tick("streams.run_mirrors", 1.0),
        "look-at-unfinished": _tick("consumers.look_at_unfinished", 5.0),
        "look-after-engines": _tick("streams.look_after_engines", 10.0),
        "carry-on-moves": _tick("streams.carry_on_moves", 1.0),
        "clear-engines": _tick("streams.clear_engines", 30.0),
    }

# --- users, sessions, tokens ------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "overview"
# Plain HTTP on a developer's machine is the one reason to send cookies without TLS.
SECURE_COOKIES = yes_or_no("EVENTFLOW_SECURE_COOKIES", default=True)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_COOKIES
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
CSRF_FAILURE_VIEW = "observability.dashboard.pages.sign_in.outdated_token"
SECURE_SSL_REDIRECT = yes_or_no("EVENTFLOW_SSL_REDIRECT", default=False)
SECURE_HSTS_SECONDS = whole_number("EVENTFLOW_HSTS_SECONDS", default=31536000 if SECURE_COOKIES else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE_HSTS_SECONDS > 0
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
# Trust X-Forwarded-* only when the operator says that a proxy of theirs sets it.
TRUSTED_PROXY_COUNT = whole_number("EVENTFLOW_TRUSTED_PROXIES", default=0)
if TRUSTED_PROXY_COUNT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

JWT_SIGNING_KEY = required("JWT_SIGNING_KEY", "the key that signs access tokens, apart from SECRET_KEY")
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=15),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=14),
    "ALGORITHM": "HS256",
    "SIGNING_KEY": JWT_SIGNING_KEY,
    "ISSUER": "eventflow",
    "AUDIENCE": "eventflow-api",
    "USER_ID_CLAIM": "sub",
}

# --- API ----------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.CallerAuthentication"],
    # Every view names its own permission; one that forgets is closed to everybody.
    "DEFAULT_PERMISSION_CLASSES": ["accounts.permissions.NobodyUnlessNamed"],
    "DEFAULT_PARSER_CLASSES": ["accounts.http.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["accounts.http.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "accounts.http.negotiation.JSONOnly",
    "DEFAULT_PAGINATION_CLASS": "eventflow_site.api.pagination.KeysetPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    # OPTIONS answers 405, like any method that is not there.
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "eventflow_site.api.openapi.ProblemAutoSchema",
    "EXCEPTION_HANDLER": "eventflow_site.api.errors.problem_handler",
    "UNAUTHENTICATED_USER": None,
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%S.%fZ",
}
# Of the package; that of the API, below, is in its addresses.
EVENTFLOW_VERSION = version()
SPECTACULAR_SETTINGS = {
    "TITLE": "EventFlow",
    "DESCRIPTION": "Durable, ordered, replayable event streams over plain HTTP.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "eventflow_site.api.openapi.say_what_is_refused",
    ],
    "COMPONENT_SPLIT_REQUEST": True,
    # Fields of one name with different words need names of their own.
    "ENUM_NAME_OVERRIDES": {
        "AlertChannelKindEnum": ["webhook", "slack", "email"],
        "GroupRightEnum": ["use", "manage"],
        "StreamRightEnum": ["produce", "consume", "manage"],
        "CommitStatusEnum": ["committed", "outdated"],
        "DeadLetterStatusEnum": ["open", "redriven", "resolved", "discarded"],
        "LeaseOutcomeEnum": ["acked", "nacked", "expired", "released", "lost", "skipped", "lapsed"],
        "RedriveOutcomeEnum": ["pending", "acked", "dead_again", "superseded"],
    },
}
# The largest request that any endpoint reads; ingest has its own limit in streams/conf.py.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000

# --- static files -------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATICFILES_DIRS = [layout.CODE / "observability/dashboard/static"]
# WhiteNoise serves straight from the apps: there is no collectstatic step to forget.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

# --- logs -----------------------------------------------------------------------------------------------
LOG_LEVEL = one_of("LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), default="INFO")
LOG_FORMAT = one_of("LOG_FORMAT", ("auto", "json", "pretty"), default="auto")
LOGGING_CONFIG = "observability.telemetry.log_format.configure"
LOGGING = {"level": LOG_LEVEL, "format": LOG_FORMAT}
SLOW_REQUEST_SECONDS = seconds("EVENTFLOW_SLOW_REQUEST_SECONDS", default=1.0)
SLOW_SQL_SECONDS = seconds("EVENTFLOW_SLOW_SQL_SECONDS", default=0.5)
# /metrics: who has the token; without one, this machine alone.
# How much one owner (a user or a team) may have; 0: as much as they like.
QUOTAS = {
    "streams": whole_number("EVENTFLOW_QUOTA_STREAMS", default=0),
    "partitions": whole_number("EVENTFLOW_QUOTA_PARTITIONS", default=0),
    "groups": whole_number("EVENTFLOW_QUOTA_GROUPS", default=0),
    "keys": whole_number("EVENTFLOW_QUOTA_KEYS", default=0),
    "stored_mib": whole_number("EVENTFLOW_QUOTA_STORED_MIB", default=0),
    "simulations": whole_number("EVENTFLOW_QUOTA_SIMULATIONS", default=0),
    "alert_rules": whole_number("EVENTFLOW_QUOTA_ALERT_RULES", default=100),
    "alert_channels": whole_number("EVENTFLOW_QUOTA_ALERT_CHANNELS", default=20),
}
# What a key, and an owner with all keys together, may do a second in the long run, and for so many seconds at once;
# 0: as much as they like.
RATE_LIMITS = {
    "key": {
        "requests": whole_number("EVENTFLOW_LIMIT_KEY_REQUESTS", default=0),
        "events": whole_number("EVENTFLOW_LIMIT_KEY_EVENTS", default=0),
        "bytes": whole_number("EVENTFLOW_LIMIT_KEY_KIB", default=0) * 1024,
    },
    "owner": {
        "requests": whole_number("EVENTFLOW_LIMIT_OWNER_REQUESTS", default=0),
        "events": whole_number("EVENTFLOW_LIMIT_OWNER_EVENTS", default=0),
        "bytes": whole_number("EVENTFLOW_LIMIT_OWNER_KIB", default=0) * 1024,
    },
}
# For each 256 KiB of a live stream or a download, until the client has taken it: who is slower is hung up on. 0: nobody
# is, but who takes nothing at all.
READER_SECONDS = seconds("EVENTFLOW_READER_SECONDS", default=60.0)
RATE_LIMIT_BURST_SECONDS = whole_number("EVENTFLOW_LIMIT_BURST_SECONDS", default=10)
# The retention by age of a stream that is made without any, a hundred years at most; 0: none.
DEFAULT_RETENTION_DAYS = whole_number("EVENTFLOW_DEFAULT_RETENTION_DAYS", default=0, highest=36_600)
# Of one stream that does not store an id twice: beyond that its window is shorter than asked for. Each takes some 160
# bytes on the disk.
MAX_REMEMBERED_IDS = whole_number("EVENTFLOW_MAX_REMEMBERED_IDS", default=50_000_000)
# Of one group that keeps the order of keys: how many events may be held up by others of their key. Beyond that nothing
# more is handed out of a partition whose next event would be.
MAX_HELD_UP = whole_number("EVENTFLOW_MAX_HELD_UP", default=100_000)

# The disk that the log is on: a directory on it, or how much the database may use of one that is elsewhere. Neither:
# nobody knows how full it is.
DISK_PATH = env.str("EVENTFLOW_DISK_PATH", default="")
DISK_CAPACITY_BYTES = whole_number("EVENTFLOW_DISK_GIB", default=0) * 2**30

# --- alerts: mail through this server, and inner addresses that alerts may be sent to -----------------------
MAIL_SERVER = mail_server("EMAIL_URL")
if MAIL_SERVER is not None:
    EMAIL_HOST, EMAIL_PORT = MAIL_SERVER.host, MAIL_SERVER.port
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = MAIL_SERVER.user, MAIL_SERVER.password
    EMAIL_USE_SSL, EMAIL_USE_TLS = MAIL_SERVER.uses_ssl, MAIL_SERVER.uses_tls
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = sender("EMAIL_FROM", default="eventflow@localhost")
ALERT_EGRESS_ALLOW = places("EVENTFLOW_ALERT_EGRESS_ALLOW")

METRICS_TOKEN = env.str("EVENTFLOW_METRICS_TOKEN", default="")
# Two extras (requirements-extras.txt), off unless asked for: traces to an OpenTelemetry collector, errors to Sentry.
TRACES_ENABLED = yes_or_no("EVENTFLOW_TRACES", default=False)
SENTRY_DSN = env.str("SENTRY_DSN", default="")
SENTRY_ENVIRONMENT = env.str("SENTRY_ENVIRONMENT", default="production")
if TRACES_ENABLED:
    MIDDLEWARE.insert(1, "observability.telemetry.tracing.TracingMiddleware")
# Where other containers of this installation count (their PROMETHEUS_MULTIPROC_DIR), if not where this one does.
METRICS_MORE_DIRS = env.list("EVENTFLOW_METRICS_MORE_DIRS", default=[])
# prometheus_client takes any value for a directory that is there already, an empty one too.
if metrics_dir := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
    Path(metrics_dir).mkdir(parents=True, exist_ok=True)
    # Not before: prometheus_client looks at the variable when it is imported.
    from observability.telemetry.own_counts import count_in_own_files

    # Each count asks which process it is in; the system need not be asked each time.
    count_in_own_files(process_id)
else:
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
# A task that fails leaves a line. Several succeed each second: the metrics count them, a log would drown in them.
DJANGO_STRUCTLOG_CELERY_ENABLED = True
DJANGO_STRUCTLOG_CELERY_TASK_START_LOG_LEVEL = logging.DEBUG
DJANGO_STRUCTLOG_CELERY_TASK_SUCCESS_LOG_LEVEL = logging.DEBUG
