"""How much one caller may do beside the others: rates, shares of places, and turns where all wait for the same."""
