"""The simulator beside a machine: timelines in pairs, steps and memory, errors of events."""
