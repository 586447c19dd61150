"""How full the disk is on which the log is, and when it will be full."""
