"""What the process tells of itself: log lines, counters, traces, health. Knows no other wing."""
