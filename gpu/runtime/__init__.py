"""A program executed on real devices by a worker thread each, in one process."""
