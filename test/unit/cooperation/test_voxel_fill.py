"""The vehicle keeps what it sees, units fill what it does not; things keep one identity, whoever sees them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cooptrack_ros.common.geometry import make_pose, rotation_z
from cooptrack_ros.common.types import Boxes, InstanceSet, Match, RoadsideMessage
from cooptrack_ros.cooperation.voxels.fill import UnitVoxels, VoxelFusion
from cooptrack_ros.cooperation.voxels.identities import UNIT_FIRST_ID, JoinedIdentities
from cooptrack_ros.occupancy.grids import Grid, Profile
from cooptrack_ros.occupancy.segments import Volume
from cooptrack_ros.occupancy.sparse import Occupied
from cooptrack_ros.occupancy.taxonomy import V2X

GENERAL, CAR, BICYCLE, GROUND, FREE = 0, 1, 2, 4, V2X.free
TARGET = Grid((-20.0, -20.0, -2.0), (1.0, 1.0, 1.0), (40, 40, 4))
SOURCE = replace(TARGET, origin=(0.0, -20.0, -2.0))
PROFILE = Profile('small', V2X, TARGET, 0.0)
POSE = make_pose(rotation_z(np.pi / 2), np.array([0.0, -16.0, 0.0]))
"""The unit stands beside the road: its x is the y of the vehicle, and its y the way back."""
NOW = 10**18
SEEN = np.zeros(TARGET.shape, bool)


def fusion(max_things=100, max_added=30) -> VoxelFusion:
    return VoxelFusion(PROFILE, SOURCE, TARGET, max_things, max_added)


def empty() -> Volume:
    return Volume(np.full(TARGET.shape, FREE, np.uint8), np.zeros(TARGET.shape, np.int64))


def volume(*parts) -> Volume:
    """Return a volume of blocks (class, identity, slices of x, y, z)."""
    made = empty()
    for class_, identity, *where in parts:
        made.semantics[tuple(where)], made.instances[tuple(where)] = class_, identity
    return made


def message(unit='rsu_1', tracks=(), velocity=(0.0, 0.0), age_s=0.0, **options) -> RoadsideMessage:
    count = len(tracks)
    rows = np.zeros((count, 3), np.float32)
    boxes = Boxes(np.zeros((count, 3)), np.ones((count, 3)), np.zeros(count), np.tile(velocity, (count, 1)),
                  np.zeros(count, np.int64), np.ones(count), np.array(tracks, np.int64))
    instances = InstanceSet(boxes, rows, *[np.zeros((count, 0), np.float32)] * 3, rows, np.zeros(count, np.float32),
                            rows)
    return RoadsideMessage(unit, NOW - round(age_s * 1e9), instances, options.pop('pose', POSE), **options)


def unit(made: Volume, of: RoadsideMessage | None = None) -> UnitVoxels:
    of = of or message()
    return UnitVoxels(of, of.stamp_ns, Occupied.of(made, V2X))


def fuse(own, *units, seen=SEEN, matches=(), joined=None, **options):
    return fusion(**options).fuse(own, seen, units, matches, joined or JoinedIdentities(), NOW)


X, Y, Z = slice(10, 14), slice(18, 20), slice(2, 4)
"""A car before the unit: x 10 to 14 m, y -2 to 0 m there; x 0 to 2 m, y -6 to -2 m for the vehicle."""
AWAY = make_pose(rotation_z(np.pi / 2), np.array([8.0, -16.0, 0.0]))
"""The same 8 m farther ahead of the vehicle, where the car is not the vehicle itself."""
AHEAD = np.s_[28:30, 14:18, 2:4]


def test_what_the_vehicle_does_not_see_is_filled_in():
    made = volume((GROUND, 0, slice(None), slice(None), 1), (CAR, 5, X, Y, Z))
    result = fuse(empty(), unit(made, message(pose=AWAY)))
    found = result.volume
    assert (found.semantics[AHEAD] == CAR).all()
    assert (found.semantics == CAR).sum() == 16
    assert set(np.unique(found.instances[AHEAD])) == {UNIT_FIRST_ID}
    assert (found.semantics[9:, 5:, 1] == GROUND).sum() > 500
    assert result.by_unit['rsu_1'] == (found.semantics != FREE).sum()


def test_what_the_vehicle_sees_stays_as_it_is():
    own = volume((CAR, 3, slice(28, 29), Y, Z), (GENERAL, 0, 25, 10, 2))
    seen = SEEN.copy()
    seen[AHEAD] = True
    made = volume((GROUND, 0, slice(None), slice(None), slice(1, 4)), (CAR, 5, X, Y, Z))
    found = fuse(own, unit(made, message(pose=AWAY)), seen=seen).volume
    kept = seen | (own.semantics != FREE)
    np.testing.assert_array_equal(found.semantics[kept], own.semantics[kept])
    np.testing.assert_array_equal(found.instances[kept], own.instances[kept])
    assert (found.semantics[~kept] != FREE).any()


def test_the_vehicle_itself_is_nothing_that_units_add():
    assert (fuse(empty(), unit(volume((CAR, 5, X, Y, Z)))).volume.semantics == CAR).sum() == 16
    at_origin = make_pose(rotation_z(np.pi / 2), np.array([0.0, -12.0, 0.0]))
    assert (fuse(empty(), unit(volume((CAR, 5, X, Y, Z)), message(pose=at_origin))).volume.semantics == FREE).all()


def test_things_move_along_their_track_what_stands_does_not():
    # 10 m/s along x of the unit for 0.2 s: 2 m along y of the vehicle.
    made = volume((CAR, 5, X, Y, Z), (GENERAL, 0, 30, 30, 2))
    still, late = message(tracks=(5,), velocity=(10.0, 0.0)), message(tracks=(5,), velocity=(10.0, 0.0), age_s=0.2)
    before, after = (fuse(empty(), unit(made, replace(m, ego_from_infra=AWAY))).volume for m in (still, late))
    np.testing.assert_array_equal(np.argwhere(after.semantics == CAR), np.argwhere(before.semantics == CAR) + [0, 2, 0])
    np.testing.assert_array_equal(after.semantics == GENERAL, before.semantics == GENERAL)


@pytest.mark.parametrize(('age_s', 'metres'), [(5.0, 20), (-0.3, -1)])
def test_no_motion_is_carried_on_for_longer_than_that_of_boxes(age_s, metres):
    made = volume((CAR, 5, X, Y, Z))
    placed = message(tracks=(5,), velocity=(20.0, 0.0), age_s=age_s, pose=AWAY)
    found = np.argwhere(fuse(empty(), unit(made, placed)).volume.semantics == CAR)
    np.testing.assert_array_equal(found.min(0), [28, 14 + metres, 2])


def test_fused_tracks_join_identities_and_the_class_of_the_vehicle_counts():
    own = volume((BICYCLE, 17, slice(5, 6), slice(5, 6), Z))
    made = volume((CAR, 5, X, Y, Z))
    match = Match(17, 'rsu_1', 0, 5, 1.0)
    found = fuse(own, unit(made, message(pose=AWAY)), matches=(match, Match(9, 'rsu_2', 0, 5, 1.0))).volume
    assert set(np.unique(found.instances)) == {0, 17}
    assert (found.semantics[AHEAD] == BICYCLE).all()


def test_without_a_fused_track_voxels_tell_who_is_who():
    own = volume((CAR, 17, slice(28, 29), slice(14, 18), Z), (CAR, 18, slice(35, 37), Y, Z))
    found = fuse(own, unit(volume((CAR, 5, X, Y, Z)), message(pose=AWAY))).volume
    assert set(np.unique(found.instances)) == {0, 17, 18}
    assert (found.instances == 17).sum() == 16


@pytest.mark.parametrize('class_', [BICYCLE, GENERAL])
def test_another_class_is_another_thing(class_):
    own = volume((class_, 17 * (class_ == BICYCLE), slice(28, 29), slice(14, 18), Z))
    found = fuse(own, unit(volume((CAR, 5, X, Y, Z)), message(pose=AWAY))).volume
    assert (found.instances == UNIT_FIRST_ID).sum() == 8


def test_an_identity_lasts_and_two_things_of_a_unit_never_share_one():
    made = volume((CAR, 5, X, Y, Z), (CAR, 6, slice(20, 24), Y, Z))
    first = fuse(empty(), unit(made, message(pose=AWAY)))
    assert set(np.unique(first.volume.instances)) == {0, UNIT_FIRST_ID, UNIT_FIRST_ID + 1}
    # Thing 5 is called as before although another one lies where it was; the other one is new.
    swapped = volume((CAR, 6, X, Y, Z), (CAR, 5, slice(20, 24), Y, Z), (CAR, 7, slice(30, 34), Y, Z))
    second = fuse(empty(), unit(swapped, message(pose=AWAY)), joined=first.joined).volume
    before = first.volume.instances
    np.testing.assert_array_equal(second.instances[AHEAD], before[28:30, 24:28, 2:4])
    assert set(np.unique(second.instances)) == {0, *(UNIT_FIRST_ID + n for n in range(3))}


def test_another_session_is_somebody_else():
    made = volume((CAR, 5, X, Y, Z))
    first = fuse(empty(), unit(made, message(pose=AWAY, session=1)))
    second = fuse(empty(), unit(made, message(pose=AWAY, session=2)), joined=first.joined)
    assert set(np.unique(second.volume.instances)) == {0, UNIT_FIRST_ID + 1}


def test_what_was_joined_long_ago_is_forgotten():
    made = volume((CAR, 5, X, Y, Z))
    first = fuse(empty(), unit(made, message(pose=AWAY)))
    assert len(first.joined.current(NOW + 4 * 10**9)) == 1
    assert not first.joined.current(NOW + 6 * 10**9)


def test_two_units_fill_in_one_thing_under_one_identity_in_any_order():
    left = unit(volume((CAR, 5, slice(10, 13), Y, Z)), message('rsu_1', pose=AWAY))
    right = unit(volume((CAR, 8, slice(11, 14), Y, Z)), message('rsu_2', pose=AWAY))
    results = [fuse(empty(), *units) for units in ((left, right), (right, left))]
    for result in results:
        assert (result.volume.instances[AHEAD] == UNIT_FIRST_ID).all()
        assert result.by_unit == {'rsu_1': 12, 'rsu_2': 4}
    np.testing.assert_array_equal(*(r.volume.instances for r in results))


def test_a_unit_that_may_only_confirm_adds_nothing_but_more_of_the_vehicles_own_things():
    own = volume((CAR, 17, slice(28, 29), slice(14, 18), Z))
    made = volume((GROUND, 0, slice(None), slice(None), 1), (GENERAL, 0, 35, 35, 2), (CAR, 5, X, Y, Z),
                  (CAR, 6, slice(20, 24), Y, Z))
    result = fuse(own, unit(made, message(pose=AWAY, may_create=False)))
    assert set(np.unique(result.volume.semantics)) == {CAR, FREE}
    assert set(np.unique(result.volume.instances)) == {0, 17}
    assert (result.volume.instances == 17).sum() == 16
    assert result.left_out == {('rsu_1', 'confirm_only'): 1}
    # Nor does a track that the vehicle knows but sees nothing of.
    match = Match(99, 'rsu_1', 0, 6, 1.0)
    again = fuse(own, unit(made, message(pose=AWAY, may_create=False)), matches=(match,))
    assert 99 not in again.volume.instances


def test_limits_hold_and_are_counted():
    made = volume(*((CAR, 5 + n, slice(10 + 3 * n, 11 + 3 * n), slice(18, 19 + (n < 4)), 2) for n in range(8)))
    result = fuse(empty(), unit(made, message(pose=AWAY)), max_added=2)
    assert len(np.unique(result.volume.instances)) == 3
    assert result.left_out == {('rsu_1', 'no_room'): 6}
    result = fuse(empty(), unit(made, message(pose=AWAY)), max_things=3)
    assert len(np.unique(result.volume.instances)) == 4
    assert result.left_out == {('rsu_1', 'too_many'): 5}


def test_a_thing_that_no_road_user_can_be_is_left_out():
    made = volume((CAR, 5, slice(0, 35), slice(30, 31), 2), (CAR, 6, X, Y, Z))
    result = fuse(empty(), unit(made, message(pose=AWAY)))
    assert len(np.unique(result.volume.instances)) == 2
    assert result.left_out == {('rsu_1', 'implausible'): 1}


def test_without_units_nothing_changes():
    own = volume((CAR, 17, X, Y, Z))
    result = fuse(own)
    np.testing.assert_array_equal(result.volume.semantics, own.semantics)
    np.testing.assert_array_equal(result.volume.instances, own.instances)
