"""What it costs to win a customer, what channels bring, and what one more customer would cost."""
