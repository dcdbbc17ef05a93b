"""What the states of a customer's life are worth, how customers move between them, and where to stop contacting."""
