"""Scenes as a file for the Rerun viewer: boxes in space, cameras, and a time line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..common.colours import (
    PROVENANCE_COLOURS,
    RECEIVED_COLOUR,
    ROADSIDE_COLOUR,
    TRUTH_COLOUR,
    Colour,
    identity_colour,
)
from ..common.errors import UserError
from ..common.files import replacing
from ..common.geometry import make_pose, transform_boxes, transform_points
from ..common.types import Boxes
from .overlay import projected_lines
from .scene import CameraView, SceneView

_MAX_WIDTH_PX = 960
_JPEG_QUALITY = 80
_EGO_SIZE_M = (4.6, 1.9, 1.5)


def check_rerun() -> None:
    """
    See that the library is there and can be loaded.

    :raises UserError: saying what to install.
    """
    try:
        import_module('rerun.blueprint')
    except ImportError as error:
        # Without a limit pip takes a pyarrow that cannot be loaded beside numpy 1.
        raise UserError(f"files for Rerun need its library ({str(error).splitlines()[0]}): "
                        "pip install 'rerun-sdk==0.23.1' 'pyarrow<19'") from error


def write_rrd(path: Path, scenes: Iterable[tuple[int, SceneView]], title: str) -> int:
    """
    Write scenes and how to look at them; return the number of frames.

    Space is the map, moved to where the vehicle is in the first frame: the viewer's numbers are too short for
    coordinates of a map. :param scenes: with their stamps in nanoseconds, in order of time.
    """
    import rerun as rr
    recording = rr.RecordingStream('cooptrack', send_properties=False)
    count = 0
    with replacing(path) as target, _until_written(recording):
        recording.save(target)
        recording.log('world', rr.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
        writer, cameras = None, dict[str, None]()
        for stamp_ns, scene in scenes:
            writer = writer or _Writer(recording, scene.world_from_ego_lidar[:3, 3])
            recording.set_time('time', timestamp=np.datetime64(stamp_ns, 'ns'))
            recording.set_time('frame', sequence=count)
            cameras |= dict.fromkeys(writer.add(scene))
            count += 1
        recording.send_blueprint(_blueprint(list(cameras), title))
    return count


@contextmanager
def _until_written(recording: Any) -> Iterator[None]:
    try:
        yield
    finally:
        recording.disconnect()


def _blueprint(cameras: Sequence[str], title: str) -> Any:
    import rerun.blueprint as rrb
    space = rrb.Spatial3DView(origin='world', name=title)
    pictures = [rrb.Spatial2DView(origin=camera, name=camera.removeprefix('cameras/')) for camera in cameras]
    body = rrb.Horizontal(space, rrb.Vertical(*pictures), column_shares=[3, 2]) if pictures else space
    return rrb.Blueprint(body, rrb.TimePanel(state='collapsed'), collapse_panels=True)


class _Writer:
    """Logs scenes; everything is logged in every frame, so nothing of an earlier one stays."""

    def __init__(self, recording: Any, origin: np.ndarray):
        self._recording, self._local_from_world = recording, make_pose(np.eye(3), -origin)
        self._shown: list[str] = []

    def add(self, scene: SceneView) -> list[str]:
        """Log a scene at the present time; return where its cameras are."""
        import rerun as rr
        local_from_ego = self._local_from_world @ scene.world_from_ego_lidar
        tracks = transform_boxes(local_from_ego, scene.tracks)
        received = transform_boxes(local_from_ego, scene.infra)
        self._boxes('tracks', tracks, [identity_colour(i) for i in tracks.track_id.tolist()],
                    [str(i) for i in tracks.track_id.tolist()])
        # Who knows of the object.
        self._log('world/provenance', rr.Points3D(
            tracks.centre, colors=_rgb([PROVENANCE_COLOURS[p] for p in scene.provenance.tolist()]), radii=0.4))
        self._boxes('received', received, [RECEIVED_COLOUR] * len(received))
        self._boxes('ground_truth', transform_boxes(local_from_ego, scene.ground_truth),
                    [TRUTH_COLOUR] * len(scene.ground_truth))
        trails = [(i, transform_points(self._local_from_world, t)) for i, t in scene.trails.items() if len(t) > 1]
        self._log('world/trails', rr.LineStrips3D(
            [t for _, t in trails], colors=_rgb([identity_colour(i) for i, _ in trails])))
        self._log('world/links', rr.LineStrips3D(
            [np.stack([tracks.centre[row], received.centre[column]]) for row, column, _ in scene.links],
            labels=[f'{affinity:.2f}' for _, _, affinity in scene.links],
            colors=_rgb([ROADSIDE_COLOUR] * len(scene.links))))
        self._log('world/units', rr.Points3D(
            np.array([(local_from_ego @ unit.ego_from_infra)[:3, 3] for unit in scene.units]).reshape(-1, 3),
            labels=[unit.name for unit in scene.units], colors=_rgb([ROADSIDE_COLOUR] * len(scene.units)), radii=0.8))
        ego = Boxes.empty().with_(
            centre=np.zeros((1, 3)), size=np.array([_EGO_SIZE_M]), yaw=np.zeros(1), velocity=np.zeros((1, 2)),
            label=np.zeros(1, np.int64), score=np.ones(1), track_id=np.zeros(1, np.int64))
        self._boxes('ego', transform_boxes(local_from_ego, ego), [PROVENANCE_COLOURS[0]], ['ego'])
        return self._cameras(scene)

    def _cameras(self, scene: SceneView) -> list[str]:
        import rerun as rr
        agents = [('ego', np.eye(4), scene.ego_cameras)] + [
            (unit.name, np.linalg.inv(unit.ego_from_infra), unit.cameras) for unit in scene.units]
        names = []
        for agent, lidar_from_ego, cameras in agents:
            for number, camera in enumerate(cameras):
                names.append(f'cameras/{agent}_{number}' if len(cameras) > 1 else f'cameras/{agent}')
                self._camera(names[-1], camera, transform_boxes(lidar_from_ego, scene.tracks))
        for gone in set(self._shown) - set(names):
            self._log(gone, rr.Clear(recursive=True))
        self._shown = names
        return names

    def _camera(self, name: str, camera: CameraView, tracks: Boxes) -> None:
        import rerun as rr
        scale = min(1.0, _MAX_WIDTH_PX / camera.image.shape[1])
        image = cv2.resize(camera.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        _, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        self._log(f'{name}/image', rr.EncodedImage(contents=data.tobytes(), media_type='image/jpeg'))
        drawn = projected_lines(image.shape, tracks, np.diag([scale, scale, 1, 1]) @ camera.img_from_lidar)
        self._log(f'{name}/tracks', rr.LineStrips2D(
            [line for lines in drawn.values() for line in lines],
            colors=_rgb([identity_colour(int(tracks.track_id[row])) for row, lines in drawn.items() for _ in lines])))

    def _boxes(self, name: str, boxes: Boxes, colours: Sequence[Colour], labels: Sequence[str] | None = None) -> None:
        import rerun as rr
        zero = np.zeros(len(boxes))
        self._log(f'world/{name}', rr.Boxes3D(
            centers=boxes.centre, half_sizes=boxes.size / 2, colors=_rgb(colours), labels=labels,
            quaternions=np.stack([zero, zero, np.sin(boxes.yaw / 2), np.cos(boxes.yaw / 2)], axis=1)))

    def _log(self, name: str, content: Any) -> None:
        self._recording.log(name, content)


def _rgb(colours: Sequence[Colour]) -> np.ndarray:
    return np.array([[round(255 * v) for v in colour] for colour in colours], np.uint8).reshape(-1, 3)
