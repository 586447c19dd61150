from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class EventFlowAdminConfig(AdminConfig):
    """Django's admin under EventFlow's own site: its brand, its index."""

    default = False
    default_site = "eventflow_site.admin_site.EventFlowAdminSite"


class SiteConfig(AppConfig):
    """The site itself: settings, addresses, commands."""

    name = "eventflow_site"
    default = True
