"""What is added up of the log, and each number that is shown of streams and groups, worked out once."""
