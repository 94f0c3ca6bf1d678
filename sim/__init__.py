"""Simulator of pipeline-parallel training that knows which weights every pass used.

Order decides numerics; time decides throughput.  A `Program` fixes which weight version every
forward and backward reads; an engine adds times to it; training runs through it.  The package
itself imports nothing, so `import sim` stays light.
"""
