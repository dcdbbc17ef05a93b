"""What each customer brings after what they cost, and how much of that is chance."""
