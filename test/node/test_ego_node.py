"""The ego node without network."""

import numpy as np
import pytest
from support.ros_world import STEP_NS, EgoWorld, pair
from visualization_msgs.msg import Marker, MarkerArray

from cooptrack_msgs.msg import Latency, Track, TrackArray
from cooptrack_ros.common.types import Side


def test_every_processed_frame_gives_one_track_array_with_the_stamp_of_the_image(world):
    ego = EgoWorld(world)
    stamps = [ego.frame().header.stamp for _ in range(5)]
    times = [s.sec * 10**9 + s.nanosec for s in stamps]
    assert np.diff(times).tolist() == [STEP_NS] * 4
    assert len(ego.tracks) == 5


def test_public_identities_are_small_and_start_anew_after_a_gap(world):
    ego = EgoWorld(world)
    first, second = ego.frame(), ego.frame()
    assert [t.id for t in first.tracks] == [t.id for t in second.tracks] == [1]
    assert first.reset and not second.reset
    ego.now_ns += 10**9
    third = ego.frame()
    assert third.reset
    assert [t.id for t in third.tracks] == [1]
    assert third.tracks[0].age_s == 0


def test_fused_tracks_name_the_unit(world):
    ego = EgoWorld(world)
    ego.features(count=2)
    answer = ego.frame()
    assert [t.unit_id for t in answer.tracks] == ['', 'rsu_1', 'rsu_1']
    assert answer.tracks[0].provenance == Track.EGO
    assert answer.infra_count == 2


def test_exact_pair_is_used_for_its_message(world):
    ego = EgoWorld(world, fusion__pairs=True)
    exact = pair(ego.now_ns, ego.now_ns)
    shifted = np.eye(4)
    shifted[0, 3] = 5.0
    exact.ego_from_infra = shifted.reshape(-1)
    ego.pair(exact)
    ego.features(count=1)
    ego.frame()
    _, messages = ego.package.trackers[Side.COOPERATIVE].seen[-1]
    np.testing.assert_array_equal(messages[0].ego_from_infra, shifted)


@pytest.mark.parametrize(('settings', 'listens'), [({}, False), ({'lockstep': True}, True),
                                                   ({'fusion__pairs': True}, True)])
def test_pairs_are_believed_with_lockstep_or_on_request_alone(world, settings, listens):
    ego = EgoWorld(world, calibrated=False, **settings)
    assert ('/infra/rsu_1/pair' in {s.topic_name for s in ego.node.subscriptions}) is listens


def test_without_a_pair_the_poses_in_the_map_are_used(world):
    ego = EgoWorld(world)
    ego.frame()
    ego.features(count=1)
    ego.frame()
    _, messages = ego.package.trackers[Side.COOPERATIVE].seen[-1]
    # The unit stands at the origin of the map; the vehicle has driven 0.1 m along +x.
    np.testing.assert_allclose(messages[0].ego_from_infra[:3, 3], [-0.1, 0, 0], atol=1e-9)


def test_mode_none_ignores_units_and_runs_the_vehicle_network(world):
    ego = EgoWorld(world, fusion__mode='none')
    answer = ego.frame()
    assert answer.mode == 'none'
    assert set(ego.package.trackers) == {Side.VEHICLE}


def test_mode_late_adds_roadside_boxes_to_the_vehicle_network(world):
    ego = EgoWorld(world, fusion__mode='late')
    ego.features(count=2)
    answer = ego.frame()
    assert answer.mode == 'late'
    assert set(ego.package.trackers) == {Side.VEHICLE}


def test_mode_rule_associates_by_distance(world):
    ego = EgoWorld(world, fusion__mode='distance_association')
    ego.features(count=2)
    assert ego.frame().mode == 'cooperative'
    assert set(ego.package.trackers) == {Side.COOPERATIVE} and ego.package.method['association'] == 'distance'


def test_image_without_a_pose_is_dropped_not_placed_at_the_origin(world):
    ego = EgoWorld(world)
    ego.frame()
    ego.now_ns += 10**9
    from support.ros_world import camera_image
    world.publish('/ego/ego_node/input/image/compressed', camera_image(ego.now_ns))
    ego.dropped('image', 'missing_pose')
    assert len(ego.tracks) == 1


def test_detections_come_only_when_somebody_listens(world):
    ego = EgoWorld(world)
    detections = world.listen('/ego/ego_node/output/detections', TrackArray)
    world.until_heard(ego.node, 'detections')
    ego.frame()
    world.until(lambda: detections, 'detections')


def test_latency_stages_are_in_order_and_within_the_total(world):
    ego = EgoWorld(world)
    latencies = world.listen('/ego/ego_node/debug/latency', Latency)
    world.until_heard(ego.node, 'latency')
    ego.frame()
    world.until(lambda: latencies, 'a latency')
    message = latencies[0]
    assert list(message.stages)[:2] == ['wait', 'decode']
    assert message.stages[-1] == 'publish'
    assert np.all(np.diff(message.stage_start_s) >= 0)
    assert max(np.add(message.stage_start_s, message.stage_duration_s)) <= message.total_s + 1e-9


def test_vanished_track_is_deleted_from_the_display_and_a_reset_clears_it(world):
    ego = EgoWorld(world, fusion__max_infra_age_ms=300.0)
    markers = world.listen('/ego/ego_node/output/markers', MarkerArray)
    world.until_heard(ego.node, 'markers')
    ego.features(count=1)
    ego.frame()
    ego.now_ns += 400_000_000
    ego.frame()
    world.until(lambda: len(markers) == 2, 'markers')
    assert markers[0].markers[0].action == Marker.DELETEALL
    assert {m.id for m in markers[1].markers if m.action == Marker.DELETE and m.ns == 'boxes'} == {2}


def test_lockstep_waits_for_the_message_that_the_pair_names(world):
    ego = EgoWorld(world, lockstep=True)
    stamp = ego.now_ns
    ego.pair(pair(stamp, stamp - 30_000_000))
    ego.send()
    world.until(lambda: ego.node.health.counts['image.received'] == 1, 'the image')
    assert not ego.tracks
    ego.features(count=1, ns=stamp - 30_000_000)
    world.until(lambda: ego.tracks, 'tracks')
    assert ego.tracks[0].mode == 'cooperative'
