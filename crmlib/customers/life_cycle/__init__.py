"""The states of a customer, from prospect to farewell: their rules, and who was in which at the end of each month."""
