"""Celery's two programs, started without Celery's command line: that one loads a shell, and what each command needs."""
