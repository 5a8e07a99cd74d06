"""Undistortion of images."""

import cv2
import numpy as np
import pytest

from cooptrack_ros.sensors.lens import COEFFICIENTS, Lens

K = np.array([[50.0, 0, 32], [0, 50, 16], [0, 0, 1]])


@pytest.mark.parametrize('model', COEFFICIENTS)
def test_every_known_model_keeps_the_centre_and_the_size(model):
    coefficients = np.full(COEFFICIENTS[model][-1], 0.01)
    image = np.random.default_rng(0).integers(0, 255, (32, 64, 3), np.uint8)
    result = Lens(64, 32, K, model, coefficients).undistort(image)
    assert result.shape == image.shape
    np.testing.assert_array_equal(result[16, 32], image[16, 32])
    assert (result != image).any()


def test_maps_are_made_once(monkeypatch):
    import cv2
    calls, make = [], cv2.initUndistortRectifyMap
    monkeypatch.setattr(cv2, 'initUndistortRectifyMap', lambda *a: calls.append(a) or make(*a))
    lens, image = Lens(64, 32, K, 'plumb_bob', np.array([0.1, 0, 0, 0])), np.zeros((32, 64, 3), np.uint8)
    lens.undistort(image)
    lens.undistort(image)
    assert len(calls) == 1


@pytest.mark.parametrize(('model', 'coefficients'), [
    ('plumb_bob', [0.2, -0.1, 0.01, 0.0]), ('equidistant', [0.1, 0.05, 0.0, 0.0])])
def test_a_reduced_image_is_undistorted_like_the_whole(model, coefficients):
    rows, columns = 256, 384
    lens = Lens(columns, rows, np.array([[300.0, 0, 190], [0, 300, 130], [0, 0, 1]]), model, np.array(coefficients))
    y, x = np.mgrid[:rows, :columns]
    whole = np.repeat((140 + 50 * np.sin(x / 40) + 50 * np.cos(y / 30)).astype(np.uint8)[..., None], 3, 2)

    def halved(image):
        return cv2.resize(image, (columns // 2, rows // 2), interpolation=cv2.INTER_AREA)
    raw, expected, ours = (image[32:-32, 32:-32].astype(int) for image in (
        halved(whole), halved(lens.undistort(whole)), lens.undistort(halved(whole))))
    assert np.abs(expected - ours).max() <= 2 < np.abs(expected - raw).max()
