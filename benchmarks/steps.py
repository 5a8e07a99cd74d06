"""What the measurements of single steps share: arguments, a settled network, and where results go."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'src'))

import torch

from cooptrack_ros.bench.networks import bench_network, settle_live_tracks
from cooptrack_ros.bench.scene import BenchScene
from cooptrack_ros.common.config import ModelConfig, named_config
from cooptrack_ros.common.types import Side
from cooptrack_ros.model.network import CoopTrackNetwork
from cooptrack_ros.tracking.execution import make_tracker

_LIVE, _INSTANCES = 30, 16


def step_arguments(description: str, frames: int) -> argparse.ArgumentParser:
    """Return a parser; :param frames: timed by default."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--config', default='r50')
    parser.add_argument('--side', type=Side, choices=list(Side), default=Side.VEHICLE)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--frames', type=int, default=frames)
    parser.add_argument('--json', type=Path, required=True)
    return parser


def settled(config: ModelConfig, scene: BenchScene, device: str = 'cpu') -> CoopTrackNetwork:
    """Return a network of a scene's side that keeps about 30 tracks alive in it."""
    network = bench_network(config, scene.side, None)
    settle_live_tracks(make_tracker(network, config, scene.side, device, 'reference'), scene, _LIVE)
    return network


def prepared(args: argparse.Namespace) -> tuple[ModelConfig, BenchScene, CoopTrackNetwork]:
    """Return what a step is measured with, and give PyTorch the threads."""
    torch.set_num_threads(args.threads)
    config = named_config(args.config)
    scene = BenchScene(config, args.side, instances=_INSTANCES if args.side is Side.COOPERATIVE else 0)
    return config, scene, settled(config, scene)


def store(path: Path, result: dict[str, Any]) -> None:
    """Write a result as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1), encoding='utf-8')
