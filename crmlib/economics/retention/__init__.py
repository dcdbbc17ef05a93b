"""What retention is worth, what may be spent on it, and the claims about it put to the test."""
