"""A program executed by a process per device: ranks, their links, and who is still alive."""
