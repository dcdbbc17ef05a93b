"""What comes in: the tables' contracts, where they are read from, and the check that loses nothing."""
