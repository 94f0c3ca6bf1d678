"""The torch backend: the simulator's programs on real stages, with its trace and its versions.

`assembly` makes stages from an experiment, `runtime` executes them on threads, `ranks` on
processes; `worker` is what both do on one device.  Only this package imports torch.
"""
