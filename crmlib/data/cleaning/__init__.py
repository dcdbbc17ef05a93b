"""From a source table to the rows that are used: every row is counted, and money adds up to the cent."""
