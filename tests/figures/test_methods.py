"""Methods look alike in no picture: neither in colour nor in grey."""

from figures.methods import METHODS, MORE, NAMED


def test_no_two_methods_are_drawn_alike_in_colour_or_in_grey() -> None:
    every = (*METHODS, *MORE)
    assert len({(method.colour, method.line) for method in every}) == len(every)
    assert len({(method.line, method.mark) for method in every}) == len(every)
    assert list(NAMED) == [method.label for method in every]
