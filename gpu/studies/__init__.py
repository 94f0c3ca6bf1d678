"""Studies: questions put to a machine, and the reports that answer them."""
