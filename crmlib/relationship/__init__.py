"""What to do: the chapters' findings in three sentences, one picture and one list of customers to act on."""
