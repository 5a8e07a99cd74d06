"""Scaling on the device against the preparation with OpenCV."""

import dataclasses

import numpy as np
import pytest
import torch

from cooptrack_ros.common.config import MINI, R50
from cooptrack_ros.model.fast.images import ImageScaler
from cooptrack_ros.model.image.preprocess import STD_RGB, prepare_image

GREY_LEVEL = 1 / STD_RGB.min()
SMALL_MINI = dataclasses.replace(MINI, input_size=(72, 128))
SMALL_R50 = dataclasses.replace(R50, input_size=(136, 240))


def difference(config, shape):
    """Return how far images of noise are apart from those that OpenCV prepares, in grey levels."""
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    ours = ImageScaler(shape, config)(torch.from_numpy(image)[None])[0].numpy()
    expected = prepare_image(image, config)
    assert ours.shape == expected.shape
    return np.abs(ours - expected) / GREY_LEVEL


@pytest.mark.parametrize('shape', [(270, 480), (200, 300), (136, 240), (300, 301)])
def test_linear_scaling_is_that_of_training_to_a_hundredth_of_a_grey_level(shape):
    assert difference(SMALL_R50, shape).max() < (1e-4 if shape[0] % 135 == 0 else 1e-2)


@pytest.mark.parametrize('shape', [(270, 480), (144, 256), (216, 384), (100, 160), (72, 128)])
def test_area_scaling_is_that_of_training_but_for_a_thousandth_of_the_pixels(shape):
    off = difference(SMALL_MINI, shape)
    assert off.max() < 1.01
    assert (off > 1e-3).mean() < 1e-3


def test_images_smaller_than_the_input_are_left_to_opencv():
    with pytest.raises(ValueError, match='smaller than the network input'):
        ImageScaler((50, 100), SMALL_MINI)
