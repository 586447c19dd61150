"""Are there advisories for what we depend on? Not a test: the answer changes while the code does not."""
