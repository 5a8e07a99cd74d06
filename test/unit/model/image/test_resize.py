"""Averaging over areas in blocks against OpenCV."""

import cv2
import numpy as np
import pytest

from cooptrack_ros.model.image.resize import _blocks, scale_by_area


def both(shape, rows, columns, order='C'):
    """Return an image of noise as scaled here and by OpenCV."""
    image = np.asarray(np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8), order=order)
    expected = cv2.resize(np.ascontiguousarray(image), (columns, rows), interpolation=cv2.INTER_AREA)
    return scale_by_area(image, rows, columns).astype(int), expected.astype(int)


@pytest.mark.parametrize(('shape', 'rows', 'columns'), [
    ((540, 960), 288, 512), ((1080, 1920), 288, 512), ((135, 240), 72, 128), ((45, 75), 24, 40), ((150, 300), 20, 80)])
@pytest.mark.parametrize('order', ['C', 'F'])
def test_ratios_of_small_numbers_give_what_opencv_gives_but_for_ties(shape, rows, columns, order):
    assert _blocks(*shape, rows, columns) is not None
    ours, expected = both(shape, rows, columns, order)
    assert ours.shape == expected.shape
    assert abs(ours - expected).max() <= 1
    assert (ours != expected).mean() < 1e-3


@pytest.mark.parametrize(('shape', 'rows', 'columns'), [
    ((144, 256), 72, 128), ((101, 211), 72, 128), ((72, 128), 72, 128), ((135, 256), 72, 128)])
def test_all_others_are_left_to_opencv(shape, rows, columns):
    assert _blocks(*shape, rows, columns) is None
    ours, expected = both(shape, rows, columns)
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.filterwarnings('error')
def test_an_image_in_a_message_may_be_read_only_and_stays_as_it_is():
    image = np.random.default_rng(0).integers(0, 256, (45, 75, 3), dtype=np.uint8)
    before, read_only = image.copy(), np.frombuffer(image.tobytes(), np.uint8).reshape(image.shape)
    np.testing.assert_array_equal(scale_by_area(read_only, 24, 40), scale_by_area(image, 24, 40))
    np.testing.assert_array_equal(image, before)


def test_rows_that_are_missing_are_interpolated_after_columns_are_averaged():
    image = np.zeros((6, 8, 3), np.uint8)
    image[:, ::2] = 200
    image[3:] += 20
    scaled = scale_by_area(image, 12, 4)
    assert scaled.shape == (12, 4, 3)
    assert (scaled == scaled[:, :1, :1]).all()
    assert scaled[0, 0, 0] == 100 and scaled[-1, 0, 0] == 120 and (np.diff(scaled[:, 0, 0].astype(int)) >= 0).all()
