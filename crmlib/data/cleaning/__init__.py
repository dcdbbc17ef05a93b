"""From a table as it stands to the rows that are used: nothing is lost, and money adds up to the cent."""
