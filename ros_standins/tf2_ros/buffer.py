"""The tree of frames with its history."""

from __future__ import annotations

import threading

import numpy as np
from geometry_msgs.msg import TransformStamped
from rclpy.clock import Clock, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.logging import get_logger
from rclpy.time import Time

from .exceptions import (
    ConnectivityException,
    ExtrapolationException,
    InvalidArgumentException,
    LookupException,
    TransformException,
)
from .history import History, Pose

_NORM_TOLERANCE = 1e-2


class Buffer:
    """
    Stores transforms and looks them up at a stamp.

    :param cache_time: how long dynamic transforms are kept, 10 s if not given.
    :param node: node whose clock is watched: when it jumps back, dynamic transforms are forgotten.
    """

    def __init__(self, cache_time: Duration | None = None, node=None):
        self._cache_ns = (cache_time or Duration(seconds=10.0)).nanoseconds
        self._frames: dict[str, History] = {}
        self._known: set[str] = set()
        self._changed = threading.Condition(threading.RLock())
        self.clock = node.get_clock() if node is not None else Clock()
        threshold = JumpThreshold(min_forward=None, min_backward=Duration(seconds=-1), on_clock_change=True)
        self.jump_handle = self.clock.create_jump_callback(threshold, post_callback=self.time_jump_callback)

    def time_jump_callback(self, time_jump: TimeJump) -> None:
        """Forget dynamic transforms, as the clock says that time jumped back."""
        get_logger('tf2_buffer').warning('Detected jump back in time. Clearing tf buffer.')
        self.clear()

    def clear(self) -> None:
        """Forget all dynamic transforms."""
        with self._changed:
            for history in self._frames.values():
                history.clear()

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        """Store a transform that is valid at its stamp; a wrong one is logged and ignored."""
        self._set(transform, authority, static=False)

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        """Store a transform that is valid at any time; a wrong one is logged and ignored."""
        self._set(transform, authority, static=True)

    def _set(self, transform: TransformStamped, authority: str, static: bool) -> None:
        parent, child = transform.header.frame_id.lstrip('/'), transform.child_frame_id.lstrip('/')
        t, r = transform.transform.translation, transform.transform.rotation
        values = np.array([t.x, t.y, t.z, r.x, r.y, r.z, r.w])
        problem = None
        if not parent or not child or parent == child:
            problem = 'parent and child must be named and differ'
        elif not np.isfinite(values).all() or abs(values[3:] @ values[3:] - 1.0) > _NORM_TOLERANCE:
            problem = 'not finite or quaternion not of length 1'
        elif transform.header.stamp.sec < 0:
            problem = 'stamp before 1970'
        with self._changed:
            if problem is None:
                # As in the real buffer, a frame stays static or dynamic as it was first.
                history = self._frames.setdefault(child, History(static))
                pose = Pose(values[:3], values[3:] / np.linalg.norm(values[3:]))
                if history.insert(Time.from_msg(transform.header.stamp).nanoseconds, parent, pose, self._cache_ns):
                    self._known.update((parent, child))
                    self._changed.notify_all()
                    return
                problem = 'older than everything in the cache (TF_OLD_DATA)'
        get_logger('tf2_buffer').error(f'Ignoring transform from {parent!r} to {child!r} by {authority}: {problem}')

    def lookup_transform(self, target_frame: str, source_frame: str, time: Time,
                         timeout: Duration = Duration()) -> TransformStamped:  # noqa: B008
        """
        Return the transform that maps points of the source frame into the target frame.

        :param time: stamp; 0 means the latest time for which all transforms on the way are known.
        :param timeout: how long to wait until it is known; something else must spin the listener meanwhile.
        :raises TransformException: one of its subclasses, if it is not known.
        """
        self.can_transform(target_frame, source_frame, time, timeout)
        with self._changed:
            stamp, pose = self._look_up(target_frame, source_frame, time.nanoseconds)
        result = TransformStamped(child_frame_id=source_frame)
        result.header.frame_id = target_frame
        result.header.stamp = Time(nanoseconds=stamp).to_msg()
        for part, values in ((result.transform.translation, pose.translation),
                             (result.transform.rotation, pose.rotation)):
            for name, value in zip('xyzw', values):
                setattr(part, name, float(value))
        return result

    def can_transform(self, target_frame: str, source_frame: str, time: Time, timeout: Duration = Duration(),  # noqa: B008
                      return_debug_tuple: bool = False) -> bool | tuple[bool, str]:
        """Tell whether ``lookup_transform`` would succeed, with the reason if asked for it; wait if asked to."""
        error = ''

        def known() -> bool:
            nonlocal error
            try:
                self._look_up(target_frame, source_frame, time.nanoseconds)
            except TransformException as problem:
                error = str(problem)
                return False
            error = ''
            return True
        with self._changed:
            found = self._changed.wait_for(known, timeout.nanoseconds / 1e9)
        return (found, error) if return_debug_tuple else found

    def _look_up(self, target: str, source: str, stamp: int) -> tuple[int, Pose]:
        """Return the stamp used and the pose of the source frame in the target frame."""
        for name in (target, source):
            if not name or name.startswith('/'):
                raise InvalidArgumentException(f'Invalid frame ID {name!r}: empty or starting with a slash')
            if name not in self._known:
                raise LookupException(f'"{name}" passed to lookupTransform does not exist.')
        stamp = stamp or self._latest_common(target, source)
        up, problem = self._walk(source, stamp, stop={target})
        down, other_problem = self._walk(target, stamp, stop=set(up))
        common = next((name for name in down if name in up), None)
        if common is None:
            if problem or other_problem:
                raise ExtrapolationException(f'{problem or other_problem}, when looking up transform from frame '
                                             f'[{source}] to frame [{target}]')
            raise _unconnected(target, source)
        return stamp, down[common].inverse() @ up[common]

    def _walk(self, name: str, stamp: int, stop: set[str]) -> tuple[dict[str, Pose], ExtrapolationException | None]:
        """Return the pose of a frame in itself and in all that stand above it, and what ended the way up early."""
        pose = Pose.identity()
        found = {name: pose}
        while name not in stop and name in self._frames:
            try:
                step = self._frames[name].at(stamp)
            except ExtrapolationException as problem:
                return found, problem
            if step is None:
                break
            name, pose = step[0], step[1] @ pose
            if name in found:
                raise _loop(name)
            found[name] = pose
        return found, None

    def _latest_common(self, target: str, source: str) -> int:
        """Return the latest stamp known on the whole way, ns; 0 if the way is static or has no length."""
        ways = []
        for name in (source, target):
            way, newest = {name: None}, None
            while name in self._frames and (latest := self._frames[name].latest()) is not None:
                if not self._frames[name].static:
                    newest = latest[0] if newest is None else min(newest, latest[0])
                name = latest[1]
                if name in way:
                    raise _loop(name)
                way[name] = newest
            ways.append(way)
        common = next((name for name in ways[0] if name in ways[1]), None)
        if common is None:
            raise _unconnected(target, source)
        return min((way[common] for way in ways if way[common] is not None), default=0)


def _unconnected(target: str, source: str) -> ConnectivityException:
    return ConnectivityException(f"Could not find a connection between '{target}' and '{source}' because they are "
                                 'not part of the same tree. Tf has two or more unconnected trees.')


def _loop(name: str) -> LookupException:
    return LookupException(f"The tf tree is invalid because it contains a loop through '{name}'.")
