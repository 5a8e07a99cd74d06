"""Models: cards, safetensors files and published checkpoints that hold anything."""

from __future__ import annotations

from pathlib import Path

import yaml

from .entry import Entry, Run, plain_seeds
from .files import is_accepted
from .source import Source

MODULES = (
    'cooptrack_ros.weights.store', 'cooptrack_ros.weights.published_checkpoint', 'cooptrack_ros.weights.convert',
    'cooptrack_ros.weights.published_keys', 'cooptrack_ros.weights.published_files',
    'cooptrack_ros.weights.verify')
_SMALL = {'preset': 'mini', 'embed_dims': 12, 'num_heads': 2, 'num_queries': 4, 'bev_size': [4, 4],
          'input_size': [32, 64], 'encoder_layers': 1, 'decoder_layers': 1, 'ffn_dims': 8, 'reasoning_ffn_dims': 8,
          'alignment_blocks': 1, 'point_dims': 8,
          'backbone': {'widths': [4, 4, 4, 4], 'blocks': [1, 1, 1, 1]}}


def prepare(folder: Path) -> Run:
    """Write a small model of our own and a checkpoint of it."""
    import torch

    from cooptrack_ros.common.config import load_config
    from cooptrack_ros.common.types import Side
    from cooptrack_ros.model.network import CoopTrackNetwork
    from cooptrack_ros.weights.convert import check_file, export_file, import_file
    from cooptrack_ros.weights.store import open_model, save_side
    from cooptrack_ros.weights.verify import verify_side
    torch.set_num_threads(1)
    config, side, model = load_config(_SMALL), Side.VEHICLE, folder / 'small'
    save_side(model, config, side, CoopTrackNetwork(config, side), {})
    card = model / 'card.yaml'
    described = yaml.safe_load(card.read_text(encoding='utf-8'))
    # With its hash nothing of a spoilt file would be read.
    del described['sides'][side.value]['sha256']
    card.write_text(yaml.safe_dump(described), encoding='utf-8')
    checkpoint = folder / 'small_veh.pth'
    export_file(open_model(str(model)), side, checkpoint)
    files = [card, model / 'vehicle.safetensors', checkpoint]

    def use(path: Path) -> None:
        if path == checkpoint:
            check_file(path, config, side)
            return
        package = open_model(str(model))
        verify_side(package, side)
        package.network(side)
    for file in files:
        use(file)
    import_file(checkpoint, config, side, 'imported', folder)

    def run(data: bytes) -> bool:
        source = Source(data)
        path = files[source.below(len(files))]
        return is_accepted(path, source, lambda: use(path))
    return run


ENTRY = Entry('weights', MODULES, prepare, plain_seeds)
