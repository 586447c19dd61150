"""The dashboard: pages, the questions that they ask, and what a browser loads."""
