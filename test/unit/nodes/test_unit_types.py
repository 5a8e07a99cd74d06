"""Units of several types in ``infra_units``, and what is needed for them."""

import numpy as np
import pytest
from autoware_perception_msgs.msg import TrackedObjects
from rclpy.serialization import serialize_message

from cooptrack_ros.common.errors import UserError, WireError
from cooptrack_ros.common.types import Boxes
from cooptrack_ros.common.uncertainty import TrackUncertainty
from cooptrack_ros.cooperation.foreign import ForeignObjects
from cooptrack_ros.cooperation.pairing import PairingConfig, UnitPairing
from cooptrack_ros.nodes.health.health import Health
from cooptrack_ros.nodes.inputs import foreign_receiver
from cooptrack_ros.nodes.inputs.foreign_receiver import ForeignReceiver, by_stamp, foreign_reader
from cooptrack_ros.nodes.settings import EgoSettings
from cooptrack_ros.wire.features import FeatureLimits

CLASSES = ('car', 'bicycle', 'pedestrian')


def test_names_with_and_without_types():
    settings = EgoSettings(infra_units='rsu_1, bus_7:tracked_objects,rsu_9 : cpm,rsu_3:cpm:4711,rsu_2:features')
    assert list(settings.units().items()) == [
        ('bus_7', 'tracked_objects'), ('rsu_1', 'features'), ('rsu_2', 'features'), ('rsu_3', 'cpm:4711'),
        ('rsu_9', 'cpm')]
    assert EgoSettings(infra_units='a:cpm', fusion__mode='none').units() == {}
    assert EgoSettings(infra_units='a:cpm', fusion__mode='late').units() == {'a': 'cpm'}


@pytest.mark.parametrize(('units', 'words'), [
    ('bus_7:boxes', 'boxes.*tracked_objects'), ('bus-7:cpm', 'bus-7'), ('a,a:cpm', "'a' twice"),
    ('a:', "'' is no type"),
    ('a:cpm:x', 'cpm:x'), ('a:tracked_objects:7', 'tracked_objects:7')])
def test_entries_that_mean_nothing_are_refused_by_name(units, words):
    with pytest.raises(UserError, match=words):
        EgoSettings(infra_units=units).units()


@pytest.mark.parametrize('mode', ['cooperative', 'distance_association'])
def test_boxes_alone_need_a_mode_that_fuses_boxes(mode):
    with pytest.raises(UserError, match=f'bus_7.*{mode}.*auto or late'):
        EgoSettings(infra_units='rsu_1,bus_7:tracked_objects', fusion__mode=mode).units()


def test_a_type_that_is_not_installed_says_what_to_install(monkeypatch):
    monkeypatch.setitem(foreign_receiver.FOREIGN_PACKAGES, 'tracked_objects', 'no_such_msgs')
    with pytest.raises(UserError, match='no_such_msgs is not installed.*apt install ros-.*no-such-msgs'):
        foreign_reader('tracked_objects', EgoSettings(), CLASSES, FeatureLimits())


@pytest.mark.parametrize('origin', ['', '50.7', '50.7,6.1', 'here,there,0', '95,6,0', 'nan,6,0', '50,6,1e6'])
def test_messages_of_the_earth_need_the_place_of_the_map(origin):
    with pytest.raises(UserError, match=r"map_origin.*50\.7753"):
        EgoSettings(map_origin=origin).map_place()


def test_the_place_of_the_map_is_read():
    place = EgoSettings(map_origin='50.5, -6.25 ,220', map_yaw=90.0).map_place()
    assert (place.origin.latitude, place.origin.longitude, place.origin.height_m) == (50.5, -6.25, 220.0)
    assert place.yaw_rad == pytest.approx(np.pi / 2)


def receiver(rate_hz=100.0, read=None):
    """Return the receiver of a foreign unit, its pairing and the health of the node."""
    health = Health('ego', 'test')
    pairing = UnitPairing('bus_7', by_stamp(PairingConfig(max_rate_hz=rate_hz)), 'model')
    reader = foreign_reader('tracked_objects', EgoSettings(), CLASSES, FeatureLimits())
    if read is not None:
        reader.read = read
    return ForeignReceiver(pairing, reader, health, rate_hz), pairing, health


def message(stamp_s=1, frame='map'):
    """Return a serialized message without objects."""
    msg = TrackedObjects()
    msg.header.frame_id, msg.header.stamp.sec = frame, stamp_s
    return serialize_message(msg)


def test_messages_are_taken_and_counted_under_the_name_of_the_unit():
    unit, pairing, health = receiver()
    unit.on_message(message())
    found, has_features = pairing.message_for(10**9, np.eye(4))
    assert found.stamp_ns == 10**9 and not has_features
    assert health.counts['bus_7.received'] == 1


@pytest.mark.parametrize(('reason', 'data'), [
    ('wrong_map_frame', message(frame='utm')), ('undecodable', b'\0\1\0\0'), ('replayed', message()),
    ('implausible_number', message(stamp_s=3600)), ('long_text', message(frame='x' * 1000)),
    ('too_large', message() + bytes(10**8))])
def test_what_must_be_dropped_is_named_like_messages_of_our_own(reason, data):
    unit, _, _ = receiver()
    unit.on_message(message())
    with pytest.raises(WireError) as caught:
        unit.on_message(data)
    assert caught.value.reason == reason


def test_a_unit_that_floods_is_not_read():
    unit, _, _ = receiver(rate_hz=1.0)
    unit.on_message(message())
    with pytest.raises(WireError) as caught:
        unit.on_message(message(stamp_s=2))
    assert caught.value.reason == 'too_many'


def test_a_station_that_is_suddenly_elsewhere_is_refused():
    places = iter([[0.0, 0, 0], [3.0, 0, 0], [300.0, 0, 0]])

    def read(msg):
        return ForeignObjects(msg.header.stamp.sec * 10**9, Boxes.empty(), TrackUncertainty.unknown(0),
                              place=np.array(next(places)))
    unit, pairing, _ = receiver(rate_hz=np.inf, read=read)
    unit.on_message(message(1))
    unit.on_message(message(2))
    with pytest.raises(WireError) as caught:
        unit.on_message(message(3))
    assert caught.value.reason == 'pose_jumped'
    assert pairing.message_for(2 * 10**9, np.eye(4))[0].stamp_ns == 2 * 10**9
    assert pairing.message_for(3 * 10**9, np.eye(4)) == (None, False)


def test_a_message_of_somebody_else_is_passed_over():
    unit, pairing, health = receiver(read=lambda msg: None)
    unit.on_message(message())
    assert pairing.message_for(10**9, np.eye(4)) == (None, False)
    assert not health.counts
