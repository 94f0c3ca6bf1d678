"""Layouts in Megatron's letters, layer profiles and PipeDream's graph.txt become stages."""

import json
import random
import re
from pathlib import Path

import pytest

import sim
from sim.errors import ConfigurationError, ProfileError
from sim.experiment.machine import load_profile
from sim.experiment.options import resolve
from sim.layouts.graph import read_graph
from sim.layouts.layers import cut, layers_in, narrow_in
from sim.layouts.text import LayoutError, stages_of

pytestmark = pytest.mark.filterwarnings("error")
T = {"forward_s": 1.0, "backward_s": 2.0}


@pytest.mark.parametrize(("layout", "stages"), [
    ("Et|tL", ["Et", "tL"]),
    ("E|t|t|tL", ["E", "t", "t", "tL"]),
    ("E,t*4|t*4|t*4,L", ["Etttt", "tttt", "ttttL"]),
    ("Et*3|(tt|)*29,m|L", ["Ettt", *["tt"] * 29, "m", "L"]),
    ("Et*16|t*16|t*16|t*12,m,L", ["E" + "t" * 16, "t" * 16, "t" * 16, "t" * 12 + "mL"]),
    ("Et|(t|)*30tL", ["Et", *["t"] * 30, "tL"]),
    ("Ett|(tt|)*6L", ["Ett", *["tt"] * 6, "L"]),
    ("E||t|L", ["E", "", "t", "L"]),
    ("(|tt)*2,t", ["", "tt", "ttt"]),
    ("E ((t*2|)*2 t|)*2 L", ["Ett", "tt", "t", "tt", "tt", "t", "L"]),
    ("t|*2t", ["t", "", "t"]),
])
def test_a_layout_is_its_stages_letters(layout, stages):
    assert list(stages_of(layout)) == stages


def test_random_layouts_are_what_writing_them_out_gives():
    """The meaning of the form by substitution alone: commas go, then each repetition in turn."""
    rng = random.Random(4)
    for _ in range(300):
        parts = ["t", "t,", "|", "t*3", "|*2", "(tt|)*2", "(|t*2)*3", "(t)*1"]
        text = "E" + "".join(rng.choices(parts, k=rng.randint(1, 12))) + rng.choice(
            ["L", ",m|L", "t"])
        plain = text.replace(",", "")
        plain = re.sub(r"\(([^)]+)\)\*(\d+)", lambda m: m[1] * int(m[2]), plain)
        plain = re.sub(r"(.)\*(\d+)", lambda m: m[1] * int(m[2]), plain)
        assert list(stages_of(text)) == plain.split("|"), text


@pytest.mark.parametrize(("layout", "said"), [
    ("E|x", "character 3, 'x' in 'E|x', is no layer"),
    ("E|(tt|L", "character 3, '(' in 'E|(tt|L', opens a bracket that nothing closes"),
    ("E|tt)|L", "character 5, ')' in 'E|tt)|L', closes a bracket"),
    ("Et*|L", "character 3, '*'"), ("Et*0|L", "is followed by a number from 1"),
    ("*3t", "character 1, '*'"), ("", "has no layers"), ("||", "has no layers"),
    ("tE|L", "E, the embedding, is the first layer, got one as layer 2 of 3"),
    ("E|L|tL", "L, the loss, is the last layer, got one as layer 2 of 4"),
    ("E|m|tL", "m comes after every t, got one as layer 2 and a t as layer 3"),
    ("((t*9999)*9999)*9", "makes more than 100000 layers"),
    ("(" * 60 + "t" + ")" * 60, "is inside more than 50 brackets"),
    ("t*" + "9" * 5000, "makes more than"),
])
def test_what_is_no_layout_is_told_by_its_character(layout, said):
    with pytest.raises(LayoutError, match=re.escape(said)):
        stages_of(layout)


def test_stages_add_up_what_their_letters_cost():
    layers = {"E": {"forward_s": 0.5, "backward_s": 0.25, "weight_bytes": 1000.0,
                    "output_bytes": 8.0},
              "t": T | {"update_s": 0.125, "weight_bytes": 10.0, "activation_bytes": 5.0,
                        "input_backward_s": 1.5, "output_bytes": 4.0, "workspace_bytes": 7.0},
              "L": {"forward_s": 3.0, "backward_s": 4.0}}
    experiment = resolve({"pipeline": {"layout": "E||t*3|tL"}, "costs": {"per_layer": layers}})
    assert experiment.pipeline.stages == 4
    first, empty, middle, last = load_profile(experiment).stages
    assert (first.forward_s, first.backward_s, first.weight_bytes) == (0.5, 0.25, 1000.0)
    assert (empty.forward_s, empty.backward_s, empty.input_bytes) == (0, 0, 8.0)
    assert (middle.forward_s, middle.backward_s, middle.update_s) == (3.0, 6.0, 0.375)
    assert (middle.weight_bytes, middle.activation_bytes, middle.workspace_bytes) == (30, 15, 7)
    assert (middle.input_backward_s, last.input_backward_s) == (4.5, 1.5 + 4.0 / 2)
    assert (middle.input_bytes, last.input_bytes) == (8.0, 4.0)
    assert load_profile(experiment).boundary_bytes == (8.0, 8.0, 4.0)


def test_a_run_of_a_layout_is_that_of_the_costs_of_its_stages():
    """Embedding and loss with costs of their own; two chunks of stages on each of two devices."""
    layers = {"E": {"forward_s": 0.25, "backward_s": 0.5}, "t": T,
              "L": {"forward_s": 0.5, "backward_s": 1.0}}
    alike = dict(schedule="interleaved", chunks=2, microbatches=4, minibatches=2, task="none")
    ours = sim.run(layout="Et|tt|tt|tL", per_layer=layers, **alike)
    theirs = sim.run(stages=4, forward_s=[1.25, 2.0, 2.0, 1.5], backward_s=[2.5, 4.0, 4.0, 3.0],
                     **alike)
    assert (ours.start_s == theirs.start_s).all()
    assert (ours.end_s == theirs.end_s).all()
    assert ours.shape == theirs.shape


def test_uneven_stages_of_gpipe_take_what_the_formula_says():
    """GPipe is Σf + (M−1) max f + Σb + (M−1) max b, whatever the stages cost."""
    trace = sim.run(schedule="gpipe", layout="E,t*2|t*5|t,L", minibatches=1, microbatches=6,
                    task="none", per_layer={"E": T, "t": T, "L": {"forward_s": 4.0,
                                                                  "backward_s": 5.0}})
    forward, backward = [3, 5, 5], [6, 10, 7]
    assert trace.end_s.max() == sum(forward) + 5 * 5 + sum(backward) + 5 * 10


def test_a_file_of_layers_is_cut_by_a_layout(cases):
    layers = layers_in(cases / "six-layers.json")
    stages = cut(layers, [1, 2, 3]).stages
    assert [each.forward_s for each in stages] == [10, 2, 3]
    assert [each.weight_bytes for each in stages] == [10, 20, 30]
    trace = sim.run(layout="t|tt|ttt", profile=str(cases / "six-layers.json"), task="none",
                    schedule="gpipe", minibatches=1, microbatches=4)
    assert trace.end_s.max() == 15 + 3 * 10 + 30 + 3 * 20


def test_a_graph_of_layers_is_read_as_pipedream_writes_it(cases):
    layers = layers_in(cases / "layers-graph.txt")
    assert [each.forward_s for each in layers.stages] == [0, 0.002, 0.001, 0.001]
    assert [each.backward_s for each in layers.stages] == [0, 0.004, 0.002, 0.002]
    assert [each.weight_bytes for each in layers.stages] == [0, 100, 100, 400]
    assert layers.boundary_bytes == (0, 1000, 2000)
    assert cut(layers, [2, 2]).boundary_bytes == (1000,)


def node(name, size="1.0"):
    return (f"{name} -- Linear() -- forward_compute_time=1.000, backward_compute_time=2.000, "
            f"activation_size={size}, parameter_size=3.000 -- stage_id=0\n")


def test_branches_of_a_graph_send_each_output_once(tmp_path):
    """1 feeds 2 and 3, both of which 4 needs: between 2 and 3 both 1's and 2's outputs cross."""
    file = tmp_path / "graph.txt"
    edges = "".join(f"\t{a} -- {b}\n" for a, b in
                    [("node1", "node2"), ("node1", "node3"), ("node2", "node4"),
                     ("node3", "node4")])
    file.write_text(node("node4", "0") + node("node1", "10.0") + node("node2", "[3.0; 4.0]")
                    + node("node3", "5.0") + edges)
    found = read_graph(file)
    assert [each.activation_bytes for each in found.stages] == [10, 7, 5, 0]
    assert found.boundary_bytes == (10, 17, 12)
    assert narrow_in(found) == (0,)
    assert narrow_in(cut(found, [1, 3])) is None


def test_a_graph_is_narrow_where_one_output_alone_crosses(tmp_path):
    """A chain with a skip over 2 and 3, a side end at 5, and an empty input that 6 needs."""
    file = tmp_path / "graph.txt"
    pairs = [(1, 2), (2, 3), (3, 4), (1, 4), (4, 5), (4, 6), (0, 6), (6, 7)]
    file.write_text("".join(node(f"n{k}", "1.0" if k else "0") for k in range(8))
                    + "".join(f"\tn{a} -- n{b}\n" for a, b in pairs))
    assert narrow_in(read_graph(file)) == (0, 1, 4, 5, 6)


@pytest.mark.parametrize("said", ["2", [3], [-1], [True], [0.5], {"a": 1}])
def test_narrow_places_that_are_none_are_refused(cases, said):
    layers = layers_in(cases / "layers-graph.txt")
    with pytest.raises(ProfileError, match="numbers of layers from 0 to 2"):
        narrow_in(layers.model_copy(update={"notes": {"narrow": said}}))


@pytest.mark.parametrize(("text", "said"), [
    (node("a") + "\ta -- b\n", "b has edges and no line of its own"),
    (node("a") + node("b") + "\ta -- b\n\tb -- a\n", "in a circle"),
    (node("a") + node("a"), "line 2: a is there twice"),
    (node("a").replace("parameter_size", "size"), "line 1: a has no parameter_size"),
    (node("a", "many"), "line 1: a has 'many' as activation_size, which is no number"),
    (node("a", "nan"), "line 1: a has 'nan' as activation_size, which is no number"),
    (node("a") + "something\n", "line 2: neither a node nor an edge"),
])
def test_what_is_no_graph_is_told_by_its_line(tmp_path, text, said):
    file = tmp_path / "graph.txt"
    file.write_text(text)
    with pytest.raises(ProfileError, match=re.escape(said)):
        layers_in(file)


PLACED = {"format": "pipestale-profile", "version": 1, "stages": [T, T],
          "placement": ["cpu", "cpu"]}


@pytest.mark.parametrize(("document", "said"), [
    ({"pipeline": {"layout": "Et|tL"}}, "nothing says what its layers cost"),
    ({"costs": {"per_layer": {"t": T}}}, "give pipeline.layout"),
    ({"pipeline": {"layout": "Et|t"}, "costs": {"per_layer": {"t": T}}},
     "of the layout's letters E has no costs"),
    ({"pipeline": {"layout": "t|t"}, "costs": {"per_layer": {"t": T, "x": T}}},
     "x: the layout has no such layer"),
    ({"pipeline": {"layout": "t|t"}, "costs": {"per_layer": {"t": T}, "profile": "FILE"}},
     "costs.profile has costs of layers too"),
    ({"pipeline": {"layout": "t|tt"}, "costs": {"profile": "FILE"}}, "it has 2 layers, the "
                                                                     "layout 3"),
    ({"pipeline": {"layout": "t|t"}, "costs": {"profile": "FILE"}}, "placement: is of stages"),
    ({"pipeline": {"layout": "t|t"}, "costs": {"profile": "none"}}, "none: there is no such file"),
])
def test_costs_that_do_not_fit_a_layout_are_refused(tmp_path, document, said):
    file = tmp_path / "layers.json"
    file.write_text(json.dumps(PLACED))
    document = json.loads(json.dumps(document).replace("FILE", str(file)))
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        load_profile(resolve(document))


def test_a_layout_says_how_many_stages_there_are():
    found = resolve({"pipeline": {"layout": "Et|tL"}})
    assert found.pipeline.stages == 2
    assert found.changed({"pipeline.layout": "E|t|t|L"}).pipeline.stages == 4
    assert resolve(found.model_dump()).pipeline == found.pipeline
    with pytest.raises(ConfigurationError, match=r"pipeline.layout has 2, got 3; leave stages out"):
        resolve({"pipeline": {"layout": "Et|tL", "stages": 3}})
    with pytest.raises(ConfigurationError, match=r"pipeline.layout: character 1"):
        resolve({"pipeline": {"layout": "x"}})
    with pytest.raises(ConfigurationError, match=r"pipeline.chunks: divides"):
        resolve({"pipeline": {"layout": "E|t|L", "chunks": 2}})


@pytest.fixture
def cases():
    return Path(__file__).parents[1] / "cases"
