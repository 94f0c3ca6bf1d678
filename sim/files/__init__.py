"""Files of the user's: read where they are what they should be, written whole or not at all."""
