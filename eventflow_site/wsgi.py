"""Django's own handler as a WSGI application, for tools that want one; web workers load `eventflow_site.front.rsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eventflow_site.settings")

application = get_wsgi_application()
