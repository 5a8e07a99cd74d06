"""Cameras that are described by files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.calibration_check import check_calibration
from ..core.calibration_file import read_calibration
from ..core.calibration_rig import check_rig
from ..core.errors import UserError
from ..wire.cameras import CameraModel, model_of_file
from ..wire.errors import WireError

if TYPE_CHECKING:
    from .node_base import AgentNode


def read_cameras(node: AgentNode, names: Sequence[str]) -> list[CameraModel]:
    """
    Return the cameras that the parameter ``camera.files`` names, in order; what is unlikely in them is logged.

    :param names: of the cameras, as ``camera_names`` returns them.
    :raises UserError: for another number of files, or naming the file that a node cannot use.
    """
    files = [Path(text.strip()).expanduser() for text in node.settings.camera__files.split(',') if text.strip()]
    if len(files) != len(names):
        raise UserError(f"parameter 'camera.files' names {len(files)} files, expected one for each of {len(names)} "
                        'camera(s) with camera.source file')
    calibrations = {str(path): read_calibration(path) for path in files}
    models = [_model(node, path, calibrations[str(path)]) for path in files]
    findings = [(f'{path}: ', f) for path, c in calibrations.items() for f in check_calibration(c)]
    findings += [('', f) for f in check_rig(calibrations)]
    for where, finding in findings:
        node.get_logger().warning(f'{where}{finding.problem}: {finding.evidence}. To do: {finding.advice}')
    return models


def _model(node: AgentNode, path: Path, calibration) -> CameraModel:
    expected = node.stated_base_frame
    try:
        model = model_of_file(calibration, node.settings.image__rectified)
    except WireError as error:
        raise UserError(f'{path}: {error}') from error
    if expected and model.base_frame != expected:
        raise UserError(f"{path}: base_frame is '{model.base_frame}', expected '{expected}'")
    return model
