"""The wire: what a request may be and how it is read, for every API of every app."""
