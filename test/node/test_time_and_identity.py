"""Bags that start again, late images, silent pairs: the ego node keeps its identities and never stalls."""

import dataclasses
import time

import numpy as np
from support.ros_world import (
    INFRA,
    START_NS,
    STEP_NS,
    EgoWorld,
    FakePackage,
    FakeTracker,
    boxes,
    camera_image,
    odometry,
    pair,
)

from cooptrack_msgs.msg import Track
from cooptrack_ros.common.types import Boxes


class FlickeringTracker(FakeTracker):
    """A live track that is below the report threshold in every other frame."""

    def step(self, state, frame, messages=()):
        """Return one track or none."""
        state, output = super().step(state, frame, messages)
        shown = frame.stamp_ns // STEP_NS % 2 == START_NS // STEP_NS % 2
        tracks = boxes(1, 7) if shown else Boxes.empty()
        return state, dataclasses.replace(output, tracks=tracks, live=np.ones(len(tracks), bool), detections=tracks)


class FlickeringPackage(FakePackage):
    """A package of such a tracker."""

    def tracker(self, side, device='cpu', execution='fast', takes_clouds=False):
        """Return a tracker."""
        return FlickeringTracker(side)


def test_a_track_keeps_its_identity_while_it_is_not_reported(world):
    ego = EgoWorld(world, FlickeringPackage())
    assert [[t.id for t in ego.frame().tracks] for _ in range(5)] == [[1], [], [1], [], [1]]


def test_second_pass_of_a_looped_bag_with_recorded_features_gives_the_same_tracks(world):
    ego = EgoWorld(world)
    passes = []
    for _ in range(2):
        ego.now_ns = START_NS
        answers = []
        for step in range(40):
            ego.features(sequence=step)
            answer = ego.frame()
            answers.append((answer.mode, answer.reset, [(t.id, t.age_s) for t in answer.tracks]))
        passes.append(answers)
    assert passes[0] == passes[1]
    assert {mode for mode, _, _ in passes[0]} == {'cooperative'}
    assert ego.node.health.counts['time_jumps'] == 1


def test_late_and_repeated_images_are_counted_and_do_not_reset(world):
    ego = EgoWorld(world)
    ego.frame()
    ego.frame()
    ego.now_ns -= 2 * STEP_NS
    ego.send()
    ego.dropped('image', 'late')
    ego.send()
    ego.dropped('image', 'duplicate')
    assert len(ego.tracks) == 2
    assert not ego.frame().reset


def test_lockstep_goes_on_without_a_pair(world):
    ego = EgoWorld(world, lockstep=True, lockstep_timeout=600.0)
    assert ego.frame().mode == 'none'


def test_lockstep_does_not_wait_for_a_message_that_was_refused(world):
    ego = EgoWorld(world, lockstep=True, lockstep_timeout=600.0)
    world.publish(f'{INFRA}/pair', pair(ego.now_ns, ego.now_ns))
    ego.features(version=9)
    assert ego.frame().mode == 'none'


def test_lockstep_wait_ends_when_the_node_is_stopped(world):
    ego = EgoWorld(world, lockstep=True, lockstep_timeout=600.0)
    world.publish(f'{INFRA}/pair', pair(ego.now_ns, ego.now_ns))
    ego.send()
    world.until(lambda: ego.node.health.counts['image.received'], 'the image')
    started = time.monotonic()
    ego.node.stop()
    assert time.monotonic() - started < 60
    assert not ego.tracks


def test_late_fusion_tells_who_knows_a_track(world):
    ego = EgoWorld(world, fusion__mode='late')
    for step in range(4):
        ego.features(count=3, sequence=step)
        answer = ego.frame()
    # The vehicle's car stands where the unit's first one does.
    assert [t.provenance for t in answer.tracks] == [Track.FUSED, Track.ROADSIDE, Track.ROADSIDE]
    assert answer.tracks[0].unit_id == 'rsu_1'


def test_a_pose_that_comes_shortly_after_its_image_is_used(world):
    ego = EgoWorld(world, odometry__tolerance_ms=5000.0)
    ego.frame()
    world.publish('/ego/ego_node/input/image/compressed', camera_image(ego.now_ns))
    world.until(lambda: ego.node.health.counts['image.received'] == 2, 'the image')
    world.publish('/ego/ego_node/input/odometry', odometry(ego.now_ns + STEP_NS // 2))
    world.until(lambda: len(ego.tracks) == 2, 'tracks')
    position = ego.tracks[-1].map_from_lidar[3]
    assert abs(position - STEP_NS / 1e9) < 1e-9


def test_rates_of_the_inputs_are_in_the_diagnostics(world):
    ego = EgoWorld(world)
    ego.features()
    ego.frame()

    def keys():
        return {v.key for a in ego.diagnostics for s in a.status for v in s.values}
    world.until(lambda: {'rate_hz.image', 'rate_hz.odometry', 'rate_hz.rsu_1'} <= keys(), 'rates')


def test_diagnostics_go_on_while_simulated_time_stands_still(world):
    ego = EgoWorld(world, use_sim_time=True)
    ego.frame()
    seen = len(ego.diagnostics)
    world.until(lambda: len(ego.diagnostics) > seen + 1, 'diagnostics')
