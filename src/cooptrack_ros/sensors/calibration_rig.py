"""Looks at the calibrations of all cameras of one agent together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .calibration_file import CameraCalibration
from .findings import Finding


def check_rig(cameras: Mapping[str, CameraCalibration]) -> list[Finding]:
    """
    Return what cannot be true of several cameras at once: they must share one lidar frame and its place.

    :param cameras: by name, the anchor first; those without a mounting are left out.
    """
    mounted = {name: camera for name, camera in cameras.items() if camera.mounting is not None}
    findings = []
    for name, camera in list(mounted.items())[1:]:
        anchor, first = next(iter(mounted.items()))
        own, other = camera.mounting, first.mounting
        if (own.lidar_frame, own.base_frame) != (other.lidar_frame, other.base_frame):
            findings.append(Finding(
                f'{name} and {anchor} are calibrated to different frames',
                f"'{own.lidar_frame}' on '{own.base_frame}' against '{other.lidar_frame}' on '{other.base_frame}'",
                'all cameras of an agent need one lidar frame'))
        elif not np.allclose(own.base_from_lidar, other.base_from_lidar, atol=1e-6):
            findings.append(Finding(
                f'{name} and {anchor} put the lidar frame at different places',
                f'base_from_lidar differs by up to {np.abs(own.base_from_lidar - other.base_from_lidar).max():.3g}',
                'write the same base_from_lidar into all files of an agent'))
        if camera.ground_z != first.ground_z:
            findings.append(Finding(
                f'{name} and {anchor} have the road at different heights',
                f'ground_z {camera.ground_z:g} against {first.ground_z:g} in the same frame',
                'write the same ground_z into all files of an agent'))
    return findings
