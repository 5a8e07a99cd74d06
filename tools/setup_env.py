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


class SetupError(Exception):
    """A problem that the user must mend."""


class Environment:
    """The virtual environment and the steps that fill it."""

    def __init__(self, folder: Path, numpy2: bool):
        """Name the folders; nothing is touched yet."""
        self.folder, self.numpy2 = folder, numpy2
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
        self.step('packages', packages, 'Python packages' + ('' if self.ros else ' and ROS 2 Jazzy'),
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
        if self.ros:
            packages = [p for p in packages if not p.startswith('ros-')]
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

    def command(self, arguments: list[str], what: str, env: dict[str, str] | None = None) -> None:
        """Run a program with its output in the log; show the end of it on failure."""
        self.folder.mkdir(exist_ok=True)
        with self.log.open('ab') as log:
            log.write(f'\n$ {" ".join(map(str, arguments))}\n'.encode())
            log.flush()
            code = subprocess.run(arguments, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT, env=env,
                                  check=False).returncode
        if code:
            tail = self.log.read_text(errors='replace').splitlines()[-25:]
            raise SetupError(f'{what} failed (exit {code}); end of {self.log}:\n' + '\n'.join(tail))

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
        self.command([*pip, *torch, *(['--index-url', index] if index else [])], 'installing torch')
        devkit, trackeval = ([p for p in packages if p.startswith(n)] for n in ('nuscenes-devkit', 'trackeval'))
        others = [p for p in packages if p not in torch + devkit + trackeval]
        numpy2 = any(p.startswith('numpy>=2') for p in packages)
        self.command([*pip, *others, *([] if numpy2 else devkit)], 'installing packages')
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
        if ros != 'jazzy':
            print(f'setup: ROS 2 {ros} is sourced; this package is written for jazzy', file=sys.stderr)
        return
    if platform.system() != 'Linux' or platform.machine() != 'x86_64':
        raise SetupError(f'the ROS 2 wheels are for x86-64 Linux, this is {platform.machine()}: '
                         'install ROS 2 Jazzy from its packages, source it, and run this again')
    if sys.version_info >= (3, 14):
        raise SetupError(f'the ROS 2 wheels are for Python 3.10 to 3.13, this is {platform.python_version()}')


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
    parser.add_argument('--fix-cmake', action='store_true', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.fix_cmake:
        fix_cmake()
        return 0
    try:
        Environment(ROOT / ('.venv-numpy2' if args.numpy2 else '.venv'), args.numpy2).run()
    except SetupError as error:
        print(f'setup: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
