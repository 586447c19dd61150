"""What an installation does in a second, as one client sees it: `eventflow bench`."""
