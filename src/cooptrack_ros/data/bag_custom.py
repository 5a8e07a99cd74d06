"""Our own messages in a bag: exact calibration, pair transforms, ground truth."""

from __future__ import annotations

import numpy as np
from std_msgs.msg import Header

from cooptrack_msgs.msg import Calibration, PairTransform, Track, TrackArray

from .bag_types import MAP_FRAME, AgentNames
from .dataset import CameraFrame, FrameRecord, SensorFrame

TRUTH_MODE = 'ground_truth'
_PROVENANCE = {'veh': Track.EGO, 'inf': Track.ROADSIDE, 'coop': Track.FUSED}


def calibration(sensor: SensorFrame, camera: CameraFrame, names: AgentNames, header: Header,
                size: tuple[int, int]) -> Calibration:
    """
    Return the stored matrices of a camera of an agent as they are.

    Pictures count as rectified: networks of this data set see them without undistortion.

    :param size: width, height in pixels of the images that the calibration is for.
    """
    is_unit = names.body_frame == names.lidar_frame
    base_from_lidar = sensor.stored_global_from_lidar if is_unit else sensor.ego_from_lidar
    return Calibration(
        header=header, lidar_frame=names.lidar_frame, base_frame=MAP_FRAME if is_unit else names.body_frame,
        width=size[0], height=size[1], img_from_lidar=camera.img_from_lidar[:3].reshape(-1),
        base_from_lidar=base_from_lidar.reshape(-1), is_rectified=True, distortion=camera.distortion.tolist())


def pair_transform(record: FrameRecord, unit: str, header: Header, infra_header: Header) -> PairTransform:
    """Return the exact relation of a pair, offset included, with the stamps of its two pictures."""
    return PairTransform(header=header, unit_id=unit, sequence_id=record.sequence, infra_stamp=infra_header.stamp,
                         ego_from_infra=record.ego_from_infra.reshape(-1))


def ground_truth(record: FrameRecord, header: Header, unit: str, is_unit: bool) -> TrackArray:
    """
    Return labels as tracks; where both sides of a pair labelled an object, it names the roadside identity.

    :param is_unit: labels of a roadside unit (else of the vehicle or of the pair).
    """
    message = TrackArray(
        header=header, mode=TRUTH_MODE, reset=record.frame_index == 0, map_frame=MAP_FRAME,
        map_from_lidar=record.global_from_lidar.reshape(-1))
    alone = Track.ROADSIDE if is_unit else Track.EGO
    message.tracks = [_track(record, i, alone, unit) for i in range(len(record.boxes))]
    return message


def _track(record: FrameRecord, i: int, alone: int, unit: str) -> Track:
    boxes = record.boxes
    track = Track(
        id=int(boxes.track_id[i]), label=int(boxes.label[i]), class_name=record.classes[int(boxes.label[i])],
        score=float(boxes.score[i]), provenance=_PROVENANCE.get(record.from_side[i], alone), has_velocity=True)
    position, orientation = track.pose.position, track.pose.orientation
    position.x, position.y, position.z = (float(v) for v in boxes.centre[i])
    orientation.z, orientation.w = float(np.sin(boxes.yaw[i] / 2)), float(np.cos(boxes.yaw[i] / 2))
    track.size.x, track.size.y, track.size.z = (float(v) for v in boxes.size[i])
    track.velocity.x, track.velocity.y = (float(v) for v in boxes.velocity[i])
    if record.infra_track_id[i] >= 0:
        track.unit_id, track.infra_track_id, track.affinity = unit, int(record.infra_track_id[i]), 1.0
    return track
