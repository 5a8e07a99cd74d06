"""What fails beside the node costs the frames that it touches, and the node goes on."""

import errno

import cv2
import numpy as np
import pytest
import torch
from faults import broken_messages
from support.ros_world import FEATURES, INFRA, SIZE, STEP_NS, camera_image

from cooptrack_msgs.msg import InstanceFeatureArray
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Side
from cooptrack_ros.data.bags.standard_messages import header
from cooptrack_ros.data.bags.writer import BagWriter
from cooptrack_ros.wire.images import encode_jpeg


def test_one_frame_without_memory_is_dropped_and_the_next_one_tracked(ego, monkeypatch):
    tracker, step = ego.package.trackers[Side.COOPERATIVE], ego.package.trackers[Side.COOPERATIVE].step
    ego.frame()

    def exhausted(*arguments, **options):
        raise torch.OutOfMemoryError('CUDA out of memory')
    monkeypatch.setattr(tracker, 'step', exhausted)
    ego.send()
    ego.dropped('image', 'internal_error')
    monkeypatch.setattr(tracker, 'step', step)
    answer = ego.frame()
    assert len(answer.tracks) == 1
    assert not answer.reset


def test_black_images_are_tracked_like_any_other(ego):
    ego.frame()
    black = encode_jpeg(np.zeros((SIZE[1], SIZE[0], 3), np.uint8), camera_image(ego.now_ns).header)
    assert len(ego.frame(black).tracks) == 1


def test_images_of_another_size_are_dropped_until_the_size_is_back(ego):
    ego.frame()
    ego.send(camera_image(ego.now_ns, (2 * SIZE[0], SIZE[1])))
    ego.dropped('image', 'wrong_size')
    assert not ego.frame().reset


def test_a_frozen_camera_that_repeats_its_stamp_is_noticed(ego):
    stuck = camera_image(ego.now_ns)
    ego.frame(stuck)
    ego.send(stuck)
    ego.dropped('image', 'duplicate')
    assert not ego.frame().reset


@pytest.mark.parametrize('jump_s', [-3600, 3600])
def test_a_clock_that_steps_starts_the_tracker_anew_once(ego, jump_s):
    ego.frame()
    ego.now_ns += jump_s * 10**9
    assert ego.frame().reset
    assert not ego.frame().reset


def test_an_image_cut_short_costs_itself_only(ego):
    ego.frame()
    _, data = cv2.imencode('.jpg', np.zeros((8, 8, 3), np.uint8))
    cut = camera_image(ego.now_ns)
    cut.data = data.tobytes()[:40]
    ego.send(cut)
    ego.dropped('image', 'unreadable_image')
    assert not ego.frame().reset


def test_a_full_disk_ends_a_recording_with_a_word_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, 'No space left on device')
    with pytest.raises(UserError, match='No space left'), BagWriter(tmp_path / 'bag') as bag:
        monkeypatch.setattr(bag._writer, 'write', full)
        bag.write('/topic', header(STEP_NS, 'map'), 0)
    assert list(tmp_path.iterdir()) == []


def test_broken_messages_and_bytes_under_the_name_of_a_unit_cost_themselves(ego):
    publisher = ego.world.probe.create_publisher(InstanceFeatureArray, f'{INFRA}/features', FEATURES)
    ego.world.until(lambda: publisher.get_subscription_count(), 'the ego node to listen')
    for broken in broken_messages(ego.features(count=2)):
        publisher.publish(broken)
    for reason in ('wrong_version', 'wrong_length', 'wrong_unit', 'not_finite'):
        ego.dropped('rsu_1', reason)
    ego.features(count=2, sequence=1)
    assert ego.frame().mode == 'cooperative'
