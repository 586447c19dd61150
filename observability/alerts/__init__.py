"""Alerts: what is watched, what has been noticed of it, and telling people."""
