"""CloudEvents 1.0, in and out: how they become events of ours, and events of ours become them. Pure."""
