"""What `tests.forked_server` has loaded before it forks: libraries, as long as they look at no setting."""

from importlib import import_module

# In the order in which a worker loads them. Not prometheus_client: it looks for where to count when it is loaded.
LIBRARIES = (
    *("granian.cli", "uvloop", "asyncio", "orjson", "msgspec", "zstandard", "jsonschema_rs", "uuid_utils", "yaml"),
    *("django", "django.db.models", "django.http", "django.forms", "django.template", "django.contrib.admin"),
    *(
        "django.contrib.sessions.middleware",
        "django.core.handlers.wsgi",
        "django.test",
        "django.core.management",
        "django.views.debug",
    ),
    *("django.db.backends.postgresql.base", "psycopg.types.json", "psycopg_pool", "redis.asyncio", "celery", "kombu"),
    *("structlog", "rich.console", "rest_framework.serializers", "django_filters", "drf_spectacular", "requests"),
    *("django_structlog.celery.receivers", "environ", "whitenoise.middleware", "heroicons", "psutil", "urllib.request"),
)

for module in LIBRARIES:
    import_module(module)
