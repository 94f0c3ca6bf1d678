"""The figure of a validation: one run per schedule, prediction above measurement."""

from figures.pictures import validation


def row(run, schedule, device, minibatch=1, **times):
    return {"run": run, "schedule": schedule, "device": device, "op": "F", "minibatch": minibatch,
            "predicted_start_s": 0.0, "predicted_end_s": 1.0, "measured_start_s": 0.5,
            "measured_end_s": 2.0, **times}


def test_one_run_of_each_schedule_and_its_first_minibatches():
    rows = [row("a", "gpipe", 0), row("b", "gpipe", 0), row("c", "1f1b", 1),
            row("a", "gpipe", 0, minibatch=validation.MINIBATCHES + 1)]
    shown = validation.chosen(rows)
    assert [(r["run"], r["minibatch"]) for r in shown] == [("a", 1), ("c", 1)]


def test_every_device_has_a_lane_for_each_side_in_every_panel():
    rows = [row("a", "gpipe", d) for d in (0, 1)] + [row("c", "1f1b", 1)]
    figure = validation.draw(rows)
    panels = figure.axes
    assert [axis.get_title(loc="left") for axis in panels] == ["a", "c"]
    for axis in panels:
        assert [t.get_text() for t in axis.get_yticklabels()] == [
            f"device {d}, {side}" for d in (0, 1) for side in ("predicted", "measured")]
    heights = [patch.get_y() for patch in panels[1].patches]
    assert heights == sorted(heights)
    assert len(panels[0].patches) == 4
    figure.canvas.draw()
