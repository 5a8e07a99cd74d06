"""The BEV encoder for one agent: merged layers, everything that does not change kept (method.md 4)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..bev.encoder import BevEncoder, BevLayer
from ..bev.geometry import BevGeometry
from .sampling import BorderedMaps, GridMaps, Maps, SampleHead

_QUEUE = 2


@dataclass(frozen=True)
class _Camera:
    """What a calibration says of one camera: the cells it sees, where their pillars fall, per sample."""

    cells: Tensor
    """(n,)."""
    sources: Tensor
    """(cells,) where each cell stands among these; n if it is not seen."""
    x: Tensor
    y: Tensor
    bias: Tensor
    """(layers * C,) values of the camera and level embeddings."""


@dataclass(frozen=True)
class CameraSampling:
    """All cameras of one calibration for features of one size, see ``FastEncoder.views``."""

    cameras: tuple[_Camera, ...]
    maps: BorderedMaps | GridMaps
    divisor: Tensor | None
    """(cells, 1) how many cameras see a cell, None for a single camera."""


class _Layer:
    """One layer with its sampling heads merged."""

    def __init__(self, layer: BevLayer, position: Tensor, places: Tensor):
        """
        Merge.

        :param position: (cells, C) encoding; :param places: (cells, 2) centres of the cells in the bordered map.
        """
        temporal, spatial = layer.temporal, layer.spatial.sampling
        self.source = layer
        self.look = SampleHead(temporal.offsets, temporal.weights, temporal.heads, _QUEUE)
        self.from_previous, self.from_now = self.look.weight.chunk(2, dim=1)
        base = torch.cat([places[:, :1].expand(-1, self.look.samples), places[:, 1:].expand(-1, self.look.samples),
                          places.new_zeros(len(places), self.look.samples)], dim=1)
        self.constant = position @ self.from_now.T + self.look.bias + base
        # The mean over the two BEV features goes into the output layer.
        self.output_weight, self.output_bias = temporal.output.weight / _QUEUE, temporal.output.bias
        self.see = SampleHead(spatial.offsets, spatial.weights, spatial.heads)


class FastEncoder:
    """Same results as ``BevEncoder`` for a batch of one, to rounding."""

    def __init__(self, encoder: BevEncoder, maps: Maps):
        """Prepare for the weights that the encoder has now."""
        self._encoder, self._map_type = encoder, maps
        first = encoder.layers[0]
        self._count, self._dims = encoder.queries.weight.shape
        self._maps = maps(encoder.bev_size, first.temporal.heads, first.temporal.points, _QUEUE)
        position = encoder.position()
        places = self._maps.places(encoder.cell_centres)
        self._layers = [_Layer(layer, position, places) for layer in encoder.layers]
        self._value_weight = torch.cat([layer.temporal.value.weight for layer in encoder.layers])
        self._value_bias = torch.cat([layer.temporal.value.bias for layer in encoder.layers])
        self._previous_weight = torch.cat([self._value_weight, *(layer.from_previous for layer in self._layers)])
        self._previous_bias = F.pad(self._value_bias, (0, len(self._previous_weight) - len(self._value_bias)))
        self._initial_values = F.linear(encoder.queries.weight, self._value_weight, self._value_bias)
        self._pixel_weight = torch.cat([layer.spatial.sampling.value.weight for layer in encoder.layers])
        self._pixel_bias = torch.cat([layer.spatial.sampling.value.bias for layer in encoder.layers])

    def views(self, geometry: BevGeometry, map_size: tuple[int, int]) -> CameraSampling:
        """Prepare a calibration for features of ``map_size`` rows x columns; kept by the caller while it holds."""
        encoder, cameras = self._encoder, len(geometry.cells)
        if cameras > len(encoder.camera_embed):
            raise ValueError(f'{cameras} cameras, but this model knows {len(encoder.camera_embed)}')
        see = self._layers[0].see
        maps = self._map_type(map_size, see.heads, see.points)
        device, views = encoder.queries.weight.device, []
        for camera, cells in enumerate(geometry.cells):
            places = maps.places(geometry.points[0, camera, cells]).to(device)
            cells = cells.to(device)
            # Sample n of every head hangs on height n mod heights.
            places = places.repeat(1, see.samples // places.shape[1], 1)
            bias = self._pixel_weight @ (encoder.camera_embed[camera] + encoder.level_embed[0]) + self._pixel_bias
            sources = torch.full((self._count,), len(cells), device=device)
            sources[cells] = torch.arange(len(cells), device=device)
            # More cells than are seen may be given, to serve any calibration.
            sources = torch.where(geometry.visible[0, camera].any(-1).to(device), sources, len(cells))
            views.append(_Camera(cells, sources, places[..., 0].contiguous(), places[..., 1].contiguous(), bias))
        seen = geometry.visible[0].any(-1).sum(0).clamp(min=1)[:, None].to(device)
        return CameraSampling(tuple(views), maps, seen if cameras > 1 else None)

    def __call__(self, views: CameraSampling, features: Tensor, vector: Tensor, shift: Tensor,
                 previous: Tensor | None = None, alone: Tensor | None = None) -> Tensor:
        """
        Return the BEV features (cells, C).

        :param features: (V, C, h, w); :param vector: and :param shift: of a ``BevMotion``.
        :param previous: the last BEV features (cells, C), already aligned, None without.
        :param alone: (1,) bool says whether to do as without previous BEV features, whatever it holds.
        """
        turned = self._encoder.motion_mlp(vector)
        x = self._encoder.queries.weight + turned
        pixels = [F.linear(f.flatten(1).T, self._pixel_weight, camera.bias).split(self._dims, dim=-1)
                  for f, camera in zip(features, views.cameras, strict=True)]
        from_previous = None
        if previous is not None:
            values = self._initial_values + turned @ self._value_weight.T
            from_previous = F.linear(previous, self._previous_weight, self._previous_bias)
            queues = list(zip(from_previous.split(self._dims, dim=-1), values.split(self._dims, dim=-1),
                              strict=False))
        columns = len(self._layers[0].look.bias)
        for number, layer in enumerate(self._layers):
            temporal = layer.source.temporal
            if previous is None:
                tables = (temporal.value(x),) * _QUEUE
                raw = x @ layer.from_previous.T
            else:
                tables = queues[number]
                raw = from_previous[:, len(self._value_bias) + number * columns:][:, :columns]
                if alone is not None:
                    itself = temporal.value(x)
                    tables = tuple(torch.where(alone, itself, table) for table in tables)
                    raw = torch.where(alone, x @ layer.from_previous.T, raw)
            # The constant holds places, which must not be rounded with the features.
            raw = x @ layer.from_now.T + raw + layer.constant
            samples = layer.look.samples_of(raw, *_moved(shift, self._maps.map_size))
            read = self._maps.sample(self._maps.table(*tables), samples)
            x = layer.source.norms[0](x + F.linear(read, layer.output_weight, layer.output_bias))
            x = layer.source.norms[1](x + self._see(layer, x, [p[number] for p in pixels], views))
            x = layer.source.norms[2](layer.source.ffn(x))
        return x

    def _see(self, layer: _Layer, x: Tensor, pixels: list[Tensor], views: CameraSampling) -> Tensor:
        gathered = torch.zeros_like(x)
        for camera, values in zip(views.cameras, pixels, strict=True):
            raw = F.linear(x.index_select(0, camera.cells), layer.see.weight, layer.see.bias)
            read = views.maps.sample(views.maps.table(values), layer.see.samples_of(raw, camera.x, camera.y))
            gathered = gathered + F.pad(read, (0, 0, 0, 1)).index_select(0, camera.sources)
        if views.divisor is not None:
            gathered = gathered / views.divisor
        return layer.source.spatial.output(gathered)


def _moved(shift: Tensor, map_size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the shift (1, 2) of the reference points, fractions of the grid, in cells."""
    return shift[:, :1] * map_size[1], shift[:, 1:] * map_size[0]

