from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.core.cache import close_caches
from django.core.checks import Tags, register
from django.core.signals import request_finished, request_started
from django.db import reset_queries

from eventflow_site.pooler import check_role_settings


class EventFlowAdminConfig(AdminConfig):
    """Django's admin under EventFlow's own site: its brand, its index."""

    default = False
    default_site = "eventflow_site.admin_site.EventFlowAdminSite"


class SiteConfig(AppConfig):
    """The site itself: settings, addresses, commands."""

    name = "eventflow_site"
    default = True

    def ready(self) -> None:
        """Spare each request two chores of Django's: there are no caches, and no query log outside of DEBUG."""
        request_started.disconnect(reset_queries)
        request_finished.disconnect(close_caches)
        register(check_role_settings, Tags.database)
