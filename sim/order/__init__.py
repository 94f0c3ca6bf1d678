"""Order: which instruction every device executes after which, without any times."""
