"""Pictures that Dagster's pages draw without a click."""

import math
from xml.etree import ElementTree

import pytest

from orchestration.assets.pictures import DRAWN_IN_PLACE_BELOW, picture, sparkline


@pytest.mark.parametrize("count", [1, 2, 41, 64, 65, 20_000])
def test_a_line_through_any_number_of_values_is_small_enough_to_be_drawn_in_place(count: int) -> None:
    values = [300_000.0 * (1.0 + (-1) ** place * math.sin(place)) for place in range(count)]

    drawn = picture(sparkline(values), "equity at the end of each session")

    assert len(drawn.md_str) < DRAWN_IN_PLACE_BELOW
    ElementTree.fromstring(sparkline(values))


def test_a_level_line_is_drawn_level() -> None:
    assert "l6 0l6 0" in sparkline([1.0] * 64)
