"""Stand-in until the embedded servers are merged: DATABASE_URL must be set."""
