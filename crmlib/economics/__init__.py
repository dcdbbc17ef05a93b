"""What customers are worth: lifetime value, acquisition, retention, growth and experiments."""
