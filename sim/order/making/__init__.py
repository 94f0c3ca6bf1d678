"""What the makers of a program find by themselves: updates left out, and messages."""
