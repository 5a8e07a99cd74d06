"""Cameras that are described by files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...common.errors import UserError, WireError
from ...sensors.calibration_check import check_calibration, check_rig
from ...sensors.calibration_file import read_calibration
from ...wire.cameras import CameraModel, model_of_file
from ..context import NodeContext


def read_cameras(context: NodeContext, names: Sequence[str], base_frame: str) -> list[CameraModel]:
    """
    Return the cameras that the parameter ``camera.files`` names, in order; what is unlikely in them is logged.

    :param names: of the cameras, as ``camera_names`` returns them.
    :param base_frame: that calibrations must lead to, empty for any.
    :raises UserError: for another number of files, or naming the file that a node cannot use.
    """
    files = [Path(text.strip()).expanduser() for text in context.settings.camera__files.split(',') if text.strip()]
    if len(files) != len(names):
        raise UserError(f"parameter 'camera.files' names {len(files)} files, expected one for each of {len(names)} "
                        'camera(s) with camera.source file')
    calibrations = {str(path): read_calibration(path) for path in files}
    models = [_model(path, calibrations[str(path)], base_frame, context.settings.image__rectified) for path in files]
    findings = [(f'{path}: ', f) for path, c in calibrations.items() for f in check_calibration(c)]
    findings += [('', f) for f in check_rig(calibrations)]
    for where, finding in findings:
        context.log.warning(f'{where}{finding.problem}: {finding.evidence}. To do: {finding.advice}')
    return models


def _model(path: Path, calibration, expected: str, is_rectified: bool | None) -> CameraModel:
    try:
        model = model_of_file(calibration, is_rectified)
    except WireError as error:
        raise UserError(f'{path}: {error}') from error
    if expected and model.base_frame != expected:
        raise UserError(f"{path}: base_frame is '{model.base_frame}', expected '{expected}'")
    return model
