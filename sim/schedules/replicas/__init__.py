"""Schedules in which a stage lives on several devices that take mini-batches in turn."""
