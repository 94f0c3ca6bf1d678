"""What `import sim` gives to Python: the doors' commands as functions of values."""
