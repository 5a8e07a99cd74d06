"""A made-up drive for measurements: images with texture, poses, and what roadside units send."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F

from ..common.config import ModelConfig
from ..common.errors import UserError
from ..common.types import Boxes, Frame, InstanceSet, RoadsideMessage, Side
from ..parity.scenes import make_motion

START_NS = 1_700_000_000 * 10 ** 9
STEP_NS = 100_000_000
_STEP_M = 0.8
_NUM_IMAGES = 6
"""They are shown to and fro, so that the image never jumps."""
_GRID, _SPACING_M = 32, 3.2
"""Instances stand on a grid, so that no two units contribute one object."""


class BenchScene:
    """Frames and messages by number, the same for the same arguments."""

    def __init__(self, config: ModelConfig, side: Side, camera_size: tuple[int, int] = (1920, 1080),
                 instances: int = 0, units: int = 1):
        """
        Prepare images and messages.

        :param camera_size: width and height; :param instances: that each of ``units`` sends in every frame.
        :raises UserError: for messages to a side that takes none, or more instances than there are places.
        """
        if instances and side is not Side.COOPERATIVE:
            raise UserError(f'the {side.value} side takes no messages: instances must be 0')
        if instances * units > _GRID ** 2:
            raise UserError(f'{units} units with {instances} instances each: at most {_GRID ** 2} in all')
        self.side, self._size = side, camera_size
        self._units = [_message(config, unit, instances) for unit in range(units)] if instances else []

    @cached_property
    def images(self) -> tuple[np.ndarray, ...]:
        """Images (H, W, 3) uint8: drifting patches with the noise of a sensor, which JPEG and its decoder know."""
        random = torch.Generator().manual_seed(0)
        width, height = self._size
        coarse = torch.rand(1, 3, 12, 20, generator=random) * 200
        step = torch.rand(1, 3, 12, 20, generator=random) * 8
        images = []
        for number in range(_NUM_IMAGES):
            smooth = F.interpolate(coarse + step * number, size=(height, width), mode='bilinear', align_corners=False)
            noise = torch.randn(1, 3, height, width, generator=random) * 4
            images.append((smooth + noise).clamp(0, 255).byte()[0].permute(1, 2, 0).contiguous().numpy())
        return tuple(images)

    @cached_property
    def img_from_lidar(self) -> np.ndarray:
        """Projection (4, 4) to the pixels of the images."""
        return make_motion(0, 0, 'inf' if self.side is Side.ROADSIDE else 'veh', self._size[::-1]).lidar2img

    def image_number(self, index: int) -> int:
        """Return which image frame ``index`` shows."""
        place = index % (2 * _NUM_IMAGES - 2)
        return min(place, 2 * _NUM_IMAGES - 2 - place)

    def pose(self, index: int) -> np.ndarray:
        """Return map_from_lidar (4, 4): a vehicle drives along +x, a unit stands."""
        pose = np.eye(4)
        pose[0, 3] = 0.0 if self.side is Side.ROADSIDE else _STEP_M * index
        return pose

    def frame(self, index: int) -> Frame:
        """Return a frame, 0.1 s after the one before."""
        return Frame('bench', START_NS + STEP_NS * index, (self.images[self.image_number(index)],),
                     self.img_from_lidar[None], np.eye(4), self.pose(index))

    def messages(self, index: int) -> list[RoadsideMessage]:
        """Return what arrived for a frame, of the same time."""
        return [RoadsideMessage(f'rsu_{unit}', START_NS + STEP_NS * index, instances, self.ego_from_infra())
                for unit, instances in enumerate(self._units, 1)]

    @staticmethod
    def ego_from_infra() -> np.ndarray:
        """Return the place of every unit: its range, which lies ahead of it, covers that of the vehicle."""
        pose = np.eye(4)
        pose[0, 3] = -51.2
        return pose


def _message(config: ModelConfig, unit: int, count: int) -> InstanceSet:
    places = np.random.default_rng(1).permutation(_GRID ** 2)[unit * count:(unit + 1) * count]
    xy = np.stack([places % _GRID + 0.5, places // _GRID - _GRID / 2 + 0.5], 1) * _SPACING_M
    return example_instances(config, np.concatenate([xy, np.full((count, 1), -1.0)], 1), unit)


def example_instances(config: ModelConfig, centres: np.ndarray, seed: int = 0) -> InstanceSet:
    """Return cars at centres (N, 3) in the roadside frame, metres, with random features."""
    count, random = len(centres), np.random.default_rng([2, seed])
    low, high = (np.array(config.infra_range.pc_range[i:i + 3]) for i in (0, 3))
    boxes = Boxes(centres, np.tile([4.5, 1.9, 1.6], (count, 1)), random.uniform(-3, 3, count), np.zeros((count, 2)),
                  np.zeros(count, np.int64), random.uniform(0.4, 0.95, count), np.arange(1, count + 1))
    features = [random.standard_normal((count, config.embed_dims)).astype(np.float32) for _ in range(3)]
    points = ((centres - low) / (high - low)).astype(np.float32)
    return InstanceSet(boxes, points, *features, centres.astype(np.float32), np.full(count, 0.1, np.float32), points)
