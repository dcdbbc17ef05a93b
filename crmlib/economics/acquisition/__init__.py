"""What it costs to win a customer, what customers bring by channel, and where prospects are lost."""
