"""The passes: nodes from the launch file, the bag from another process, answers recorded."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..data.bags.merge import merge_features, without_features
from .options import COOPERATIVE, REPLAYED, UNIT, DemoOptions, Pass
from .processes import Process, environment, finish, launch_command, launch_file, tool_command

_SECONDS_PER_FRAME = 5.0
"""A pass that takes longer hangs."""
_START_S = 180.0
_ANSWER_S = 60.0
"""Longest wait of the replay for a node or an answer."""


def first_pass(options: DemoOptions) -> None:
    """Run both nodes in lockstep, cooperating; leaves the answers and bags with the recorded features, and without."""
    _run(options, COOPERATIVE, options.bag, options.domains.first, threading.Event(), lockstep=True, roadside=True)
    target = _features_bag(options)
    shutil.rmtree(target, ignore_errors=True)
    answers = options.answers(COOPERATIVE.name)
    merge_features(options.bag, answers, target)
    shutil.rmtree(_zeroed_bag(options), ignore_errors=True)
    merge_features(options.bag, answers, _zeroed_bag(options), edit=without_features)


def replayed_passes(options: DemoOptions, done: Callable[[str], None]) -> None:
    """
    Run the ego node in the other modes over the recorded features, two passes at a time.

    :param done: called with the name of each pass that is complete.
    """
    domains = [options.domains.first, options.domains.first + 1]
    stop = threading.Event()

    def run(job: Pass) -> None:
        # Taking from and adding to a list is atomic.
        domain = domains.pop()
        try:
            bag = _zeroed_bag(options) if job.zero_features else _features_bag(options)
            _run(options, job, bag, domain, stop, lockstep=True, roadside=False)
        finally:
            domains.append(domain)
        done(job.name)

    _all(run, REPLAYED, len(domains), stop)


def real_time_pass(options: DemoOptions, name: str, limit: int) -> None:
    """Play the first frames of the bag in real time to both nodes."""
    _run(options, Pass(name, name, COOPERATIVE.mode), options.bag, options.domains.first, threading.Event(),
         lockstep=False, roadside=True, limit=limit)


def replay_report(options: DemoOptions, name: str) -> dict[str, Any]:
    """Return what the replay counted in a pass."""
    return json.loads(_report_file(options, name).read_text(encoding='utf-8'))


def _report_file(options: DemoOptions, name: str) -> Path:
    return options.out / 'answers' / f'{name}.json'


def _all(run: Callable[[Pass], None], jobs: Sequence[Pass], workers: int, stop: threading.Event) -> None:
    """Run jobs in threads; the first failure cancels those that wait."""
    pool = ThreadPoolExecutor(workers)
    futures = [pool.submit(run, job) for job in jobs]
    try:
        for future in futures:
            future.result()
    finally:
        # Without effect on threads that are done.
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _features_bag(options: DemoOptions) -> Path:
    return options.answers('features')


def _zeroed_bag(options: DemoOptions) -> Path:
    return options.answers('features_zeroed')


def _run(options: DemoOptions, job: Pass, bag: Path, domain: int, stop: threading.Event, *, lockstep: bool,
         roadside: bool, limit: int | None = None) -> None:
    target = options.answers(job.name)
    shutil.rmtree(target, ignore_errors=True)
    env = environment(domain, options.logs)
    launch = launch_command(launch_file('demo.launch.xml'), {
        'weights': options.weights, 'unit': UNIT, 'mode': job.mode, 'lockstep': lockstep, 'roadside': roadside,
        'occupancy': bool(options.occupancy) and job.voxels})
    pace = ['--lockstep'] if lockstep else ['--rate', '1']
    replay = tool_command('replay', bag, *pace, '--record', target, '--timeout', _ANSWER_S,
                          '--json', _report_file(options, job.name),
                          *(['--limit', limit] if limit else []))
    time_limit = _START_S + _SECONDS_PER_FRAME * 10 * options.seconds
    with Process(f'nodes ({job.title})', launch, options.logs / f'{job.name}_nodes.log', env) as nodes, \
            Process(f'replay ({job.title})', replay, options.logs / f'{job.name}_replay.log', env) as player:
        finish(player, [nodes], time_limit, stop)
