"""Configurations, recipes, calibration files and parameters of nodes."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from .entry import Entry, Run, plain_seeds
from .source import Source
from .tree import changed_tree

MODULES = (
    'cooptrack_ros.common.config', 'cooptrack_ros.sensors.calibration_file', 'cooptrack_ros.train.recipe',
    'cooptrack_ros.nodes.params', 'cooptrack_ros.nodes.settings')
_ROOT = Path(__file__).resolve().parents[2]


def prepare(folder: Path) -> Run:
    """Take the files that are in the source tree as good ones."""
    import rclpy
    from rclpy.parameter import Parameter

    from cooptrack_ros.common.config import named_config
    from cooptrack_ros.common.errors import UserError
    from cooptrack_ros.nodes.inputs.camera_rig import camera_names
    from cooptrack_ros.nodes.params import Parameters
    from cooptrack_ros.nodes.settings import EgoSettings
    from cooptrack_ros.sensors.calibration_file import read_calibration
    from cooptrack_ros.train.recipe import load_recipe
    context = rclpy.Context()
    rclpy.init(args=[], context=context)
    path = folder / 'file.yaml'

    def parameters() -> None:
        tree = yaml.safe_load(path.read_text(encoding='utf-8'))
        try:
            values = tree['/**']['ros__parameters']
            overrides = [Parameter(name, value=value) for name, value in values.items()]
            node = rclpy.create_node('node', context=context, parameter_overrides=overrides,
                                     use_global_arguments=False)
        except Exception as error:
            raise UserError(str(error)) from error
        try:
            camera_names(Parameters(node, EgoSettings).current.cameras, 6)
        finally:
            node.destroy_node()
    kinds = [(_ROOT / 'config/calibration.example.yaml', lambda: read_calibration(path)),
             (_ROOT / 'config/ablation/full.yaml', lambda: named_config(str(path))),
             (_ROOT / 'config/recipe/overfit.yaml', lambda: load_recipe(str(path))),
             (_ROOT / 'config/ego.yaml', parameters)]
    good = [(file.read_bytes(), yaml.safe_load(file.read_bytes()), read) for file, read in kinds]

    def run(data: bytes) -> bool:
        source = Source(data)
        content, tree, read = good[source.below(len(good))]
        if read is parameters or source.below(4):
            path.write_text(json.dumps(changed_tree(tree, source), default=str), encoding='utf-8')
        else:
            path.write_bytes(source.changed(content) if source.below(4) else source.rest())
        try:
            read()
        except UserError:
            return False
        return True
    return run


ENTRY = Entry('configuration', MODULES, prepare, plain_seeds)
