"""Look at a firm's file: which column is which, how it is written, and what speaks for each guess."""
