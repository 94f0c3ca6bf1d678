"""What stages read and hold, drawn on given axes, and which of them are shown."""
