"""Objects of units that do not run our network: any field, any bytes, and what late fusion makes of them."""

from __future__ import annotations

from pathlib import Path

from .entry import Entry, Run, plain_seeds
from .source import Source
from .tree import drawn_message

MODULES = ('cooptrack_ros.wire.tracked_objects', 'cooptrack_ros.wire.foreign', 'cooptrack_ros.cooperation.foreign')
_STAMP_S = 1_700_000_000


def messages() -> list:
    """Return good messages of several shapes, with and without covariances."""
    import numpy as np
    from autoware_perception_msgs.msg import ObjectClassification, Shape, TrackedObject, TrackedObjects
    from geometry_msgs.msg import Point32
    made = []
    for kind in (Shape.BOUNDING_BOX, Shape.CYLINDER, Shape.POLYGON):
        tracked = TrackedObject(existence_probability=0.5)
        tracked.object_id.uuid = np.full(16, kind, np.uint8)
        tracked.classification = [ObjectClassification(label=1 + kind, probability=0.5)]
        tracked.kinematics.pose_with_covariance.pose.orientation.w = 1.0
        if kind != Shape.CYLINDER:
            tracked.kinematics.pose_with_covariance.covariance = np.eye(6).reshape(-1)
            tracked.kinematics.twist_with_covariance.covariance = np.eye(6).reshape(-1)
        size = tracked.shape.dimensions
        tracked.shape.type, size.x, size.y, size.z = kind, 4.0, 2.0, 1.5
        tracked.shape.footprint.points = [Point32(x=x, y=y) for x, y in ((1.0, 1.0), (-1.0, 1.0), (0.0, -2.0))]
        made.append(TrackedObjects(objects=[tracked, TrackedObject()]))
        made[-1].header.frame_id, made[-1].header.stamp.sec = 'map', _STAMP_S
    return made


def prepare(folder: Path) -> Run:
    """Import the reader and make good messages."""
    import numpy as np
    from autoware_perception_msgs.msg import TrackedObjects
    from rclpy.serialization import serialize_message

    from cooptrack_ros.common.errors import WireError
    from cooptrack_ros.common.types import Side
    from cooptrack_ros.cooperation.foreign import LocalFrames
    from cooptrack_ros.cooperation.late_fusion import late_boxes
    from cooptrack_ros.tracking.uncertainty import StatedTracks
    from cooptrack_ros.wire.features import FeatureLimits
    from cooptrack_ros.wire.tracked_objects import TrackedObjectsReader
    serialized = [serialize_message(message) for message in messages()]
    frames = LocalFrames()

    def run(data: bytes) -> bool:
        source, reader = Source(data), TrackedObjectsReader('map', ('car', 'pedestrian'), FeatureLimits())
        good = serialized[source.below(len(serialized))]
        try:
            objects = reader.read(drawn_message(source, good, TrackedObjects, reader.max_bytes))
        except WireError:
            return False
        received = frames.message('unit', objects)
        placed, now_ns = [received.placed(received.map_from_infra)], objects.stamp_ns + 10**8
        infra = late_boxes(placed, now_ns)
        assert np.isfinite(infra.boxes.centre).all() and (infra.boxes.size > 0).all()
        stated = StatedTracks(None, Side.VEHICLE).of_units(placed, now_ns)
        known = stated[stated.known]
        assert (np.linalg.eigvalsh(known.position) > 0).all() and (np.linalg.eigvalsh(known.velocity) > 0).all()
        return True
    return run


ENTRY = Entry('objects', MODULES, prepare, plain_seeds, 160)
