"""What a measurement ran on, and the memory that it took."""

from __future__ import annotations

import os
import platform
import re
import resource
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

MIB = 2 ** 20
_GPU_FIELDS = ('driver_version', 'power.limit', 'clocks.sm', 'clocks.max.sm')


def describe_machine(device: str = 'cpu') -> dict[str, Any]:
    """Return processor, cores, versions, threads and instruction set, for a GPU also its limits; plain data."""
    machine = {
        'cpu': _cpu_name(), 'cores': len(os.sched_getaffinity(0)), 'threads': torch.get_num_threads(),
        'capability': torch.backends.cpu.get_cpu_capability(), 'load': round(os.getloadavg()[0], 2),
        'python': platform.python_version(), 'torch': torch.__version__, 'numpy': np.__version__, 'device': device}
    if torch.device(device).type == 'cuda':
        machine['gpu'] = {'name': torch.cuda.get_device_name(device), 'cuda': torch.version.cuda, **_gpu_limits()}
    return machine


def _cpu_name() -> str:
    text = Path('/proc/cpuinfo').read_text(encoding='utf-8')
    found = re.search(r'^model name\s*: (.*)$', text, re.MULTILINE)
    return found.group(1) if found else platform.machine()


def _gpu_limits() -> dict[str, str]:
    """Return what the driver says of the first GPU, nothing where its tool is missing."""
    command = ['nvidia-smi', f'--query-gpu={",".join(_GPU_FIELDS)}', '--format=csv,noheader']
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return {}
    return dict(zip(_GPU_FIELDS, (v.strip() for v in done.stdout.splitlines()[0].split(',')), strict=True))


def peak_rss_mib() -> float:
    """Return the largest resident memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MIB


def rss_mib(pid: int) -> float:
    """Return the resident memory of a running process."""
    pages = int(Path(f'/proc/{pid}/statm').read_text(encoding='ascii').split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE') / MIB


def cpu_seconds(pid: int) -> float:
    """Return the time that all threads of a running process have spent on cores."""
    # What comes before the last bracket is the name of the program, which may hold spaces.
    fields = Path(f'/proc/{pid}/stat').read_text(encoding='utf-8').rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def synchronize(device: torch.device) -> None:
    """Wait until a device has done what it was given."""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def matmul_flops_per_second(device: torch.device, size: int = 2048, repeats: int = 5) -> float:
    """Return what one float32 product of square matrices reaches at best here: the practical peak."""
    a, b = torch.rand(2, size, size, device=device)
    best = float('inf')
    for _ in range(repeats):
        synchronize(device)
        started = time.perf_counter()
        a @ b
        synchronize(device)
        best = min(best, time.perf_counter() - started)
    return 2 * size ** 3 / best
