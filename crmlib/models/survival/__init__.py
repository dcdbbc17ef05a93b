"""How long contracts last: survival curves, what goes with leaving early, and months still to come."""
