"""Peaks predicted from a profile's bytes, and measured, of programs on CPU threads."""

from analysis.validation.memory import predicted_peaks
from gpu.profiling.footprint import peak_bytes
from gpu.profiling.rises import stage_bytes
from gpu.profiling.solo import Solo
from sim.experiment.run import run as simulate
from sim.times.profile import Profile, StageProfile
from tests.gpu.conftest import cpu_assembly, cpu_lanes


def profile_of(assembly, **more):
    """The profile of an assembly's memory; a forward takes 1 s, a backward 2, an update 0.5."""
    solo = Solo(assembly, cpu_lanes(assembly.program.devices))
    stages = [
        StageProfile(forward_s=1.0, backward_s=2.0, update_s=0.5,
                     weight_bytes=float(sizes.weight_bytes),
                     activation_bytes=float(sizes.graph_bytes),
                     input_bytes=float(sizes.input_bytes), **held.keys)
        for sizes, held in zip(assembly.task.stage_sizes(), stage_bytes(solo), strict=True)]
    return Profile(format="pipestale-profile", version=1, stages=tuple(stages), **more)


def predicted(assembly, profile, groups):
    """Peaks of groups of stages by a simulation of the assembly's program under a profile."""
    experiment = assembly.experiment.changed(task="none")
    trace = simulate(experiment, program=assembly.program, profile=profile)
    return predicted_peaks(trace, profile, groups)


def errors(assembly, profile=None):
    """(predicted − measured) / measured of every device of an assembly, stepped alone."""
    solo = Solo(assembly, cpu_lanes(assembly.program.devices))
    workers = [solo.worker(device) for device in range(assembly.program.devices)]
    guesses = predicted(assembly, profile or profile_of(assembly),
                        [sorted(worker.stages) for worker in workers])
    return [guess / peak_bytes(worker) - 1
            for guess, worker in zip(guesses, workers, strict=True)]


def small(stages=2, minibatches=4, distances=False, optimizer="momentum", **options):
    """A small assembly of the narrow network; `chunks` stages go on each device."""
    return cpu_assembly(
        stages=stages, minibatches=minibatches,
        training={"distances": distances, "optimizer": optimizer,
                  "batch_size": 2 * options.get("microbatches", 1)}, **options)
