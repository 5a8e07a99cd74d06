"""A unit that does not run our network shows the vehicle what it cannot see."""

import pytest
from autoware_perception_msgs.msg import ObjectClassification, TrackedObject, TrackedObjects
from support.ros_world import START_NS, EgoWorld, stamp

from cooptrack_msgs.msg import Track

TOPIC = '/infra/bus_7/tracked_objects'


def objects(ns, frame='map'):
    """Return what a bus says of a car that drives along +y, and of an animal."""
    car, animal = TrackedObject(existence_probability=1.0), TrackedObject(existence_probability=1.0)
    for tracked, label in ((car, ObjectClassification.CAR), (animal, ObjectClassification.ANIMAL)):
        tracked.classification = [ObjectClassification(label=label, probability=1.0)]
    pose, size = car.kinematics.pose_with_covariance.pose, car.shape.dimensions
    pose.position.x, pose.position.y, pose.position.z = 60.0, 20.0 + 5.0 * (ns - START_NS) / 1e9, 0.0
    pose.orientation.z = pose.orientation.w = 0.5 ** 0.5
    car.kinematics.twist_with_covariance.twist.linear.x = 5.0
    size.x, size.y, size.z = 4.5, 1.9, 1.6
    message = TrackedObjects(objects=[car, animal])
    message.header.stamp, message.header.frame_id = stamp(ns), frame
    return message


def test_tracked_objects_of_a_bus_become_tracks_of_what_the_vehicle_does_not_see(world):
    ego = EgoWorld(world, infra_units='bus_7:tracked_objects')
    received = ego.node.health.counts
    for frame in range(3):
        # Half a frame old: the car is taken on to the time of the image.
        world.publish(TOPIC, objects(ego.now_ns - 50_000_000))
        world.until(lambda n=frame: received['bus_7.received'] > n, 'the message')
        now_s = (ego.now_ns - START_NS) / 1e9
        answer = ego.frame()
        assert answer.mode == 'late' and answer.has_infra
        own, seen = answer.tracks
        assert (own.provenance, seen.provenance) == (Track.EGO, Track.ROADSIDE)
        # The vehicle drives along +x at a metre a second.
        assert seen.pose.position.x == pytest.approx(60.0 - now_s, abs=0.1)
        assert seen.pose.position.y == pytest.approx(20.0 + 5.0 * now_s, abs=0.1)
        assert seen.class_name == 'car' and seen.score == pytest.approx(0.4)
    world.publish(TOPIC, objects(ego.now_ns, frame='base_link'))
    ego.dropped('bus_7', 'wrong_map_frame')
    world.until(lambda: any(v.key == 'no_class' and v.value == '3' for array in ego.diagnostics
                            for status in array.status for v in status.values), 'the animal in the diagnostics')
