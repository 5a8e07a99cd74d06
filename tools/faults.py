"""Cause faults in a live system, one after another, and tell what is seen, how long it lasts and what is lost."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING

from live.fault_table import Row, table, with_table
from live.network import Link, Unavailable, need_root_and, separated
from live.system import System, differences, make_bag

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.files import write_atomically
from cooptrack_ros.demo.processes import end_orderly_when_terminated
from cooptrack_ros.weights.store import open_model
from cooptrack_ros.wire.topics import EGO_NODE, features_topic

if TYPE_CHECKING:
    from cooptrack_msgs.msg import InstanceFeatureArray

OUTAGE_S = 5.0
PATIENCE_S = 90.0
SLOW = '100kbit'


class Faults:
    """Every method is a fault; its name is what the command line calls it."""

    def __init__(self, args: argparse.Namespace):
        """Take the options."""
        self._args = args
        self._folder: Path = args.out
        self._bag = make_bag(args.out, 12.0, units=1)

    def _system(self, use_sim_time: bool = False, **environment: str) -> System:
        return System(self._bag, self._folder, self._args.weights, self._args.rate, use_sim_time, **environment)

    def _watched(self, name: str, system: System, cause: Callable[[], None], end: Callable[[], None],
                 is_back: Callable[[], bool], seen: Callable[[], str], outage_s: float = OUTAGE_S,
                 of_roadside: bool = False) -> Row:
        """Cause a fault, end it after a while, wait for the system to be back, and say what came of it."""
        usual_gap, usual_delay = self._usual(system)
        before, started = system.observer.counts(), time.monotonic()
        cause()
        system.feed(outage_s)
        words = seen()
        end()
        ended = time.monotonic()
        system.until(is_back, PATIENCE_S, f'the end of {name}')
        recovered = time.monotonic() - ended
        gap, delay = system.observer.longest_gap_s(started), _p95(system.observer.delays_s)
        system.feed(2)
        counts = system.observer.counts()
        lost = {k: v for k, v in differences(before, counts).items() if k.startswith(('dropped.', 'frames.'))}
        return Row(name, words, round(recovered, 1), round(gap, 2), ', '.join(f'{k} {v}' for k, v in lost.items()),
                   round(usual_gap, 2), round(system.image_period_s, 3), delay, usual_delay, of_roadside)

    def _usual(self, system: System) -> tuple[float, float]:
        """Return the longest gap between answers and the 95th percentile of delays while nothing is wrong."""
        system.until(lambda: system.observer.num_answers > 2, PATIENCE_S, 'the first tracks')
        started = time.monotonic()
        system.observer.delays_s.clear()
        system.feed(OUTAGE_S)
        usual = system.observer.longest_gap_s(started), _p95(system.observer.delays_s)
        system.observer.delays_s.clear()
        return usual

    def _cooperates_after(self, system: System, mark: list[float]) -> Callable[[], bool]:
        return lambda: any(a.mode == 'cooperative' and a.arrived_s > mark[0] for a in system.observer.answers)

    def unit_killed(self) -> Row:
        """Kill a roadside node and start it again."""
        with self._system() as system:
            system.start_all()
            unit, mark = system.nodes[system.units[0]], [float('inf')]

            def restart() -> None:
                mark[0] = time.monotonic()
                unit.start()
            return self._watched('roadside node killed, started again', system, unit.end, restart,
                                 self._cooperates_after(system, mark), lambda: self._reported(system, system.units[0]),
                                 of_roadside=True)

    def ego_killed(self) -> Row:
        """Kill the ego node and start it again."""
        with self._system() as system:
            system.start_all()
            ego, mark = system.nodes['ego'], [float('inf')]

            def restart() -> None:
                mark[0] = time.monotonic()
                system.observer.forget()
                ego.start()
            return self._watched('ego node killed, started again', system, ego.end, restart,
                                 self._cooperates_after(system, mark), lambda: 'no tracks, no diagnostics', 0.5)

    def player_killed(self) -> Row:
        """Stop everything that feeds the nodes."""
        return self._silenced('player stopped, started again', '/ego', '/infra')

    def camera_frozen(self) -> Row:
        """Stop the images of the vehicle alone."""
        return self._silenced('camera of the vehicle stands still', '/ego/camera')

    def _silenced(self, name: str, *topics: str) -> Row:
        """Send nothing on topics that begin like these for a while."""
        with self._system() as system:
            system.start_all()
            mark = [float('inf')]

            def resume() -> None:
                mark[0] = time.monotonic()
                system.silent = set()
            return self._watched(name, system, lambda: system.silent.update(topics), resume,
                                 self._cooperates_after(system, mark), lambda: self._reported(system))

    def camera_size(self) -> Row:
        """Send images of another size."""
        import cv2
        import numpy as np
        from rclpy.serialization import deserialize_message, serialize_message
        from sensor_msgs.msg import CompressedImage
        small = cv2.imencode('.jpg', np.zeros((100, 200, 3), np.uint8))[1].tobytes()

        def shrunk(topic: str, data: bytes) -> bytes:
            if topic != '/ego/camera/image/compressed':
                return data
            message = deserialize_message(data, CompressedImage)
            message.data = small
            return serialize_message(message)
        return self._changed_images('camera of the vehicle changes its size', shrunk)

    def camera_black(self) -> Row:
        """Send black images of the right size."""
        import cv2
        import numpy as np
        from rclpy.serialization import deserialize_message, serialize_message
        from sensor_msgs.msg import CompressedImage

        def black(topic: str, data: bytes) -> bytes:
            if topic != '/ego/camera/image/compressed':
                return data
            message = deserialize_message(data, CompressedImage)
            shape = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR).shape
            message.data = cv2.imencode('.jpg', np.zeros(shape, np.uint8))[1].tobytes()
            return serialize_message(message)
        return self._changed_images('camera of the vehicle goes black', black)

    def _changed_images(self, name: str, change: Callable[[str, bytes], bytes]) -> Row:
        with self._system() as system:
            system.start_all()
            usual, mark = system.change, [float('inf')]

            def cause() -> None:
                system.change = change

            def resume() -> None:
                mark[0] = time.monotonic()
                system.change = usual
            return self._watched(name, system, cause, resume, self._cooperates_after(system, mark),
                                 lambda: self._reported(system))

    def clock_set_back(self) -> Row:
        """Start the bag again while the nodes run on simulated time."""
        with self._system(use_sim_time=True) as system:
            system.start_all()
            mark = [float('inf')]

            def cause() -> None:
                mark[0] = time.monotonic()
                system.restart_loop()
            return self._watched(
                '/clock and stamps set back', system, cause, lambda: None,
                lambda: any(a.reset and a.arrived_s > mark[0] for a in system.observer.answers),
                lambda: self._reported(system), 0.0)

    def wall_clock_steps(self) -> Row:
        """Set the wall clock of the ego node an hour ahead while it runs."""
        import libfaketime
        library = next(Path(libfaketime.__file__).parent.rglob('libfaketime.so.1'))
        clock = self._folder / 'faketime'
        clock.write_text('+0')
        fake = {'LD_PRELOAD': str(library), 'FAKETIME_TIMESTAMP_FILE': str(clock), 'FAKETIME_CACHE_DURATION': '1',
                'DONT_FAKE_MONOTONIC': '1', 'FAKETIME_DONT_FAKE_MONOTONIC': '1'}
        with self._system() as system:
            ego = system.add('ego')
            ego.start(**fake)
            system.add(system.units[0]).start()
            system.until(lambda: any(a.mode == 'cooperative' for a in system.observer.answers), 120, 'tracks')
            mark = [float('inf')]

            def cause() -> None:
                mark[0] = time.monotonic()
                clock.write_text('+3600')
            return self._watched('wall clock of the vehicle steps by an hour', system, cause, lambda: None,
                                 self._cooperates_after(system, mark), lambda: self._reported(system), OUTAGE_S)

    def partition(self) -> Row:
        """Put the roadside node into a network namespace and take its link down."""
        return self._over_link('network between vehicle and unit down', lambda link: link.down(),
                               lambda link: link.up())

    def rate_limited(self) -> Row:
        """Let little of what the unit sends through (tc tbf between network namespaces)."""
        return self._over_link(f'link of the unit slowed to {SLOW}/s', lambda link: link.limit(SLOW),
                               lambda link: link.unlimit())

    def _over_link(self, name: str, cause: Callable[[Link], None], end: Callable[[Link], None]) -> Row:
        """Do something to the link to a roadside node in a network namespace of its own."""
        with separated() as link, self._system(**link.environment) as system:
            system.add('ego').start()
            system.add(system.units[0], link.prefix).start()
            system.until(lambda: any(a.mode == 'cooperative' for a in system.observer.answers), 120, 'tracks')
            mark = [float('inf')]

            def resume() -> None:
                mark[0] = time.monotonic()
                end(link)
            return self._watched(name, system, lambda: cause(link), resume, self._cooperates_after(system, mark),
                                 lambda: self._reported(system, system.units[0]), of_roadside=True)

    def flood(self) -> Row:
        """Publish 250 messages a second that claim to be of full size under the name of a unit."""
        from cooptrack_msgs.msg import InstanceFeatureArray
        with self._system() as system:
            system.start_all()
            unit, sent = system.units[0], [0]
            publisher = system.node.create_publisher(InstanceFeatureArray, features_topic(unit), 5)
            message = InstanceFeatureArray(version=InstanceFeatureArray.VERSION, unit_id=unit, count=900,
                                           feature_dim=1024)

            def cause() -> None:
                end = time.monotonic() + OUTAGE_S
                while time.monotonic() < end:
                    # A sender that never sleeps would take the processor from the nodes on a small machine.
                    system.feed(0.02)
                    for _ in range(5):
                        publisher.publish(message)
                        sent[0] += 1
            mark = [time.monotonic()]
            return self._watched('a flood of messages of a unit', system, cause, lambda: None,
                                 self._cooperates_after(system, mark), lambda: f'{sent[0] / OUTAGE_S:.0f} messages a '
                                 f'second; {self._reported(system)}', 1.0, of_roadside=True)

    def garbage(self) -> Row:
        """Publish broken messages under the name of a unit between its own."""
        from cooptrack_msgs.msg import InstanceFeatureArray
        with self._system() as system:
            system.start_all()
            unit, real, mark = system.units[0], [], [float('inf')]
            topic = features_topic(unit)
            system.node.create_subscription(InstanceFeatureArray, topic, real.append, 1)
            publisher = system.node.create_publisher(InstanceFeatureArray, topic, 5)
            system.until(lambda: real, PATIENCE_S, 'a message of the unit')
            broken = broken_messages(real[0])

            def cause() -> None:
                end = time.monotonic() + OUTAGE_S
                while time.monotonic() < end:
                    for message in broken:
                        publisher.publish(message)
                    system.feed(system.image_period_s)
                mark[0] = time.monotonic()
            return self._watched('broken messages of a unit', system, cause, lambda: None,
                                 self._cooperates_after(system, mark), lambda: self._reported(system), 0.0,
                                 of_roadside=True)

    def weights_corrupted(self) -> Row:
        """Flip one bit of a weights file."""
        source = open_model('mini').folder
        copy = self._folder / 'corrupted'
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(source, copy)
        path = copy / 'cooperative.safetensors'
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        with self._system() as system:
            ego = system.add('ego', weights=copy)
            ego.log.unlink(missing_ok=True)
            ego.start()
            system.until(lambda: ego.status is not None, PATIENCE_S, 'the end of the node')
            return Row('one bit of the weights is wrong', f'the node does not start (status {ego.status}): '
                       f'{self._short(ego.last_words())}', -1, -1, 'nothing')

    def disk_full(self) -> Row:
        """Convert a data set to a bag on a disk of one megabyte."""
        from cooptrack_ros.data.bags.cut import cut_bag
        need_root_and('mount')
        place = self._folder / 'full'
        place.mkdir(exist_ok=True)
        subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', str(place)], check=True)
        try:
            cut_bag(self._bag, place / 'bag', 0.0, None)
            words = 'nothing'
        except UserError as error:
            words = str(error)
        left = [p.name for p in place.iterdir()]
        subprocess.run(['umount', str(place)], check=True)
        return Row('disk full under a recording', self._short(words), -1, -1,
                   f'the recording; left on the disk: {", ".join(left) or "nothing"}')

    def _reported(self, system: System, unit: str = '') -> str:
        name = f'{EGO_NODE}: unit {unit}' if unit else EGO_NODE
        return self._short(system.observer.status.get(name, ('nothing', {}))[0])

    def _short(self, text: str) -> str:
        # What to do about it is another page.
        text = text.split(' To do:')[0]
        return text.replace(str(self._folder.resolve()), '.').replace(str(self._folder), '.').replace('|', '/')[:160]


def broken_messages(real: InstanceFeatureArray) -> list[InstanceFeatureArray | bytes]:
    """Return what no receiver may accept, made of a real message: fields that contradict, and bytes on the wire."""
    from rclpy.serialization import deserialize_message, serialize_message
    data = serialize_message(real)

    def other(**fields: object) -> InstanceFeatureArray:
        message = deserialize_message(data, type(real))
        for name, value in fields.items():
            setattr(message, name, value)
        return message
    return [data[:len(data) // 2], b'\0\1\0\0' + b'\xff' * 100, other(version=255), other(count=real.count + 1),
            other(unit_id='another'), other(boxes=array('f', [float('nan')] * len(real.boxes)))]


def _p95(delays_s: Sequence[float]) -> float:
    return round(quantiles(delays_s, n=20)[-1], 3) if len(delays_s) > 1 else -1


NAMES = [name for name in vars(Faults) if not name.startswith('_')]


def main() -> int:
    """Cause the chosen faults; return 0 if the system came back from each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('faults', nargs='*', choices=[*NAMES, []], help=f'default: all ({", ".join(NAMES)})')
    parser.add_argument('--rate', type=float, default=1.0, help='pace of the replay (default: %(default)s)')
    parser.add_argument('--weights', default='mini', help='model (default: %(default)s)')
    parser.add_argument('--out', type=Path, default=Path('out/faults'), help='folder (default: %(default)s)')
    parser.add_argument('--json', type=Path, help='result; rows of other faults in it stay')
    parser.add_argument('--document', type=Path, help='page to put the table into, between its markers')
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    end_orderly_when_terminated()
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    args.json = args.json or args.out / 'faults.json'
    names = args.faults or NAMES
    failed = [name for name in names if not (_cause(name, args) if len(names) == 1 else _cause_apart(name, args))]
    if args.json.is_file() and (len(names) > 1 or args.document):
        stored = json.loads(args.json.read_text(encoding='utf-8'))
        print(table(list(stored['rows'].values())))
        if args.document:
            write_atomically(args.document, with_table(args.document.read_text(encoding='utf-8'), stored))
    return bool(failed)


def _cause(name: str, args: argparse.Namespace) -> bool:
    """Cause a fault and store what came of it; tell whether the system came back."""
    try:
        row = asdict(getattr(Faults(args), name)())
    except Unavailable as error:
        print(f'{name} skipped: {error}', file=sys.stderr)
        return True
    except (TimeoutError, subprocess.CalledProcessError) as error:
        print(f'{name}: {error}', file=sys.stderr)
        return False
    stored = json.loads(args.json.read_text(encoding='utf-8')) if args.json.is_file() else {'rows': {}}
    stored['rows'][name] = row
    stored |= {'rate': args.rate, 'weights': args.weights}
    write_atomically(args.json, json.dumps(stored, indent=1) + '\n')
    return True


def _cause_apart(name: str, args: argparse.Namespace) -> bool:
    """Do the same in a process of its own: the middleware keeps settings of its first use, such as the network."""
    command = [sys.executable, __file__, name, '--rate', str(args.rate), '--weights', args.weights, '--out',
               str(args.out), '--json', str(args.json)]
    with subprocess.Popen(command) as child:
        try:
            return child.wait() == 0
        except BaseException:
            child.terminate()
            raise


if __name__ == '__main__':
    raise SystemExit(main())
