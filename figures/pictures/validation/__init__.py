"""The gallery's validation: what this project measured on the machine it was made on."""
