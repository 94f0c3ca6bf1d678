"""The simulator beside a machine: steps and memory, errors of events, timelines in pairs."""
