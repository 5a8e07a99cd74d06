"""What is wrong with a ROS system, judged from a snapshot; no ROS here."""

from __future__ import annotations

from collections.abc import Iterator

from ..nodes.health.middleware import mixed_reliability
from ..nodes.health.silence import TWIN_ADVICE, Wanted, explain
from ..sensors.calibration_check import Finding
from ..wire.topics import IMAGE_TRANSPORTS, VIDEO_TRANSPORTS
from .snapshot import NodeSeen, Snapshot, TopicSeen

CALIBRATION, CAMERA_INFO = 'cooptrack_msgs/msg/Calibration', 'sensor_msgs/msg/CameraInfo'
FEATURES, TRACKS = 'cooptrack_msgs/msg/InstanceFeatureArray', 'cooptrack_msgs/msg/TrackArray'
IMAGES = tuple(transport.kind for transport in IMAGE_TRANSPORTS.values())
_RAW = IMAGE_TRANSPORTS['raw'].kind
_VIDEO = tuple(IMAGE_TRANSPORTS[name].kind for name in VIDEO_TRANSPORTS)
PAIR, VOXELS = 'cooptrack_msgs/msg/PairTransform', 'cooptrack_msgs/msg/RoadsideOccupancy'
_TRANSPORTS = 'FASTDDS_BUILTIN_TRANSPORTS'
_SLOW_HZ = 2.0
_AHEAD_S = 0.5
_APART_S = 1.0
_REORDERED_S = 0.5
"""Encoders send an image later than such that were taken so long after it at most."""
_SHM_BYTES = 64_000_000
_WARN, _ERROR = 1, 2


def is_needed(wanted: Wanted, node: NodeSeen) -> bool:
    """Tell whether a node can do nothing, or less, without an input."""
    if wanted.kind == CAMERA_INFO:
        # Beside a Calibration it is only checked.
        return not any(i.kind == CALIBRATION for i in node.inputs)
    # Units need not send voxels.
    return wanted.kind not in (PAIR, VOXELS)


def findings_of(snapshot: Snapshot) -> list[Finding]:
    """Return what is wrong, the causes before what follows from them."""
    found = [*_environment(snapshot), *_nodes(snapshot)]
    for node in snapshot.nodes:
        if node.state == 'active':
            found += [*_inputs(snapshot, node), *_clock(snapshot, node), *_stamps(snapshot, node)]
    if not found:
        # Otherwise silence of a node may follow from what is wrong already.
        found = [f for node in snapshot.nodes for f in _answers(snapshot, node)]
    return found + list(_diagnostics(snapshot, found))


def _environment(snapshot: Snapshot) -> Iterator[Finding]:
    environment = snapshot.environment
    if environment.get('ROS_AUTOMATIC_DISCOVERY_RANGE') == 'OFF':
        yield Finding('discovery is switched off', 'ROS_AUTOMATIC_DISCOVERY_RANGE=OFF in this shell',
                      'set it to LOCALHOST or SUBNET, in every shell alike')
    if environment.get('ROS_LOCALHOST_ONLY') == '1' and 'ROS_AUTOMATIC_DISCOVERY_RANGE' in environment:
        yield Finding('two variables about discovery contradict each other',
                      'ROS_LOCALHOST_ONLY=1 overrides ROS_AUTOMATIC_DISCOVERY_RANGE='
                      + environment['ROS_AUTOMATIC_DISCOVERY_RANGE'], 'unset ROS_LOCALHOST_ONLY, which is deprecated')
    if snapshot.shm_free_bytes is not None and snapshot.shm_free_bytes < _SHM_BYTES:
        yield Finding('shared memory is short', f'{snapshot.shm_free_bytes / 1e6:.0f} MB are free in /dev/shm',
                      'remove old /dev/shm/fastrtps_* files while no ROS runs; in a container: docker run '
                      '--shm-size=512m or --ipc=host')


def _nodes(snapshot: Snapshot) -> Iterator[Finding]:
    roles = {node.role for node in snapshot.nodes}
    if not roles:
        others = ', '.join(snapshot.other_nodes[:5]) or 'none at all'
        yield Finding('neither an ego node nor a roadside node is running',
                      f'other nodes in ROS_DOMAIN_ID {snapshot.domain_id}: {others}',
                      'start them (`ros2 launch cooptrack_ros ego.launch.xml`); if they run: use their ROS_DOMAIN_ID '
                      '(--domain-id), RMW_IMPLEMENTATION and ROS_AUTOMATIC_DISCOVERY_RANGE')
    elif 'ego' not in roles:
        yield Finding('no ego node is running', f'seen: {_names(snapshot)}', 'start it: '
                      '`ros2 launch cooptrack_ros ego.launch.xml`')
    for name, count in snapshot.twins.items():
        yield Finding(f'{count} nodes are called {name}', 'the graph names them alike', TWIN_ADVICE)
    for node in snapshot.nodes:
        mixed = mixed_reliability(snapshot.rmw, node.parameters)
        if mixed:
            yield Finding(f'{node.name} mixes best-effort and reliable topics', *mixed)
        if not node.state:
            yield Finding(f'{node.name} does not answer', 'no reply from its service get_state',
                          'is the process stopped or very busy? See its log')
        elif node.state != 'active':
            change = 'activate' if node.state == 'inactive' else 'configure'
            yield Finding(f'{node.name} is not active', f'its life-cycle state is {node.state}',
                          f'`ros2 lifecycle set {node.name} {change}`, or start it with autostart:=true; its log tells '
                          'whether configuring failed')


def _names(snapshot: Snapshot) -> str:
    return ', '.join(node.name for node in snapshot.nodes)


def _inputs(snapshot: Snapshot, node: NodeSeen) -> Iterator[Finding]:
    for wanted in node.inputs:
        topic = snapshot.topics[wanted.topic]
        if not is_needed(wanted, node):
            continue
        publishers = topic.publishers
        cause = explain(wanted, publishers, snapshot.published, snapshot.domain_id)
        if topic.count == 0 or cause.is_conflict:
            yield Finding(f'{node.name} gets nothing on {wanted.topic}', cause.evidence, cause.advice)
            continue
        if topic.refused:
            yield Finding(f'messages on {wanted.topic} cannot be read', f'{topic.refused} of {topic.count}, the last: '
                          f'{topic.refusal}', f'look at {_publishers(topic)}: another release of the messages, or '
                          'somebody who sends rubbish')
        rate = topic.count / snapshot.seconds
        if wanted.kind in IMAGES and rate < _SLOW_HZ:
            yield Finding(f'images on {wanted.topic} come slowly', f'{rate:.1f} Hz over {snapshot.seconds:g} s',
                          'trackers start anew after gaps of 0.5 s: raise the rate of the camera')
        if wanted.kind in _VIDEO and wanted.reliability == 'best_effort':
            yield Finding(f'packets of video on {wanted.topic} can get lost',
                          f'{node.name} takes them with best effort; after a loss no image can be seen until the next '
                          'key frame',
                          'publish video reliable and set image.qos to reliable; otherwise let the encoder send key '
                          'frames often')
        if (wanted.kind == _RAW and wanted.reliability == 'best_effort' and 'fastrtps' in snapshot.rmw
                and snapshot.environment.get(_TRANSPORTS) != 'LARGE_DATA'):
            yield Finding(f'large images on {wanted.topic} can get lost',
                          f'raw images with best effort, {_TRANSPORTS} is not LARGE_DATA in this shell',
                          f'set {_TRANSPORTS}=LARGE_DATA for driver and node, or use compressed images')
        if wanted.durability == 'volatile' and len(publishers) > 1 and not wanted.topic.startswith('/tf'):
            yield Finding(f'{wanted.topic} has several publishers', ', '.join(map(str, publishers)),
                          'one of them must publish elsewhere: is a bag played while the sensor runs?')


def _clock(snapshot: Snapshot, node: NodeSeen) -> Iterator[Finding]:
    if node.parameters.get('use_sim_time') and '/clock' not in snapshot.published:
        yield Finding(f'{node.name} waits for simulated time', 'use_sim_time is true, nobody publishes /clock',
                      'play the bag with --clock, or start the node with use_sim_time:=false')


def _stamps(snapshot: Snapshot, node: NodeSeen) -> Iterator[Finding]:
    newest = {}
    for wanted in node.inputs:
        topic = snapshot.topics[wanted.topic]
        stamps = topic.stamps_ns
        # A latched message is as old as its publisher.
        if not stamps or wanted.durability == 'transient_local':
            continue
        if 0 in stamps:
            yield Finding(f'messages on {wanted.topic} have no stamp',
                          f'{stamps.count(0)} of {len(stamps)} have stamp 0',
                          f'let {_publishers(topic)} stamp them with the time of the measurement')
            continue
        back = [(a - b) / 1e9 for a, b in zip(stamps[:-1], stamps[1:]) if b < a]
        if back and wanted.kind in _VIDEO and max(back) < _REORDERED_S:
            yield Finding(f'the images of the video on {wanted.topic} come in another order',
                          f'{len(back)} stamps run back, by up to {max(back):.3f} s',
                          'each image is held back until those before it are there: let the encoder make no B-frames '
                          '(max_b_frames 0, tune zerolatency)')
        elif back:
            yield Finding(f'stamps on {wanted.topic} run back', f'{len(back)} times, by up to {max(back):.3f} s',
                          'two publishers on one topic, a bag that starts again, or a clock that is set?')
        ahead = (stamps[-1] - snapshot.now_ns) / 1e9
        if ahead > _AHEAD_S and not node.parameters.get('use_sim_time'):
            yield Finding(f'stamps on {wanted.topic} lie in the future', f'by {ahead:.1f} s against this machine',
                          'synchronise the clocks (chrony, PTP)')
        newest[wanted.topic] = stamps[-1]
    if len(newest) > 1:
        first, last = min(newest, key=newest.__getitem__), max(newest, key=newest.__getitem__)
        apart = (newest[last] - newest[first]) / 1e9
        if apart > _APART_S:
            yield Finding(f'the inputs of {node.name} are of different times', f'the newest stamp of {last} is '
                          f'{apart:.1f} s after that of {first}', 'synchronise the clocks (chrony, PTP), or stamp both '
                          'with the time of the measurement; a live sensor beside a bag?')


def _publishers(topic: TopicSeen) -> str:
    return ', '.join(dict.fromkeys(p.node for p in topic.publishers)) or 'its publisher'


def _answers(snapshot: Snapshot, node: NodeSeen) -> Iterator[Finding]:
    answers = [topic for topic in snapshot.topics.values()
               if topic.kind == TRACKS and node.name in (p.node for p in topic.publishers)]
    if answers and not any(topic.count for topic in answers):
        yield Finding(f'{node.name} gets its inputs but publishes no tracks', f'none in {snapshot.seconds:g} s',
                      'see what it says on /diagnostics (below) and its log')


def _diagnostics(snapshot: Snapshot, found: list[Finding]) -> Iterator[Finding]:
    """Repeat what nodes say of themselves, but for inputs that were found silent above."""
    reported = {word for f in found for word in f.problem.split()}
    for status in snapshot.statuses:
        words = {word.strip(',;:.') for word in status.message.split()}
        silent = [wanted.topic for node in snapshot.nodes for wanted in node.inputs
                  if wanted.topic in words and wanted.topic in reported]
        if status.level < _WARN or silent:
            continue
        level = 'an error' if status.level >= _ERROR else 'a warning'
        if 'wrong_model' in status.values:
            yield Finding(f'{status.name}: features of another model', status.values['wrong_model'],
                          'start vehicle and unit with weights of one training (parameter weights); until then only '
                          'boxes are fused')
        else:
            yield Finding(f'{status.name} reports {level}', status.message,
                          'docs/troubleshooting.md explains the reasons; its log has more')
