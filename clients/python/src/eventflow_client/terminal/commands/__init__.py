"""The subcommands, a module each: its parser, and what it does."""
