"""What pages show, as dataclasses: a template never asks the database."""
