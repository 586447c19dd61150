"""The WSGI entry point that granian's workers load."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eventflow_site.settings")

from django.core.wsgi import get_wsgi_application

from eventflow_site.transport import BodyGuard

application = BodyGuard(get_wsgi_application())
