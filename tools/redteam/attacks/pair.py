"""Somebody publishes the pair of the unit, which says that it stands 20 m farther on."""

import numpy as np
from builtin_interfaces.msg import Time

from cooptrack_msgs.msg import PairTransform
from cooptrack_ros.wire.arrays import header_of, set_stamp
from cooptrack_ros.wire.topics import PAIR, unit_topic

from ..attack import Attack, Moment, Shot
from ..drive import UNIT
from ..poses import shifted


def shots(moment: Moment) -> list[Shot]:
    """Return a wrong relation for every message of the unit."""
    made = []
    for message in moment.honest:
        relation = np.linalg.inv(moment.frame.map_from_lidar) @ shifted(message.meta.map_from_lidar, 20.0)
        pair = PairTransform(header=header_of(moment.frame.stamp_ns, moment.drive.calibration.lidar_frame),
                             unit_id=UNIT, infra_stamp=Time(), ego_from_infra=relation.reshape(16))
        set_stamp(pair.infra_stamp, message.stamp_ns)
        made.append(Shot(unit_topic(UNIT, PAIR), pair, PairTransform))
    return made


ATTACK = Attack('somebody publishes wrong pairs of the honest unit', shots, units=(UNIT,))
