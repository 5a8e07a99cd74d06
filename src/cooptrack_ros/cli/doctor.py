"""Sub-command ``cooptrack doctor``: explain a silent system, check calibrations."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common.errors import UserError
from ..common.outputs import check_file, write_figures
from ..common.text import readable
from .flags import add_domain, add_json, check_domain

if TYPE_CHECKING:
    from ..sensors.calibration_file import CameraCalibration

SUMMARY = 'explain why a running system is silent, or check a calibration'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    system = parser.add_argument_group('a running system')
    add_domain(system)
    system.add_argument('--seconds', type=float, default=5.0, metavar='S',
                        help='how long to look for nodes at most, and then to listen (default: %(default)s)')
    camera = parser.add_argument_group('calibrations')
    camera.add_argument('--calibration', type=Path, nargs='+', metavar='FILE.yaml',
                        help='check the files of all cameras of one agent (config/calibration.example.yaml explains '
                             'them) and no running system')
    camera.add_argument('--image', type=Path, nargs='+', metavar='IMAGE', help='an image of each camera')
    camera.add_argument('-o', '--output', type=Path, metavar='OUT.png',
                        help='draw the road and a car into the image of the only camera (default: beside each)')
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Check; return 0 if nothing was found."""
    if args.calibration is None and (args.image or args.output):
        raise UserError('--image and --output belong to --calibration')
    if args.image and len(args.image) != len(args.calibration):
        raise UserError(f'{len(args.image)} images for {len(args.calibration)} calibrations: expected one of each')
    if args.output and (not args.image or len(args.image) > 1):
        raise UserError('--output needs --image with one image')
    if args.seconds <= 0:
        raise UserError(f'--seconds is {args.seconds}, expected more than 0')
    check_domain(args.domain_id)
    if args.output:
        check_file(args.output)
    findings, facts = _calibrations(args) if args.calibration else _system(args)
    for number, finding in enumerate(findings, 1):
        print(f'{number}. {finding}')
    print(f'{len(findings)} finding(s)' if findings else 'nothing wrong was found')
    if args.json:
        write_figures(args.json, {'schema': 'cooptrack-doctor/1', 'findings': [asdict(f) for f in findings], **facts})
    return 1 if findings else 0


def _system(args: argparse.Namespace) -> tuple[list, dict[str, Any]]:
    from ..doctor.findings import findings_of
    from ..doctor.observe import look
    snapshot = look(args.domain_id, args.seconds)
    print(f"ROS_DOMAIN_ID {snapshot.domain_id}, {snapshot.rmw}, "
          + (', '.join(f'{k}={v}' for k, v in snapshot.environment.items()) or 'no ROS variables set'))
    for node in snapshot.nodes:
        print(readable(f"{node.name}: {node.role} node, {node.state or 'no answer'}"))
    width = max(map(len, snapshot.topics), default=0)
    rates = {name: topic.count / snapshot.seconds for name, topic in sorted(snapshot.topics.items())}
    for name, rate in rates.items():
        topic = snapshot.topics[name]
        who = ', '.join(map(str, topic.publishers)) or 'nobody publishes it'
        model = f', model {topic.model_id}' if topic.model_id else ''
        print(readable(f'  {name:<{width}}  {rate:6.1f} Hz  {who}{model}'))
    return findings_of(snapshot), {
        'domain_id': snapshot.domain_id, 'rmw': snapshot.rmw, 'environment': snapshot.environment,
        'nodes': {n.name: {'role': n.role, 'state': n.state, 'parameters': n.parameters} for n in snapshot.nodes},
        'rate_hz': rates}


def _calibrations(args: argparse.Namespace) -> tuple[list, dict[str, Any]]:
    from ..sensors.calibration_check import check_rig
    from ..sensors.calibration_file import read_calibration
    cameras = {str(path): read_calibration(path) for path in args.calibration}
    findings, views = [], {}
    for (name, camera), image in zip(cameras.items(), args.image or [None] * len(cameras), strict=True):
        found, views[name] = _calibration(name, camera, image, args.output)
        findings += found
    return [*findings, *check_rig(cameras)], {'views': views}


def _calibration(name: str, camera: CameraCalibration, path: Path | None,
                 output: Path | None) -> tuple[list, dict[str, float]]:
    """Check one camera against its image, if there is one, and draw into that."""
    from ..sensors.calibration_check import check_calibration, view_angles
    from ..sensors.image_decoding import read_image
    angles = view_angles(camera)
    print('{name}: {height_m:.2f} m above the road, pitch {pitch_deg:.1f} deg down, yaw {yaw_deg:.1f} deg left, '
          'field of view {fov_deg:.0f} deg'.format(name=name, **angles))
    if camera.mounting is None:
        print('    no lidar_frame, base_frame and base_from_lidar: a node cannot use it as a file')
    image = read_image(path).pixels if path else None
    findings = check_calibration(camera, None if image is None else image.shape[1::-1])
    if image is not None and image.shape[:2] == (camera.height, camera.width):
        _draw(path, output, image, camera)
    elif output:
        rows, columns = image.shape[:2]
        raise UserError(f'--output needs an image of the size that the calibration is for: {path} has '
                        f'{columns}x{rows}, {name} is for {camera.width}x{camera.height}')
    return [replace(f, problem=f'{name}: {f.problem}') for f in findings], angles


def _draw(path: Path, output: Path | None, image, calibration: CameraCalibration) -> None:
    from ..viz.calibration import draw_calibration
    from ..viz.image_files import write_image
    output = output or path.with_name(f'{path.stem}_calibration.png')
    output.parent.mkdir(parents=True, exist_ok=True)
    write_image(output, draw_calibration(image, calibration))
    print(f'{output}: the grid must lie on the road, the box be as large as a car')
