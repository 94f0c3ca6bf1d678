"""A profile's main numbers for a terminal."""

from __future__ import annotations

from sim.times.profile import Profile

HEAD = (f"{'stage':5} {'F ms':>8} {'B ms':>8} {'again ms':>8} {'U ms':>8} {'beside':>7} "
        f"{'weights':>11} {'activations':>11} {'workspace':>11}")


def profile_table(profile: Profile) -> str:
    """A profile as text: a line per stage, then the link.

    Milliseconds, the slowdown beside busy neighbours, and bytes.
    """
    lines = [HEAD]
    for k, s in enumerate(profile.stages):
        times = " ".join(f"{1e3 * (v or 0):8.3f}" for v in (s.forward_s, s.backward_s,
                                                           s.recompute_s, s.update_s))
        sizes = " ".join("–".rjust(11) if v is None else f"{v:11.0f}" for v in (
            s.weight_bytes, s.activation_bytes, s.workspace_bytes))
        lines.append(f"{k:<5} {times} {s.contention_factor or 1:6.2f}x {sizes}")
    rate = profile.bandwidth_bytes_per_s
    return "\n".join([*lines, f"link: {1e6 * profile.latency_s:.1f} us, "
                      + (f"{rate / 1e9:.3g} GB/s" if rate else "no limit found"),
                      f"on {profile.device}"])
