"""Django's own handler as a WSGI application, for tools that want one; web workers load `eventflow_site.front.rsgi`."""

import os

import django

from eventflow_site.handler import Handler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eventflow_site.settings")
django.setup(set_prefix=False)

application = Handler()
