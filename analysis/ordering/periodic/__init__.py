"""Orders without a flush: what every device does in one period, again and again."""
