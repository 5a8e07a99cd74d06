"""Point clouds as they are measured: from the fields of any file or message to x, y, z and intensity."""

from __future__ import annotations

import numpy as np

from ..common.types import Side

INTENSITY_SCALE = {Side.VEHICLE: 255, Side.ROADSIDE: 1}
"""What the sensors of V2X-Seq call the strongest return, for numbers that do not tell it, see ``xyz_intensity``."""
_INTENSITY = ('intensity', 'i')


def xyz_intensity(points: np.ndarray, scale: int = 1) -> np.ndarray:
    """
    Return (N, 4) float32 x, y, z, intensity without points that are not finite; names of fields in any case.

    Intensity is 0 to 1. The type of the field tells its scale, so that a dark cloud is not brightened: 8 bits (the
    vehicle) are divided by 255, 16 bits by 65535. Wider ones are as stored (the roadside) if they are 0 to 1, else
    0 to 255, or 16 bits where they hold more; a missing one is 0.

    :param points: structured array (N,).
    :param scale: of the kind of sensor: the strongest return in whole numbers of a wide type none of which is above 1.
    :raises ValueError: for points without coordinates, naming the fields that are there.
    """
    fields = {name.lower(): name for name in reversed(points.dtype.names)}
    values = np.zeros((len(points), 4), np.float32)
    with np.errstate(over='ignore', invalid='ignore'):
        for i, name in enumerate('xyz'):
            if name not in fields or points.dtype[fields[name]].shape:
                raise ValueError('no coordinates: expected fields x, y and z, found '
                                 f"{', '.join(points.dtype.names)}")
            values[:, i] = points[fields[name]]
        strength = next((fields[name] for name in _INTENSITY if name in fields), None)
        if strength is not None and not points.dtype[strength].shape:
            values[:, 3] = _normalised(points[strength], scale)
    return values[np.isfinite(values).all(axis=1)]


def _normalised(intensity: np.ndarray, scale: int) -> np.ndarray:
    """Return (N,) intensities as 0 to 1; what is not finite stays so."""
    return np.clip(intensity / np.float32(_full_scale(intensity, scale)), 0, 1)


def _full_scale(intensity: np.ndarray, scale: int) -> int:
    if intensity.dtype.itemsize <= 2:
        return 255 if intensity.dtype.itemsize == 1 else 65535
    finite = intensity[np.isfinite(intensity)]
    strongest = np.max(finite, initial=0)
    # A little above 1 is noise of a scale that ends there.
    if strongest <= 1.01 and (intensity.dtype.kind == 'f' or scale == 1):
        return scale if (finite == np.round(finite)).all() else 1
    return 255 if strongest <= 255 else 65535
