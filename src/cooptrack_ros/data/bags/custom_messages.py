"""Our own messages in a bag: exact calibration, pair transforms, ground truth."""

from __future__ import annotations

import numpy as np
from std_msgs.msg import Header

from cooptrack_msgs.msg import Calibration, PairTransform, TrackArray

from ...common.types import Match, Provenance
from ...wire.tracks import TrackMeta, encode_tracks
from ..dataset import CameraFrame, FrameRecord, SensorFrame
from .types import MAP_FRAME, AgentNames

TRUTH_MODE = 'ground_truth'
_PROVENANCE = {'veh': Provenance.EGO, 'inf': Provenance.ROADSIDE, 'coop': Provenance.FUSED}


def calibration(sensor: SensorFrame, camera: CameraFrame, names: AgentNames, header: Header,
                size: tuple[int, int]) -> Calibration:
    """
    Return the stored matrices of a camera of an agent as they are.

    Images count as rectified: networks of this data set see them without undistortion.

    :param size: width, height in pixels of the images that the calibration is for.
    """
    is_unit = _is_unit(names)
    base_from_lidar = sensor.stored_global_from_lidar if is_unit else sensor.ego_from_lidar
    return Calibration(
        header=header, lidar_frame=names.lidar_frame, base_frame=MAP_FRAME if is_unit else names.body_frame,
        width=size[0], height=size[1], img_from_lidar=camera.img_from_lidar[:3].reshape(-1),
        base_from_lidar=base_from_lidar.reshape(-1), is_rectified=True, distortion=camera.distortion.tolist())


def pair_transform(record: FrameRecord, unit: str, header: Header, infra_header: Header) -> PairTransform:
    """Return the exact relation of a pair, offset included, with the stamps of its two images."""
    return PairTransform(header=header, unit_id=unit, sequence_id=record.sequence, infra_stamp=infra_header.stamp,
                         ego_from_infra=record.ego_from_infra.reshape(-1))


def ground_truth(record: FrameRecord, names: AgentNames, unit: str) -> TrackArray:
    """
    Return labels as tracks; where both sides of a pair labelled an object, it names the roadside identity.

    :param names: of the agent whose labels these are, a roadside unit or the vehicle (its own or those of the pair).
    """
    boxes, alone = record.boxes, Provenance.ROADSIDE if _is_unit(names) else Provenance.EGO
    meta = TrackMeta(record.stamp_us * 1000, names.lidar_frame, TRUTH_MODE, '', MAP_FRAME, record.global_from_lidar,
                     record.classes, reset=record.frame_index == 0)
    provenance = np.array([_PROVENANCE.get(side, alone) for side in record.from_side], np.int64)
    matches = {number: Match(number, unit, -1, infra, 1.0) for number, infra
               in zip(boxes.track_id.tolist(), record.infra_track_id.tolist(), strict=True) if infra >= 0}
    return encode_tracks(boxes, meta, np.zeros(len(boxes)), provenance, matches)


def _is_unit(names: AgentNames) -> bool:
    """Tell a roadside unit, whose lidar is its body, from the vehicle."""
    return names.body_frame == names.lidar_frame
