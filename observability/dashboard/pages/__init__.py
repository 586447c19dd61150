"""A module for each part of the dashboard; its addresses stand in `urls.py`."""
