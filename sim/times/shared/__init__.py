"""Rows that take longer than alone: beside neighbours on their hardware, or asked for slowly."""
