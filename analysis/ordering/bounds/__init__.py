"""What no order can be better than: lower bounds of makespans and periods, and why."""
