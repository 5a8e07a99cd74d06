"""Colours stay apart, for the colour-blind too."""

import numpy as np
import pytest

from cooptrack_ros.core.colour import PROVENANCE_COLOURS

# What is left of linear red, green, blue; Machado, Oliveira and Fernandes 2009, severity 1.0.
PROTANOPIA = ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998))
DEUTERANOPIA = ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881))
TRITANOPIA = ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900))


@pytest.mark.parametrize('seen_as', [PROTANOPIA, DEUTERANOPIA, TRITANOPIA])
def test_provenances_stay_apart_for_the_colour_blind(seen_as):
    colours = np.clip(np.array(PROVENANCE_COLOURS) ** 2.2 @ np.array(seen_as).T, 0, 1) ** (1 / 2.2)
    distance = np.linalg.norm(colours[:, None] - colours[None], axis=-1)
    assert distance[~np.eye(3, dtype=bool)].min() > 0.4
