"""The WSGI entry point that granian's workers load."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eventflow_site.settings")

from django.core.wsgi import get_wsgi_application



application = get_wsgi_application()
