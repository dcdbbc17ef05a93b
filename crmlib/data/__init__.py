"""The tables of a firm: contracts, sources, and a data check that counts every row."""
