"""Messages of units that do not run our network in bags."""

import numpy as np
from autoware_perception_msgs.msg import ObjectClassification, TrackedObject, TrackedObjects

from cooptrack_ros.data.bags.cut import cut_bag
from cooptrack_ros.data.bags.reader import BagReader
from cooptrack_ros.data.bags.writer import BagWriter

TOPIC = '/infra/bus_7/tracked_objects'


def test_tracked_objects_are_written_cut_and_read(tmp_path):
    car = TrackedObject(classification=[ObjectClassification(label=ObjectClassification.CAR, probability=0.5)])
    car.kinematics.pose_with_covariance.covariance = np.arange(36.0)
    with BagWriter(tmp_path / 'bag') as writer:
        for second in range(3):
            message = TrackedObjects(objects=[car])
            message.header.stamp.sec = second
            writer.write(TOPIC, message, second * 10**9)
    assert cut_bag(tmp_path / 'bag', tmp_path / 'cut', 1.0, 2.0) == 1
    with BagReader(tmp_path / 'cut') as reader:
        (connection, _, data), = reader.messages(reader.connections)
        message = reader.deserialize(connection, data)
    assert connection.topic == TOPIC and message.header.stamp.sec == 1
    found, = message.objects
    assert found.kinematics.pose_with_covariance.covariance.tolist() == list(range(36))
