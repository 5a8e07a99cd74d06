"""Recorded answers become results in the exchange format and frames to draw."""

import numpy as np
import pytest

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Boxes
from cooptrack_ros.data.bags.recording import FeatureFrame, PairFrame, Recording, TrackFrame
from cooptrack_ros.data.spd.reader import SpdDataset
from cooptrack_ros.demo import results


@pytest.fixture(scope='module')
def records(scenes):
    return SpdDataset(scenes.scene(20001, 0.6, (160, 90))).records('cooperative')


def _perfect(records):
    recording = Recording()
    for record in records:
        boxes, count = record.boxes, len(record.boxes)
        fused = record.infra_track_id.astype(np.int64)
        recording.tracks[record.stamp_us * 1000] = TrackFrame(
            record.stamp_us * 1000, 'cooperative', boxes, np.where(fused >= 0, 2, 0), fused,
            np.where(fused >= 0, 0.75, 0.0), record.global_from_lidar)
        seen = np.flatnonzero(fused >= 0)
        recording.features[record.infra_stamp_us * 1000] = FeatureFrame(
            boxes[seen].with_(track_id=fused[seen]), 100 * count)
        recording.latency_s[record.stamp_us * 1000] = 0.05
    return recording


def test_perfect_answers_score_perfectly(records):
    result = results.exchange('perfect', _perfect(records), records)
    figures = results.figures(result)
    assert figures['mAP'] == pytest.approx(1.0, abs=0.01)
    assert figures['IDS'] == 0


def test_an_unanswered_frame_is_an_error_not_a_gap(records):
    recording = _perfect(records)
    del recording.tracks[records[2].stamp_us * 1000]
    with pytest.raises(UserError, match=f'1 of {len(records)} frames.*{records[2].token}'):
        results.exchange('late', recording, records)


def test_an_empty_answer_is_fine(records):
    recording = _perfect(records)
    stamp = records[0].stamp_us * 1000
    none = np.zeros(0)
    recording.tracks[stamp] = TrackFrame(stamp, 'none', Boxes.empty(), none, none, none, np.eye(4))
    assert results.exchange('x', recording, records)['predictions'][records[0].token] == []


def test_associations_point_from_track_to_received_instance(records):
    pairs = {r.stamp_us * 1000: PairFrame(r.infra_stamp_us * 1000, r.ego_from_infra) for r in records}
    frame = results.frames_to_draw(_perfect(records), pairs, records)[records[0].token]
    assert len(frame.links) == len(frame.received) > 0
    for row, column, affinity in frame.links:
        assert affinity == 0.75
        assert records[0].infra_track_id[row] == frame.received.track_id[column]


def test_provenance_is_written_by_name(records):
    rows = results.provenance_rows(_perfect(records), records)[records[0].token]
    assert {r['provenance'] for r in rows} <= {'ego', 'fused'}
    assert all(('affinity' in r) == (r['provenance'] == 'fused') for r in rows)


def test_hidden_objects_that_were_tracked_are_counted(records):
    hidden = {int(i) for r in records for i in r.boxes.track_id[r.from_side == 'inf']}
    pairs = {r.stamp_us * 1000: PairFrame(r.infra_stamp_us * 1000, r.ego_from_infra) for r in records}
    frames = results.frames_to_draw(_perfect(records), pairs, records)
    assert results.unseen_by_ego(frames, records) == len(hidden)
    assert results.unseen_by_ego({}, records) == 0


def test_the_data_rate_counts_every_message_once(records):
    recording = _perfect(records)
    total = sum(f.serialized_bytes for f in recording.features.values())
    sizes = {stamp: frame.serialized_bytes for stamp, frame in recording.features.items()}
    assert results.bytes_per_second(sizes) == pytest.approx(total / (len(records) * 0.1), rel=0.05)


def test_latency_leaves_out_the_first_frame(records):
    recording = _perfect(records)
    recording.latency_s[min(recording.latency_s)] = 9.0
    assert results.latency_ms(recording) == {'p50': 50.0, 'p95': 50.0}
    with pytest.raises(UserError, match='no latency'):
        results.latency_ms(Recording())
