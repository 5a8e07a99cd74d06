"""A track that only the roadside sees does not outlive its last message for longer than is allowed."""

import dataclasses

import numpy as np
import pytest
from support.small_tracker import CONFIG, MANY, make_frame, make_message, make_tracker
from test_confirm_only import OneCar, boxes_of

from cooptrack_ros.common.types import Side
from cooptrack_ros.cooperation.late_fusion import ROADSIDE_FIRST_ID, LateConfig, LateTracker
from cooptrack_ros.cooperation.pairing import Received
from cooptrack_ros.tracking.ego_agent import EgoAgent
from cooptrack_ros.tracking.sight import TrackEvidence

MS = 1_000_000


def run(lifetime_s, frames, messages):
    """Return the live identities of each frame, and those that a message spoke of in it."""
    config = dataclasses.replace(CONFIG, method=dataclasses.replace(
        CONFIG.method, roadside_lifetime_s=lifetime_s))
    tracker = make_tracker(Side.COOPERATIVE, MANY, config)
    state, live, received = tracker.initial(), [], []
    for i in range(frames):
        state, output = tracker.step(state, make_frame(i), messages(i))
        received.append({m.track_id for m in output.matches})
        live.append(set(state.tracks.ids.tolist()))
    return live, received


@pytest.fixture(scope='module')
def sent():
    """Return five roadside instances."""
    tracker = make_tracker(Side.ROADSIDE, MANY)
    return tracker.step(tracker.initial(), make_frame(0))[1].instances[:5]


def test_tracks_end_with_what_spoke_of_them_and_others_stay(sent):
    live, (received, *_) = run(0.25, 5, lambda i: [make_message(sent)] if i == 0 else [])
    assert received and received < live[0]
    assert [received & ids for ids in live] == [received, received, received, set(), set()]
    # The vehicle found the rest by itself.
    assert all(live[0] - received <= ids for ids in live)


def test_an_old_message_used_again_does_not_prolong_a_life(sent):
    live, received = run(0.25, 5, lambda i: [make_message(sent)])
    # Others, which the vehicle had found before the message was taken for one of them, are its own.
    assert received[0] <= live[2] and not received[0] & live[3]


def test_messages_that_go_on_keep_tracks(sent):
    live, received = run(0.25, 5, lambda i: [dataclasses.replace(make_message(sent), stamp_ns=i * 100 * MS)])
    assert received[2] and received[2] | received[3] | received[4] <= live[4]


def test_without_a_limit_tracks_live_as_published(sent):
    live, (received, *_) = run(float('inf'), 5, lambda i: [make_message(sent)] if i == 0 else [])
    assert received <= live[4]


def test_a_track_that_the_vehicle_sees_needs_no_messages():
    received = TrackEvidence(received_ns=0)
    assert received.is_outlived(1001 * MS, 1.0) and not received.is_outlived(1000 * MS, 1.0)
    seen = TrackEvidence(900 * MS, 0)
    assert not seen.is_outlived(1800 * MS, 1.0) and seen.is_outlived(1901 * MS, 1.0)
    assert not TrackEvidence(0).is_outlived(np.iinfo(np.int64).max, 0.1)


def shown_late(lifetime_s, sent_ms):
    """Return whether late fusion shows a car that only a unit sees; ``sent_ms``: stamp of the message of each frame."""
    agent, shown = EgoAgent(OneCar(), LateTracker(LateConfig(lifetime_s=lifetime_s))), []
    for i, stamp_ms in enumerate(sent_ms):
        messages = [] if stamp_ms is None else [dataclasses.replace(boxes_of((40, 10)), stamp_ns=stamp_ms * MS)]
        tracks = agent.step(make_frame(i), Received(late=tuple(messages))).tracks
        shown.append(bool((tracks.track_id >= ROADSIDE_FIRST_ID).any()))
    return shown


@pytest.mark.parametrize(('lifetime_s', 'sent_ms', 'frames'), [
    (0.25, [0, 100, 200, None, None, None, None, None], 5),
    (float('inf'), [0, 100, 200, None, None, None, None, None], 7),
    (0.25, [0, 100, 200, 200, 200, 200, 200, 200], 5),
    (0.25, [0, 100, 200, 300, 400, 500, 600, 700], 8),
    (0.25, [0, 100, 200, 100, 100, 100, 100, 100], 5),
], ids=['silence', 'coasting without a limit', 'an old message again', 'messages go on', 'an older one again'])
def test_in_late_fusion_too_a_track_ends_with_its_last_message(lifetime_s, sent_ms, frames):
    assert shown_late(lifetime_s, sent_ms) == [i < frames for i in range(len(sent_ms))]


def test_a_message_that_is_too_old_begins_no_late_track():
    assert not any(shown_late(0.25, [-300, -200, -100, 0, 100, 200]))
