"""What `tests.forked` has loaded before it forks: Django, and what its programs use of it."""

import os
from importlib import import_module

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "eventflow_site.settings"
django.setup()
for module in ("consumers.services.reconcile", "consumers.services.leasing", "streams.log"):
    import_module(module)
