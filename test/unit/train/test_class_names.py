"""Models with different classes in one process: configuration, targets, evaluation, messages, drawing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from std_msgs.msg import Header
from test_run import TINY

from cooptrack_ros.common.config import R50, apply_overrides, load_config
from cooptrack_ros.common.errors import WireError
from cooptrack_ros.common.types import Boxes, InstanceSet, Side
from cooptrack_ros.data.dataset import CameraFrame, FrameRecord
from cooptrack_ros.eval.exchange import ExchangeBuilder
from cooptrack_ros.eval.exchange_check import check_exchange
from cooptrack_ros.eval.nuscenes import evaluate
from cooptrack_ros.eval.oracle import oracle_result
from cooptrack_ros.eval.report import headline, per_class
from cooptrack_ros.model.network import CoopTrackNetwork
from cooptrack_ros.train.clips import target_boxes
from cooptrack_ros.viz.result import tracked_frames, world_boxes
from cooptrack_ros.wire.features import FeatureLimits, FeatureMeta, decode_instances, encode_instances
from cooptrack_ros.wire.markers import received_markers, track_markers
from cooptrack_ros.wire.tracks import TrackMeta, encode_tracks

NAMES = ('pedestrian', 'tram', 'dog', 'car')
OVERRIDES = {'class_names': list(NAMES), 'ego_range': {'class_range': [40, 60, 30, 50]},
             'infra_range': {'class_range': [80, 90, 60, 100]}}
OTHER = apply_overrides(TINY, OVERRIDES)


def boxes(labels):
    """Return boxes ten metres apart, five metres to the left, with identities from 1."""
    count = len(labels)
    centre = np.column_stack([np.arange(1, count + 1) * 10.0, np.full(count, 5.0), np.zeros(count)])
    return Boxes(centre, np.tile([4.0, 2.0, 1.5], (count, 1)), np.zeros(count), np.zeros((count, 2)),
                 np.array(labels, np.int64), np.full(count, 0.9), np.arange(1, count + 1))


def record(token, labels, classes=R50.class_names):
    """Return a labelled frame."""
    camera = CameraFrame('camera', 'none.jpg', 100_000 * token, np.eye(3), np.eye(4), np.zeros(5))
    return FrameRecord(
        token=f'{token:06d}', sequence='0', stamp_us=100_000 * token, cameras=(camera,), ego_from_lidar=np.eye(4),
        global_from_ego=np.eye(4), stored_global_from_lidar=np.eye(4), side='cooperative', classes=classes,
        labelled=True, boxes=boxes(labels), from_side=np.full(len(labels), 'coop', object))


class OneData:
    """A data set of some pairs."""

    root = Path('x')

    def __init__(self, records):
        self._records = records

    def sequences(self, split):
        return ['0']

    def records(self, side, sequence):
        return self._records


def test_a_configuration_may_have_other_classes_and_says_what_does_not_fit():
    config = load_config(OVERRIDES)
    assert config.class_range_of(Side.VEHICLE) == dict(zip(NAMES, (40.0, 60.0, 30.0, 50.0), strict=True))
    assert list(R50.class_range_of(Side.ROADSIDE)) == ['car', 'bicycle', 'pedestrian']
    for wrong, text in (({'class_names': ['car', 'tram']}, 'ego_range.class_range.* has 3 numbers.* 2 class names'),
                        ({'class_names': []}, 'class_names.* must be'), ({'class_names': [1, 2, 3]}, 'class_names'),
                        ({**OVERRIDES, 'class_names': ['car', 'dog', 'car', 'tram']}, 'different names')):
        with pytest.raises(ValueError, match=text):
            load_config(wrong)


def test_networks_of_both_lists_have_as_many_scores_as_classes():
    for config in (TINY, OTHER):
        network = CoopTrackNetwork(config, Side.VEHICLE)
        last = [m for m in network.reasoner.cls.modules() if isinstance(m, torch.nn.Linear)][-1]
        assert last.out_features == len(config.class_names)


def test_targets_are_matched_by_name_and_what_the_model_does_not_know_is_left_out():
    frame = record(1, [0, 1, 2])
    assert target_boxes(frame, TINY, Side.VEHICLE).label.tolist() == [0, 1, 2]
    other = target_boxes(frame, OTHER, Side.VEHICLE)
    assert [NAMES[label] for label in other.label] == ['car', 'pedestrian']
    assert other.track_id.tolist() == [1, 3]


def test_boxes_on_the_edge_of_the_range_and_cones_are_no_targets():
    centre = np.array([[51.2, 0, 0], [51.1, 0, 99.0], [0, -51.2, 0], [0, 0, 0]])
    frame = replace(record(1, [0, 1, 2, 3], (*R50.class_names, 'traffic_cone')))
    frame = replace(frame, boxes=frame.boxes.with_(centre=centre))
    np.testing.assert_array_equal(target_boxes(frame, R50, Side.VEHICLE).track_id, [2])


@pytest.mark.parametrize('config, known', [(TINY, {'car', 'pedestrian'}), (OTHER, {'car', 'dog', 'pedestrian'})])
def test_a_perfect_model_of_either_list_scores_perfectly_on_the_same_data(config, known):
    frames = [record(token, [0, 1, 2, 0], ('car', 'dog', 'pedestrian')) for token in range(1, 6)]
    builder = ExchangeBuilder('x', config.class_range_of(Side.VEHICLE))
    for frame in frames:
        builder.add(frame, '', target_boxes(frame, config, Side.VEHICLE), None)
    result = builder.finish()
    check_exchange(result)
    assert result['classes'] == list(config.class_names)
    # One of the models does not know dogs: they are neither asked of it nor counted against it.
    assert {row['name'] for rows in result['ground_truth'].values() for row in rows} == known
    figures = evaluate(result)
    assert {name for name, ap in figures['detection']['mean_dist_aps'].items() if ap > 0.9} == known
    assert {name for name, amota in figures['tracking']['label_metrics']['amota'].items() if amota == 1} == known
    drawn = tracked_frames(result, frames[:1], 'x')['000001'].tracks
    assert {config.class_names[label] for label in drawn.label} == known
    assert len(world_boxes(result['predictions']['000001'], result['classes'])) == len(drawn)
    oracle = oracle_result([(Path('x'), OneData(frames))], 'vehicle', class_range=config.class_range_of(Side.VEHICLE))
    assert oracle['predictions'].keys() == result['predictions'].keys()
    assert {row['name'] for rows in oracle['predictions'].values() for row in rows} == known


def test_without_cars_there_is_no_headline():
    builder = ExchangeBuilder('x', {'dog': 40.0})
    frame = record(1, [0], ('dog',))
    builder.add(frame, '', frame.boxes, None)
    result = evaluate(builder.finish())
    assert result['headline_car'] == {} and set(headline(result).values()) == {'class absent'}
    assert per_class(result)['dog']['AP'] > 0.9


def test_messages_and_markers_have_the_names_of_their_model():
    tracks, none = boxes([0, 1]), np.zeros(2, np.int64)
    for names in (R50.class_names, NAMES):
        meta = TrackMeta(0, 'ego/lidar', 'none', 'm', 'map', np.eye(4), names)
        assert [t.class_name for t in encode_tracks(tracks, meta, none, none, {}).tracks] == list(names[:2])
        for markers in (track_markers(tracks, Header(), names), received_markers(tracks, ['u'] * 2, Header(), names)):
            words = [m.text for m in markers if m.text]
            assert all(name in text for name, text in zip(names[:2], words, strict=True))


def test_a_receiver_takes_the_labels_that_its_model_knows():
    empty = InstanceSet.empty(4)
    rows = {name: np.zeros((1, *getattr(empty, name).shape[1:]), np.float32)
            for name in vars(empty) if name != 'boxes'}
    message = encode_instances(InstanceSet(boxes([3]), **rows), FeatureMeta.example())
    assert decode_instances(message, FeatureLimits(num_classes=len(NAMES)))[0].boxes.label.tolist() == [3]
    with pytest.raises(WireError, match='label 3; known: 0 to 2'):
        decode_instances(message)
