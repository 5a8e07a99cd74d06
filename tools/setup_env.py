"""
Build or refresh the environment in ``.venv``: Python packages, ROS 2 (wheels or the sourced one), our interfaces.

Runs with any Python 3.10 or newer, needs nothing installed. Safe to interrupt and to repeat: every step leaves a
stamp of what it was made from, and a step whose stamp fits is skipped.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ROOT / 'tools' / 'requirements.txt'
STANDINS = ROOT / 'ros_standins'
PROGRAMS = ('cooptrack', 'ego_node', 'roadside_node', 'single_process', 'link_emulator')
"""What users and launch files start: functions of ``cooptrack_ros.programs``."""
EXECUTABLE = """#!{python}
if __name__ == '__main__':  # processes that the program starts import this file, too
    from cooptrack_ros.programs import {name}

    raise SystemExit({name}())
"""
SHARED = ('package.xml', 'launch', 'config', 'rviz', 'models')
DISTROS = ('jazzy', 'kilted')
"""Versions of ROS 2 that the package is written for, and whose wheels the requirements name."""
_NOT_FOUND, _NO_NETWORK = 'No matching distribution found for', 'Retrying ('
"""What pip says."""


class SetupError(Exception):
    """A problem that the user must mend."""


class Environment:
    """The virtual environment and the steps that fill it."""

    def __init__(self, folder: Path, numpy2: bool = False, distro: str = DISTROS[0]):
        """Name the folders; nothing is touched yet; :param distro: whose wheels are taken where no ROS is sourced."""
        self.folder, self.numpy2, self.distro = folder, numpy2, distro
        self.python = folder / 'bin' / 'python'
        self.stamps = folder / '.cooptrack'
        self.log = folder / 'setup.log'
        self.ros = os.environ.get('ROS_DISTRO')

    def run(self) -> None:
        """Do every step that is not done."""
        check_machine(self.ros)
        packages = self.requirements()
        interfaces = interface_folders(self.ros)
        self.step('venv', [sys.version, str(self.ros)], 'virtual environment', self.make_venv)
        self.step('packages', packages, 'Python packages' + ('' if self.ros else f' and ROS 2 {self.distro.title()}'),
                  lambda: self.install(packages))
        self.step('interfaces', packages + [content(p) for p in interfaces], 'ROS interfaces (C++ compiler at work)',
                  lambda: self.build_interfaces(interfaces))
        self.step('paths', packages + [str(ROOT), EXECUTABLE, *PROGRAMS, *SHARED],
                  'links to the sources',
                  self.link_sources)

    def requirements(self) -> list[str]:
        """Return the pinned packages for this environment."""
        lines = [line.strip() for line in REQUIREMENTS.read_text(encoding='utf-8').splitlines()]
        packages = [line for line in lines if line and not line.startswith('#')]
        kept = () if self.ros else f'ros-{self.distro}-'
        packages = [p for p in packages if not p.startswith('ros-') or p.startswith(kept)]
        if self.numpy2 or sys.version_info >= (3, 13):
            loose = {'numpy': 'numpy>=2,<3', 'opencv-python-headless': 'opencv-python-headless',
                     'scipy': 'scipy', 'pandas': 'pandas', 'scikit-learn': 'scikit-learn'}
            packages = [loose.get(re.split('[=<>]', p)[0], p) for p in packages]
        return packages

    def step(self, name: str, inputs: list[str], title: str, action) -> None:
        """Run one step unless its stamp says that it was run with the same inputs."""
        stamp = self.stamps / name
        digest = hashlib.sha256('\0'.join(inputs).encode()).hexdigest()
        if stamp.is_file() and stamp.read_text() == digest:
            return
        print(f'setup: {title} ...', flush=True)
        started = time.monotonic()
        stamp.unlink(missing_ok=True)
        action()
        self.stamps.mkdir(parents=True, exist_ok=True)
        stamp.write_text(digest)
        print(f'setup: {title} done in {time.monotonic() - started:.0f} s', flush=True)

    def command(self, arguments: list[str], what: str, env: dict[str, str] | None = None,
                missing: Sequence[str] = ()) -> None:
        """
        Run a program with its output in the log; show the end of it on failure.

        :param missing: packages it installs, of which those are named on failure that are not to be had.
        """
        self.folder.mkdir(exist_ok=True)
        with self.log.open('ab') as log:
            start = log.tell()
            log.write(f'\n$ {" ".join(map(str, arguments))}\n'.encode())
            log.flush()
            code = subprocess.run(arguments, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT, env=env,
                                  check=False).returncode
        if code:
            said = self.log.read_bytes()[start:].decode(errors='replace')
            # Without a network nothing is found either, slowly.
            lacks = self.lacking(missing) if _NOT_FOUND in said and _NO_NETWORK not in said else []
            raise SetupError(f'{what} failed (exit {code}); end of {self.log}:\n'
                             + '\n'.join([*said.splitlines()[-25:], *lacks]))

    def lacking(self, packages: Sequence[str]) -> list[str]:
        """Return in words which packages pip finds in no version for this Python; nothing for none."""
        found = {p: not_to_be_had(str(self.python), p) for p in packages}
        missing = [p + (f' (it asks for {what})' if what != p else '') for p, what in found.items() if what]
        return missing and [f'Python {platform.python_version()} lacks: ' + ', '.join(missing)
                            + '. Use another one (make setup PYTHON=python3.12), or source a ROS 2 installation']

    def make_venv(self) -> None:
        """Create the virtual environment anew."""
        shutil.rmtree(self.folder, ignore_errors=True)
        options = ['--system-site-packages'] if self.ros else []
        result = subprocess.run([sys.executable, '-m', 'venv', *options, str(self.folder)], check=False,
                                capture_output=True, text=True)
        if result.returncode:
            raise SetupError('python -m venv failed; on Debian and Ubuntu install python3-venv\n' + result.stdout)

    def install(self, packages: list[str]) -> None:
        """Install the pinned packages, torch first because it may come from an index of its own."""
        pip = [str(self.python), '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
        torch = [p for p in packages if p.startswith('torch==')]
        index = os.environ.get('TORCH_INDEX_URL')
        self.command([*pip, *torch, *(['--index-url', index] if index else [])], 'installing torch',
                     missing=[] if index else torch)
        devkit, trackeval = ([p for p in packages if p.startswith(n)] for n in ('nuscenes-devkit', 'trackeval'))
        others = [p for p in packages if p not in torch + devkit + trackeval]
        numpy2 = any(p.startswith('numpy>=2') for p in packages)
        self.command([*pip, *others, *([] if numpy2 else devkit)], 'installing packages', missing=others)
        if numpy2:
            # The devkit works with numpy 2; only its metadata say otherwise.
            self.command([*pip, '--no-deps', *devkit], 'installing nuscenes-devkit')
            self.command([*pip, 'xmltodict', 'cachetools', 'tqdm'], "installing the devkit's imports")
        # Asks for numpy above 2.3 and for OpenCV with windows; only its metadata need them.
        self.command([*pip, '--no-deps', *trackeval], 'installing trackeval')

    def build_interfaces(self, folders: list[Path]) -> None:
        """Generate the message packages into the environment, so that nothing needs sourcing."""
        if not shutil.which('c++') and not shutil.which('g++'):
            raise SetupError('no C++ compiler: install g++ (Debian, Ubuntu: apt install g++)')
        env = dict(os.environ)
        bin_folder = str(self.folder / 'bin')
        env['PATH'] = bin_folder + os.pathsep + env.get('PATH', '')
        if not self.ros:
            self.command([str(self.python), str(Path(__file__)), '--fix-cmake'], 'rewriting CMake paths')
            env.update(AMENT_PREFIX_PATH=str(self.folder), CMAKE_PREFIX_PATH=str(self.folder),
                       LD_LIBRARY_PATH=str(self.folder / 'lib'))
        command = [str(self.folder / 'bin' / 'colcon'), '--log-base', str(ROOT / 'build' / 'log'), 'build',
                   '--base-paths', *map(str, folders), '--build-base', str(ROOT / 'build' / self.folder.name),
                   '--merge-install', '--install-base', str(self.folder),
                   '--cmake-args', f'-DPython3_EXECUTABLE={self.python}', '-DBUILD_TESTING=OFF']
        # A workspace default file must not add its own packages here.
        self.command(command, 'building the interfaces', {**env, 'COLCON_DEFAULTS_FILE': os.devnull})

    def link_sources(self) -> None:
        """
        Make the source tree look installed: importable, with its command, node executables and share folder.

        The stand-ins come last on the path, so that a real package always wins.
        """
        site = Path(subprocess.run([str(self.python), '-c', 'import sysconfig; print(sysconfig.get_path("purelib"))'],
                                   check=True, capture_output=True, text=True).stdout.strip())
        (site / 'cooptrack_sources.pth').write_text(f'{ROOT / "src"}\n{STANDINS}\n', encoding='utf-8')
        self.executable(self.folder / 'bin', 'cooptrack')
        for name in PROGRAMS:
            self.executable(self.folder / 'lib' / 'cooptrack_ros', name)
        share = self.folder / 'share' / 'cooptrack_ros'
        share.mkdir(parents=True, exist_ok=True)
        for name in SHARED:
            link = share / name
            link.unlink(missing_ok=True)
            link.symlink_to(ROOT / name)
        index = self.folder / 'share' / 'ament_index' / 'resource_index' / 'packages'
        index.mkdir(parents=True, exist_ok=True)
        (index / 'cooptrack_ros').write_text('')

    def executable(self, folder: Path, name: str) -> None:
        """Write a script that runs a program of the package with the interpreter of the environment."""
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(EXECUTABLE.format(python=self.python, name=name), encoding='utf-8')
        path.chmod(0o755)


def check_machine(ros: str | None) -> None:
    """Refuse machines on which the steps cannot work, in one line each."""
    if sys.version_info < (3, 10):
        raise SetupError(f'Python 3.10 or newer is needed, this is {platform.python_version()}')
    if ros:
        if ros not in DISTROS:
            print(f"setup: ROS 2 {ros} is sourced; this package is written for {' and '.join(DISTROS)}",
                  file=sys.stderr)
        return
    if platform.system() != 'Linux' or platform.machine() != 'x86_64':
        raise SetupError(f'the ROS 2 wheels are for x86-64 Linux, this is {platform.machine()}: '
                         'install ROS 2 Jazzy from its packages, source it, and run this again')


def not_to_be_had(python: str, package: str) -> str:
    """Return what pip does not find of a package or of what it asks for, empty if it finds all."""
    tried = subprocess.run([python, '-m', 'pip', 'install', '--dry-run', '--ignore-installed', '--quiet', package],
                           check=False, capture_output=True, text=True)
    found = re.search(rf'{_NOT_FOUND} (\S+)', tried.stderr)
    return found[1] if tried.returncode and found else ''


def interface_folders(ros: str | None) -> list[Path]:
    """Return our message package, and without a ROS installation those that the wheels lack."""
    standins = [] if ros else sorted(p.parent for p in STANDINS.glob('*/package.xml'))
    return [ROOT / 'src' / 'cooptrack_msgs', *standins]


def content(folder: Path) -> str:
    """Return the text of all files of a folder."""
    return '\0'.join(str(p.relative_to(folder)) + '\0' + p.read_text(encoding='utf-8')
                     for p in sorted(folder.rglob('*')) if p.is_file())


def fix_cmake() -> None:
    """Replace the builder's Python and numpy paths in the CMake files of the wheels (runs inside the environment)."""
    import numpy
    include, numpy_include = sysconfig.get_paths()['include'], numpy.get_include()
    for path in Path(sys.prefix, 'share').rglob('*.cmake'):
        old = path.read_text(encoding='utf-8', errors='surrogateescape')
        new = re.sub(r'/opt/python/cp3\d+-cp3\d+/include/python3\.\d+', include, old)
        new = re.sub(r'/[^";\s]*/site-packages/numpy/_?core/include', numpy_include, new)
        if new != old:
            path.write_text(new, encoding='utf-8', errors='surrogateescape')


def main() -> int:
    """Parse the options and build the environment."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--numpy2', action='store_true', help='second environment .venv-numpy2 with numpy 2')
    parser.add_argument('--distro', choices=DISTROS, default=DISTROS[0], help='whose wheels, where no ROS is sourced')
    parser.add_argument('--folder', default='', help='of the environment, in the root of the clone')
    parser.add_argument('--fix-cmake', action='store_true', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.fix_cmake:
        fix_cmake()
        return 0
    try:
        folder = args.folder or ('.venv-numpy2' if args.numpy2 else '.venv')
        Environment(ROOT / folder, args.numpy2, args.distro).run()
    except SetupError as error:
        print(f'setup: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
