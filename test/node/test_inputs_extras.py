"""Images with boxes, predicted tracks, and parameters that change while the node runs."""

import dataclasses

import numpy as np
import pytest
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image
from support.ros_world import EgoWorld, FakePackage, FakeTracker, stamp

from cooptrack_msgs.msg import TrackArray
from cooptrack_ros.nodes.roadside_node import RoadsideNode
from cooptrack_ros.weights.store import open_model
from cooptrack_ros.wire.images import decode_image

NODE = '/ego/ego_node'


class MovingTracker(FakeTracker):
    """Its car drives along +x with 5 m/s."""

    def step(self, state, frame, messages=()):
        """Return one track."""
        state, output = super().step(state, frame, messages)
        tracks = output.tracks.with_(velocity=np.tile([5.0, 0.0], (len(output.tracks), 1)))
        return state, dataclasses.replace(output, tracks=tracks)


class MovingPackage(FakePackage):
    """A package of such a tracker."""

    def tracker(self, side, device='cpu', execution='fast', takes_clouds=False):
        """Return a tracker."""
        return MovingTracker(side)


def change(node, name: str, value) -> None:
    """Change a live parameter."""
    assert node.set_parameters([Parameter(name, value=value)])[0].successful


@pytest.mark.parametrize(('topic', 'kind'), [
    (f'{NODE}/debug/image', Image), (f'{NODE}/debug/image/compressed', CompressedImage)])
def test_boxes_are_drawn_into_the_image(world, topic, kind):
    ego = EgoWorld(world)
    drawn = world.listen(topic, kind)
    world.until(lambda: ego.node.count_subscribers(topic) > 0, 'the listener')
    answer = ego.frame()
    world.until(lambda: drawn, 'an image')
    image = decode_image(drawn[0])
    assert image.shape == (32, 64, 3)
    changed = (np.abs(image.astype(int) - 90) > 30).any(-1)
    assert 10 < changed.sum() < image.shape[0] * image.shape[1] / 2
    assert (drawn[0].header.stamp, drawn[0].header.frame_id) == (answer.header.stamp, 'camera')
    change(ego.node, 'debug.image', False)
    ego.frame()
    change(ego.node, 'debug.image', True)
    ego.frame()
    world.until(lambda: len(drawn) == 2, 'the next image')
    assert drawn[1].header.stamp == ego.tracks[2].header.stamp


def test_nothing_is_drawn_while_nobody_listens(world, monkeypatch):
    from cooptrack_ros.nodes.outputs import debug_image
    drawn = []
    monkeypatch.setattr(debug_image, 'draw_boxes', lambda *a: drawn.append(a))
    ego = EgoWorld(world)
    ego.frame()
    ego.frame()
    assert not drawn


def test_prediction_is_off_until_it_is_wanted_and_an_output_of_its_own(world):
    ego = EgoWorld(world, MovingPackage(), use_sim_time=True)
    predicted = world.listen(f'{NODE}/output/predicted_tracks', TrackArray)
    world.until_heard(ego.node, 'predicted_tracks')
    world.until(lambda: world.probe.count_subscribers('/clock') > 0, 'the node on simulated time')
    ego.frame()
    change(ego.node, 'prediction.enabled', True)
    now = ego.now_ns + 200_000_000
    world.publish('/clock', Clock(clock=stamp(now)))
    world.until(lambda: ego.node.get_clock().now().nanoseconds == now, 'the time')
    answer = ego.frame()
    world.until(lambda: predicted, 'the prediction')
    message = predicted[0]
    assert len(predicted) == 1
    assert message.header.stamp == stamp(now)
    assert message.header.frame_id == 'map'
    assert [t.id for t in message.tracks] == [t.id for t in answer.tracks]
    # The vehicle stands at 0.1 m, and the car drives for 0.2 s.
    assert answer.tracks[0].pose.position.x == pytest.approx(10.0)
    assert message.tracks[0].pose.position.x == pytest.approx(10.0 + 0.1 + 5.0 * 0.2)


def test_recorded_images_on_the_clock_of_today_are_not_predicted(world):
    ego = EgoWorld(world, prediction__enabled=True)
    # Tracks are out before they are predicted; those of the second frame tell that the first one is done.
    assert ego.frame().tracks and ego.frame().tracks
    # Nothing is predicted for nobody.
    assert ego.node.health.dropped('prediction', 'implausible_age') == 0
    world.listen(f'{NODE}/output/predicted_tracks', TrackArray)
    world.until_heard(ego.node, 'predicted_tracks')
    assert ego.frame().tracks
    ego.dropped('prediction', 'implausible_age')


def test_the_score_threshold_takes_effect_with_the_next_image(world):
    ego = EgoWorld(world)
    first = ego.frame()
    change(ego.node, 'output.min_score', 0.95)
    assert not ego.frame().tracks
    change(ego.node, 'output.min_score', 0.85)
    again = ego.frame()
    assert [t.id for t in again.tracks] == [t.id for t in first.tracks] == [1]


@pytest.mark.parametrize(('name', 'value', 'reported'), [
    ('output.min_score', 1.5, '1'), ('features.max_instances', 0, '900'), ('features.encoding', 'zip', 'float16')])
def test_live_values_out_of_range_are_refused_and_change_nothing(world, name, value, reported):
    node = world.start(RoadsideNode, '/infra/rsu_1', open_model('random:mini'), autostart=False)
    before = node.settings
    result = node.set_parameters([Parameter(name, value=value)])[0]
    assert not result.successful
    assert name in result.reason and reported in result.reason
    assert node.settings == before
