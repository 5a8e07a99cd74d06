"""Voxels from the head of a unit to what the vehicle publishes; what becomes of messages that cannot be used."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message
from support.fake_voxels import CAR, GROUND, FakeReader
from support.ros_world import boxes, instances

from cooptrack_msgs.msg import RoadsideOccupancy
from cooptrack_ros.common.errors import UserError, WireError
from cooptrack_ros.common.types import Boxes, Frame, FrameOutput, InstanceSet, Match, RoadsideMessage, Side
from cooptrack_ros.cooperation.limits import Limits
from cooptrack_ros.cooperation.pairing import PairingConfig
from cooptrack_ros.cooperation.voxels.identities import UNIT_FIRST_ID
from cooptrack_ros.nodes.health.health import Health
from cooptrack_ros.nodes.inputs.occupancy_receiver import OccupancyReceiver
from cooptrack_ros.nodes.settings import EgoSettings, RoadsideSettings
from cooptrack_ros.nodes.voxel_pipelines import EgoVoxels, RoadsideVoxels, reader_of, try_out
from cooptrack_ros.tracking.ego_agent import EgoResult
from cooptrack_ros.wire.features import FeatureMeta, encode_instances
from cooptrack_ros.wire.public_tracks import PublicTracks

NOW = 10**18
LIMITS = Limits(150, 90, 150, 150, 30, 1.0)
UNIT_CAR = slice(60, 66), slice(100, 103)
"""Columns of the grid of the unit: x 38.4 m and more, y 12.8 m and more."""
SETTINGS = EgoSettings()


def public_tracks(*numbers: int) -> PublicTracks:
    """Return what has published some tracks; the first one is number 1."""
    tracks = PublicTracks(0.0)
    for number in numbers:
        tracks.observe(boxes(1, number), NOW, False)
    return tracks


def sent(sequence=0, stamp=NOW, session=5, unit='rsu_1'):
    return encode_instances(instances(0), FeatureMeta(unit, session, sequence, 'm', stamp, 'infra/lidar', 'map'))


@pytest.fixture
def unit():
    """Return a unit that sees one car, its track 40, which it calls 1."""
    return RoadsideVoxels(FakeReader(Side.ROADSIDE, {40: UNIT_CAR}), public_tracks(40))


def find(unit, **meta):
    return unit.find(None, sent(**meta), RoadsideSettings())


def result(messages=(), matches=(), reset=False) -> EgoResult:
    output = FrameOutput(NOW, Boxes.empty(), np.zeros(0, bool), Boxes.empty(), InstanceSet.empty(0), reset=reset)
    return EgoResult(Boxes.empty(), Boxes.empty(), tuple(matches), np.zeros(0, int), 'none', output,
                     messages=tuple(messages))


def message(stamp=NOW, session=5, **options) -> RoadsideMessage:
    """Return instances of the unit, which stands where the vehicle does and looks ahead, but 20 m to its right."""
    pose = np.eye(4)
    pose[1, 3] = -20.0
    return RoadsideMessage('rsu_1', stamp, InstanceSet.empty(0), pose, session=session, **options)


FRAME = Frame('', NOW, (np.zeros((80, 160, 3), np.uint8),),
              np.array([[[80.0, -80, 0, 0], [40, 0, -80, 0], [1, 0, 0, 0], [0, 0, 0, 1]]]), np.eye(4), np.eye(4))


class Vehicle:
    """The voxels of a vehicle with one unit."""

    def __init__(self, cars=None, tracks=(7,), max_age_s=0.5, rate_hz=100.0):
        self.health = Health('node', 'test')
        self.health.image(NOW, 0.0)
        config = PairingConfig(max_age_s, 0.05, rate_hz)
        self.unit_health = self.health.add_unit('rsu_1', max_age_s, 0.05)
        self.receiver = OccupancyReceiver('rsu_1', config, 'mini', self.health, self.unit_health)
        self.reader = FakeReader(Side.VEHICLE, cars or {})
        self.voxels = EgoVoxels(self.reader, public_tracks(*tracks), {'rsu_1': self.receiver}, LIMITS)

    def take(self, link) -> str:
        """Take a message; return why it is refused."""
        try:
            self.receiver.on_occupancy(link if isinstance(link, bytes) else serialize_message(link))
        except WireError as error:
            return error.reason
        return ''

    def answer(self, of: EgoResult):
        return self.voxels.find('state', of, FRAME, self.voxels.received(of, NOW), 'ego/lidar', SETTINGS)

    def warnings(self) -> str:
        self.unit_health.received(NOW, 0.0, 1, NOW)
        return next(s for s in self.health.report(None or _stamp(), [], {}).status if 'rsu_1' in s.name).message


def _stamp():
    from builtin_interfaces.msg import Time
    return Time()


def cars(answer) -> set[int]:
    return set(answer.voxels.instances[answer.voxels.semantics == CAR].tolist())


def test_a_unit_sends_its_voxels_with_the_identities_of_its_tracks(unit):
    first, second = find(unit), find(unit, sequence=1, stamp=NOW + 10**8)
    assert (first.link.sequence, second.link.sequence) == (0, 1)
    assert (first.link.session, first.link.unit_id, first.link.grid) == (5, 'rsu_1', 'mini')
    assert cars(first) == {1}
    assert first.meta.grid == unit._reader.grid
    assert first.stage_seconds.keys() == {'head', 'encode'}
    assert find(unit, session=6).link.sequence == 0


def test_what_was_never_published_has_no_identity(unit):
    unit._reader.cars = {99: UNIT_CAR}
    answer = find(unit)
    assert cars(answer) == {0}


def test_things_of_few_voxels_are_left_out(unit):
    answer = unit.find(None, sent(), replace(RoadsideSettings(), occupancy__min_voxels=37))
    assert not cars(answer)
    assert (answer.voxels.semantics == GROUND).all()


def test_the_vehicle_fills_in_what_a_unit_sees(unit):
    vehicle = Vehicle({7: (slice(100, 106), slice(80, 83))})
    assert vehicle.take(find(unit).link) == ''
    alone, together = vehicle.answer(result()), vehicle.answer(result([message()]))
    assert cars(alone) == {1}
    assert cars(together) == {1, UNIT_FIRST_ID}
    assert len(together.voxels) > len(alone.voxels)
    assert together.stage_seconds.keys() == {'head', 'cooperation'}
    values = vehicle.unit_health.voxels.values()
    assert (values['occupancy.messages'], values['occupancy.frames']) == ('1', '1')
    assert values['occupancy.voxels'] == str(len(together.voxels) - len(alone.voxels))
    assert vehicle.reader.states == ['state', 'state']


def test_fused_tracks_give_filled_voxels_the_published_identity(unit):
    vehicle = Vehicle(tracks=(3, 7))
    vehicle.take(find(unit).link)
    # The unit calls the car 1, the tracker of the vehicle 7, and its second published track is 2.
    assert cars(vehicle.answer(result([message()], [Match(7, 'rsu_1', 0, 1, 1.0)]))) == {2}


def test_identities_of_things_of_units_start_again_with_the_tracks(unit):
    vehicle = Vehicle()
    vehicle.take(find(unit).link)
    for _ in range(2):
        assert cars(vehicle.answer(result([message()], reset=True))) == {UNIT_FIRST_ID}
    vehicle.take(find(unit, session=6).link)
    assert cars(vehicle.answer(result([message(session=6)], reset=True))) == {UNIT_FIRST_ID}


def test_late_voxels_are_not_used_counted_and_explained(unit):
    vehicle = Vehicle()
    assert vehicle.take(find(unit, stamp=NOW - 600_000_000).link) == ''
    assert not cars(vehicle.answer(result([message(stamp=NOW)])))
    assert vehicle.unit_health.voxels.values()['occupancy.late'] == '1'
    assert '1 messages with voxels came too late to be used' in vehicle.warnings()
    # Those of a frame whose instances are used may be as old as these are.
    assert cars(vehicle.answer(result([message(stamp=NOW - 600_000_000)])))


def test_lost_voxels_leave_the_last_ones_and_are_counted(unit):
    vehicle, links = Vehicle(), [find(unit, stamp=NOW - (4 - n) * 10**8).link for n in range(5)]
    for number in (0, 1, 4):
        assert vehicle.take(links[number]) == ''
    assert vehicle.unit_health.voxels.values()['occupancy.lost'] == '2'
    assert '2 messages with voxels were lost' in vehicle.warnings()
    assert vehicle.take(links[3]) == ''
    assert vehicle.unit_health.voxels.values()['occupancy.lost'] == '1'
    assert cars(vehicle.answer(result([message(stamp=NOW)])))


def test_voxels_between_those_of_frames_that_were_lost_are_used_while_they_are_young(unit):
    vehicle = Vehicle()
    vehicle.take(find(unit, stamp=NOW - 200_000_000).link)
    used = vehicle.voxels.received(result([message(stamp=NOW)]), NOW)
    assert [u.stamp_ns for u in used] == [NOW - 200_000_000]


def changed(link, **values) -> RoadsideOccupancy:
    message = deserialize_message(serialize_message(link), RoadsideOccupancy)
    for name, value in values.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize(('spoil', 'reason'), [
    (lambda link: changed(link, unit_id='rsu_2'), 'wrong_unit'), (lambda link: changed(link, grid='v2x'), 'wrong_grid'),
    (lambda link: changed(link, version=9), 'wrong_version'), (lambda link: changed(link, count=1), 'undecodable'),
    (lambda link: serialize_message(link)[:40], 'undecodable'), (lambda link: b'', 'undecodable'),
    (lambda link: bytes(10**6), 'too_large')],
    ids=['unit', 'grid', 'version', 'count', 'cut', 'empty', 'oversized'])
def test_hostile_foreign_and_oversized_voxels_are_refused_counted_and_explained(unit, spoil, reason):
    vehicle = Vehicle()
    assert vehicle.take(spoil(find(unit).link)) == reason
    assert not cars(vehicle.answer(result([message()])))
    assert vehicle.unit_health.voxels.values()['occupancy.refused'] == '1'
    assert '1 messages with voxels refused' in vehicle.warnings()


def test_a_replay_is_refused(unit):
    vehicle, link = Vehicle(), find(unit).link
    assert [vehicle.take(link), vehicle.take(link)] == ['', 'replayed']


def test_a_flood_is_refused_unread(unit):
    vehicle = Vehicle(rate_hz=1.0)
    assert vehicle.take(find(unit).link) == ''
    assert vehicle.take(b'anything') == 'too_many'


def test_voxels_of_another_session_than_the_instances_are_not_used(unit):
    vehicle = Vehicle()
    vehicle.take(find(unit, session=6).link)
    assert not cars(vehicle.answer(result([message(session=5)])))


def test_a_unit_that_may_only_confirm_adds_no_things_and_this_is_explained(unit):
    vehicle = Vehicle()
    vehicle.take(find(unit).link)
    assert not cars(vehicle.answer(result([message(may_create=False)])))
    assert '1 things of its voxels left out: the vehicle does not see them' in vehicle.warnings()


def test_after_a_jump_of_time_what_lies_ahead_is_forgotten(unit):
    vehicle = Vehicle()
    vehicle.take(find(unit).link)
    vehicle.voxels.restart(NOW - 60 * 10**9)
    assert not vehicle.receiver.is_settled(NOW)
    assert vehicle.take(find(unit, stamp=NOW - 60 * 10**9).link) == ''


def test_a_refused_message_is_settled_too(unit):
    vehicle = Vehicle()
    assert not vehicle.receiver.is_settled(NOW)
    vehicle.take(changed(find(unit).link, count=1))
    assert vehicle.receiver.is_settled(NOW)


class Package:
    name = 'bare'

    def occupancy(self, side, device):
        """Have no head."""
        return None


def test_a_model_without_a_head_is_named():
    assert reader_of(Package(), Side.VEHICLE, SETTINGS) is None
    with pytest.raises(UserError, match="card of model 'bare' lists no occupancy head for its cooperative weights"):
        reader_of(Package(), Side.COOPERATIVE, replace(SETTINGS, occupancy__enabled=True))


def test_a_tracker_that_keeps_no_features_is_found_before_frames_come():
    class Reader:
        def volume(self, state):
            raise ValueError('the state has no image features')
    with pytest.raises(UserError, match="does not go with execution 'graph': the state has no image features"):
        try_out(Reader(), None, replace(SETTINGS, execution='graph'))
