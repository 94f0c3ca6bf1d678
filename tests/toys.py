"""A schedule and a mitigation of one's own, as the text of a file each."""

SCHEDULE = '''
"""Backwards in reverse, as a stack would."""
from sim.order.authoring import backwards, forwards, join, repeat
from sim.schedules import schedule

@schedule("toy-stack", rule="all forwards, then backwards last first", source="this test")
def toy(device, shape):
    n = shape.microbatches
    once = join([forwards(device, range(n)), backwards(device, range(n - 1, -1, -1))])
    yield repeat(once, shape.minibatches, n)
'''
MITIGATION = '''
"""A gradient made smaller."""
from dataclasses import dataclass
from sim.mitigations import Mitigation, mitigation

@mitigation("toy-shrink", rule="the gradient times a factor", source="this test")
@dataclass(frozen=True)
class Shrink(Mitigation):
    treats_gradient = True
    factor: float = 0.5

    def gradient(self, gradient, look):
        return self.factor * gradient
'''
