"""A node explains on its own why an input is silent."""

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from nav_msgs.msg import Odometry
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage
from support.ros_world import FEATURES, EgoWorld, camera_image, odometry

from cooptrack_ros.nodes.health import silence_watch
from cooptrack_ros.nodes.health.silence_watch import SilenceWatch, WatchedInput
from cooptrack_ros.nodes.qos import input_qos

NODE = '/ego/ego_node'
UNIT = f'{NODE}: unit rsu_1'


def statuses(messages: list[DiagnosticArray], name: str) -> list[DiagnosticStatus]:
    """Return what was said of a node or unit."""
    return [s for array in messages for s in array.status if s.name == name]


def test_a_best_effort_driver_is_named_in_the_diagnostics(world):
    ego = EgoWorld(world)
    driver = world.probe.create_publisher(CompressedImage, f'{NODE}/input/image/compressed', qos_profile_sensor_data)
    driver.publish(camera_image(ego.now_ns))
    world.until(lambda: any(s.level == DiagnosticStatus.ERROR for s in statuses(ego.diagnostics, NODE)), 'an error')
    status = next(s for s in statuses(ego.diagnostics, NODE) if s.level == DiagnosticStatus.ERROR)
    text = next(v.value for v in status.values if v.key == 'silent.image')
    assert text in status.message
    assert f'no images on {NODE}/input/image/compressed for 3 s' in text
    assert 'publisher /probe offers best_effort, this node asks for reliable' in text
    assert 'set image.qos to sensor_data' in text
    assert ego.node.health.counts['image.received'] == 0


def test_a_silent_unit_is_an_error_of_the_unit_and_not_of_the_vehicle(world, monkeypatch):
    monkeypatch.setattr(silence_watch, 'SILENT_S', 0.0)
    ego = EgoWorld(world)
    world.until(lambda: any(s.level == DiagnosticStatus.ERROR for s in statuses(ego.diagnostics, UNIT)), 'an error')
    error = statuses(ego.diagnostics, UNIT)[-1]
    assert "no messages of unit 'rsu_1' on /infra/rsu_1/features" in error.message
    assert all('rsu_1' not in s.message for s in statuses(ego.diagnostics, NODE))


class _Log:
    """Keeps warnings."""

    def __init__(self):
        self.warnings = []

    def warning(self, text):
        self.warnings.append(text)


def watch(world, monkeypatch, once=False):
    """Return a watch over poses with a clock and counter of its own."""
    state, log = {'now': 100.0, 'events': 0}, _Log()
    monkeypatch.setattr(world.probe, 'get_logger', lambda: log)
    poses = WatchedInput('odometry', 'poses', '/poses', Odometry, input_qos('reliable'), lambda: state['events'],
                         'image.qos', once)
    return SilenceWatch(world.probe, [poses], lambda: state['now']), state, log


def test_silence_is_reported_after_three_seconds_and_again_every_thirty(world, monkeypatch):
    silent, state, log = watch(world, monkeypatch)
    reported = []
    for _ in range(70):
        reported.append(bool(silent.check()))
        state['now'] += 1.0
    assert reported.index(True) == 3 and all(reported[3:])
    assert len(log.warnings) == 3


def test_a_message_ends_the_silence_and_the_next_one_is_reported_at_once(world, monkeypatch):
    silent, state, log = watch(world, monkeypatch)
    state['now'] += 5.0
    assert silent.check()
    state['events'] += 1
    assert not silent.check()
    state['now'] += 5.0
    assert ', 1 before: nobody publishes it' in silent.check()['odometry']
    assert len(log.warnings) == 2


def test_one_message_of_a_latched_input_is_enough(world, monkeypatch):
    silent, state, _ = watch(world, monkeypatch, once=True)
    state['events'] = 1
    state['now'] += 100.0
    assert not silent.check()


def test_a_topic_of_the_type_with_another_name_is_suggested(world, monkeypatch):
    silent, state, _ = watch(world, monkeypatch)
    world.probe.create_publisher(Odometry, '/vehicle/poses', FEATURES).publish(odometry(1))
    world.until(lambda: world.probe.count_publishers('/vehicle/poses'), 'the other topic')
    state['now'] += 5.0
    assert 'remap /poses:=/vehicle/poses' in silent.check()['odometry']
