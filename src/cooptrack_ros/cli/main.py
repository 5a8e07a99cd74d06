"""Entry point of ``cooptrack``: finds the module of a sub-command and runs it."""

from __future__ import annotations

import argparse
import errno
import importlib
import sys

from .. import __version__
from ..common.errors import UserError
from ..common.outputs import check_file
from ..common.start_up import INTERRUPTED, take_interrupts
from ..common.text import readable_lines
from ..demo.processes import end_orderly_when_terminated

COMMANDS = {
    'synth': 'generate synthetic scenes in the V2X-Seq-SPD format',
    'data': 'check data sets',
    'bag': 'convert data sets to ROS 2 bags, describe and cut bags',
    'replay': 'play a bag to the nodes, in lockstep or in real time',
    'train': 'train vehicle, roadside and cooperative networks',
    'eval': 'run a model over data and measure detection and tracking',
    'eval-json': 'measure a result file in the exchange format',
    'occupancy': 'label voxels from point clouds and boxes, measure volumes of classes and identities',
    'bench': 'measure time and memory of network, wire format, nodes, data and training',
    'render': 'draw a result as pictures and an animation',
    'weights': 'import, export, list and verify models',
    'export': 'write the frame of a network as ONNX for other engines',
    'autodetect': 'find the inputs of the ego node in a running system or a bag',
    'doctor': 'explain why a running system is silent, or check a calibration',
    'demo': 'run the whole demonstration',
}


_OF_THE_MACHINE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOTDIR,
                   errno.EISDIR, errno.EEXIST, errno.ENOENT, errno.ENAMETOOLONG, errno.EIO, errno.ENXIO}
"""What a file or folder can be refused for; other errors of the system are faults of the program."""


def main(argv: list[str] | None = None) -> int:
    """Run one sub-command; return the exit status (0 only if the job was done)."""
    is_program = argv is None
    if is_program:
        # It owns its signals.
        end_orderly_when_terminated()
        # Names of files need not be UTF-8.
        sys.stdout.reconfigure(errors='backslashreplace')
        argv = sys.argv[1:]
    if '--ros-args' in argv:
        # A launch file appends arguments for nodes.
        argv = argv[:argv.index('--ros-args')]
    parser = argparse.ArgumentParser(prog='cooptrack', description='Cooperative camera-only 3D tracking.')
    parser.add_argument('--version', action='version', version=__version__)
    commands = parser.add_subparsers(dest='command', metavar='COMMAND', required=True)
    chosen = next((word for word in argv if not word.startswith('-')), None)
    module = None
    for name, summary in COMMANDS.items():
        sub = commands.add_parser(name, help=summary, description=summary)
        if name == chosen:
            # Only the wanted command is imported: torch and ROS cost seconds.
            module = importlib.import_module(f'.{name.replace("-", "_")}', __package__)
            module.add_arguments(sub)
    args = parser.parse_args(argv)
    try:
        if is_program:
            take_interrupts()
        if getattr(args, 'json', None):
            check_file(args.json)
        return module.run(args)
    except UserError as error:
        print(f'cooptrack {chosen}: {readable_lines(str(error))}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print('interrupted', file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        return 1
    except OSError as error:
        if error.errno not in _OF_THE_MACHINE:
            raise
        print(f'cooptrack {chosen}: ' + ': '.join(filter(None, (error.filename and str(error.filename),
                                                                error.strerror))), file=sys.stderr)
        return 2


if __name__ == '__main__':
    sys.exit(main())
