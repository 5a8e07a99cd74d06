"""What studies change in the input of a network, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_tracker import CONFIG, MANY, make_frame, make_message, make_tracker

from cooptrack_ros.common.types import RoadsideMessage, Side
from cooptrack_ros.eval.studies import RememberingTracker, StudyStages, TwoPoseMessage, without_features


@pytest.fixture(scope='module')
def sent():
    """Return messages of two units."""
    tracker = make_tracker(Side.ROADSIDE, MANY)
    _, output = tracker.step(tracker.initial(), make_frame(0))
    return [make_message(output.instances[k::2], name, -30.0 - 20 * k) for k, name in enumerate(('a', 'b'))]


def aligned(messages, studies=True):
    """Return what the cooperative tracker makes of messages: aligned instances of each, and its output."""
    tracker, seen = make_tracker(Side.COOPERATIVE, MANY), []
    if studies:
        StudyStages.put_into(tracker)
    _, output = tracker.advance(tracker.initial(), tracker.prepare(make_frame(0)), messages,
                                observe=lambda name, value: seen.append(value) if name == 'aligned' else None)
    return seen, output


def test_without_an_edit_nothing_changes(sent):
    (first, output), (second, other) = aligned(sent), aligned(sent, studies=False)
    assert all(np.array_equal(x, y) for a, b in zip(first, second, strict=True) for x, y in zip(a, b, strict=True))
    assert np.array_equal(output.tracks.score, other.tracks.score)


def test_lost_features_leave_places_and_change_the_result(sent):
    lost = [without_features(replace(m, earlier=(m,))) for m in sent]
    for before, after in zip(sent, lost, strict=True):
        assert after.instances.boxes is before.instances.boxes and after.instances.ref_points.any()
        for instances in (after.instances, after.earlier[0].instances):
            assert not any(getattr(instances, n).any() for n in ('semantic', 'motion', 'position_embedding'))
    (first, output), (second, zeroed) = aligned(sent), aligned(lost)
    assert all(np.array_equal(a.ref_points, b.ref_points) for a, b in zip(first, second, strict=True))
    assert not np.array_equal(output.tracks.score, zeroed.tracks.score)


def test_a_second_pose_turns_features_and_leaves_places(sent):
    wrong = np.diag([-1.0, -1, 1, 1])
    both = [TwoPoseMessage(**vars(m), alignment_pose=wrong) for m in sent]
    reported = [replace(m, ego_from_infra=wrong) for m in sent]
    network = make_tracker(Side.COOPERATIVE, MANY).network
    assert isinstance(both[0], RoadsideMessage) and CONFIG.method.alignment == 'latent'
    (first, _), (second, _) = aligned(sent), aligned(both)
    for message, before, after in zip(reported, first, second, strict=True):
        assert np.array_equal(before.ref_points, after.ref_points) and np.array_equal(before.codes, after.codes)
        assert len(after.semantic) and not np.allclose(before.semantic, after.semantic)
        # The features are those of a unit that stands where the second pose says.
        rotation, translation = network.alignment.latent_pose(_tensor(message.ego_from_infra))
        kept = message.instances[np.flatnonzero(after.kept)]
        expected = network.alignment.semantic(_tensor(kept.semantic), rotation, translation)
        np.testing.assert_allclose(after.semantic, expected.detach(), atol=1e-6)


def _tensor(values):
    return torch.from_numpy(np.asarray(values, np.float32))


def test_known_features_stand_in_for_images(sent):
    known = {}
    outputs = []
    for frames in ([make_frame(0), make_frame(1)],
                   [replace(make_frame(i), images=(), img_from_lidar=np.zeros((0, 4, 4))) for i in (0, 1)]):
        studied = make_tracker(Side.COOPERATIVE, MANY)
        StudyStages.put_into(studied)
        tracker = RememberingTracker(studied, known)
        assert len(known) == 2 * len(outputs)
        state = tracker.initial()
        for frame in frames:
            state, output = tracker.step(state, frame, sent)
        outputs.append((output, tracker.look(state)))
    (first, view), (second, again) = outputs
    assert np.array_equal(first.tracks.score, second.tracks.score) and np.array_equal(view.scores, again.scores)
    assert 'image_features' in first.stage_seconds and 'image_features' not in second.stage_seconds
