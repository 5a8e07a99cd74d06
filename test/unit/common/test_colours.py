"""Colours stay apart, for the colour-blind too."""

import pytest
from support.colours import COLOUR_BLIND, least_distance

from cooptrack_ros.common.colours import PROVENANCE_COLOURS


@pytest.mark.parametrize('sight', COLOUR_BLIND)
def test_provenances_stay_apart_for_the_colour_blind(sight):
    assert least_distance(PROVENANCE_COLOURS, sight) > 0.4
