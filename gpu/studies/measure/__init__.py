"""One command that measures a machine: what it does, how it went, and the page that says so."""
