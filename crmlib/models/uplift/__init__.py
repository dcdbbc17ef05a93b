"""What a contact makes of each customer, learned from an experiment, and whether there is anything to learn."""
