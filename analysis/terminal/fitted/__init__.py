"""Tables that fit the screen they are printed on, and numbers in one unit a table."""
