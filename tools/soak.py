"""Run the whole system for long, with faults at random; watch memory, threads, files, delays and accounts."""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from live.process import NodeProcess
from live.system import System, differences, make_bag

from cooptrack_ros.common.files import write_atomically
from cooptrack_ros.demo.processes import end_orderly_when_terminated

SAMPLE_S = 5.0
WARM_UP_S = 300.0
MAX_GROWTH_MB = 20.0


def faults(system: System, rng: random.Random) -> dict[str, Callable[[], None]]:
    """Return what may be done to the system; each leaves it as it was."""
    def unit() -> NodeProcess:
        return system.nodes[rng.choice(system.units)]

    def killed_unit() -> None:
        node = unit()
        node.end()
        system.feed(rng.uniform(0.5, 4))
        node.start()

    def silent_unit() -> None:
        system.silent = {f'/infra/{rng.choice(system.units)}/camera'}
        system.feed(rng.uniform(1, 6))
        system.silent = set()

    def broken_images() -> None:
        system.change = lambda topic, data: data[:len(data) // 2] if topic.startswith('/ego/camera') else data
        system.feed(rng.uniform(0.3, 1.5))
        system.change = lambda topic, data: data

    def frozen_camera() -> None:
        system.silent = {'/ego/camera'}
        system.feed(rng.uniform(0.2, 4))
        system.silent = set()
    return {'killed unit': killed_unit, 'silent unit': silent_unit, 'broken images': broken_images,
            'frozen camera': frozen_camera, 'time set back': system.restart_loop}


def sample(system: System, started: float) -> dict[str, float]:
    """Return what the ego node holds and how long its frames took since the last sample."""
    usage, delays = system.nodes['ego'].usage(), list(system.observer.delays_s)
    system.observer.delays_s.clear()
    return {'t_s': round(time.monotonic() - started, 1), **(vars(usage) if usage else {}), 'answers': len(delays),
            **({f'p{q}_ms': round(1e3 * float(np.percentile(delays, q)), 1) for q in (50, 95)} if delays else {})}


_UNREAD = ('undecodable', 'long_text')
"""Images of which the node does not know more than that they came."""


def accounts(system: System) -> dict[str, dict[str, int]]:
    """Return per source what came to the ego node and what became of it; all of it, when nothing is under way."""
    counts = system.observer.counts()
    lost = dropped(counts, 'image')
    came = counts.get('image.received', 0) + sum(lost.get(reason, 0) for reason in _UNREAD)
    result = {'image': {'came': came, 'used': counts.get('frames.processed', 0), **lost}}
    for name in system.units:
        result[name] = {'came': system.observer.sent[name], 'used': counts.get(f'{name}.received', 0),
                        **dropped(counts, name)}
    return result


def settled_accounts(system: System) -> dict[str, dict[str, int]]:
    """Return the accounts when what is under way has come to its end and the counters were reported once more."""
    system.silent = {'/ego', '/infra'}
    system.feed(5)
    system.silent = set()
    return accounts(system)


def dropped(counts: dict[str, int], source: str) -> dict[str, int]:
    """Return drops by reason; what was taken in for its boxes although its model is unknown is not lost."""
    start = f'dropped.{source}.'
    return {key.removeprefix(start): value for key, value in counts.items()
            if key.startswith(start) and not key.endswith('unknown_model')}


def unaccounted(account: dict[str, int]) -> int:
    """Return how much came of which nothing is known."""
    return account.get('came', 0) - sum(value for key, value in account.items() if key != 'came')


def verdict(samples: list[dict[str, float]], account: dict, identity_errors: list[str], status: int | None,
            unit_starts: int, warm_up_s: float) -> dict[str, str]:
    """
    Return what was not as it must be, by claim; empty if all is well.

    :param unit_starts: how often units were started meanwhile; :param warm_up_s: from when on nothing may grow.
    """
    problems = {}
    late = [s for s in samples if s['t_s'] >= warm_up_s and 'memory_mb' in s]
    if len(late) > 1:
        quarter = max(len(late) // 4, 1)
        for name, limit in (('memory_mb', MAX_GROWTH_MB), ('threads', 0), ('files', 2)):
            growth = np.median([s[name] for s in late[-quarter:]]) - np.median([s[name] for s in late[:quarter]])
            if growth > limit:
                problems[name] = f'grew by {growth:.1f} after {warm_up_s:g} s, at most {limit:g}'
    for source, values in account.items():
        # Two subscribers receive a unit that starts at different moments.
        if abs(unaccounted(values)) > (0 if source == 'image' else 2 * unit_starts):
            problems[f'account of {source}'] = f'{unaccounted(values)} not accounted for: {values}'
    if identity_errors:
        problems['identities'] = f'{len(identity_errors)} errors, first: {identity_errors[0]}'
    if status is not None:
        problems['ego node'] = f'ended with status {status}'
    return problems


def picture(samples: list[dict[str, float]], events: list[dict], path: Path) -> None:
    """Draw memory, threads, files and delays over time, with a line for every fault."""
    import matplotlib
    matplotlib.use('Agg')
    import matplotlib.pyplot as plt
    minutes = [s['t_s'] / 60 for s in samples]
    rows = (('memory', 'MB', ('memory_mb',)), ('threads, open files', '', ('threads', 'files')),
            ('image to tracks', 'ms', ('p50_ms', 'p95_ms')), ('answers', f'per {SAMPLE_S:g} s', ('answers',)))
    figure, axes = plt.subplots(len(rows), 1, figsize=(10, 8), sharex=True, layout='constrained')
    for axis, (title, unit, names) in zip(axes, rows):
        for event in events:
            axis.axvline(event['t_s'] / 60, color='0.85', linewidth=0.8, zorder=0)
        for name in names:
            axis.plot(minutes, [s.get(name, np.nan) for s in samples], label=name.removesuffix('_ms'), linewidth=1.2)
        # A line at the very top would look cut off.
        axis.set_ylim(0, 1.1 * axis.get_ylim()[1])
        axis.set_ylabel(f'{title}\n{unit}')
        if len(names) > 1:
            axis.legend(loc='upper left', fontsize='small')
    axes[-1].set_xlabel('minutes (grey: a fault)')
    figure.savefig(path, dpi=110)
    plt.close(figure)


def run(args: argparse.Namespace, system: System) -> dict[str, object]:
    """Run the system for the time; return everything that was seen."""
    # Before, a unit may have sent to whoever was there, and the ego node was not yet.
    before = settled_accounts(system)
    rng, started = random.Random(args.seed), time.monotonic()
    possible, samples, events = faults(system, rng), [], []
    end, next_sample, next_fault = started + 60 * args.minutes, started, started + args.fault_every
    while time.monotonic() < end:
        system.feed(0.5)
        if time.monotonic() >= next_sample:
            samples.append(sample(system, started))
            next_sample += SAMPLE_S
        if time.monotonic() >= next_fault:
            name = rng.choice(sorted(possible))
            events.append({'t_s': round(time.monotonic() - started, 1), 'fault': name})
            possible[name]()
            next_fault = time.monotonic() + rng.expovariate(1 / args.fault_every)
    account = {source: differences(before[source], now) for source, now in settled_accounts(system).items()}
    ego = system.nodes['ego']
    return {'minutes': args.minutes, 'seed': args.seed, 'rate': args.rate, 'weights': args.weights,
            'loops': system.loops, 'answers': system.observer.num_answers, 'accounts': account,
            'problems': verdict(samples, account, system.observer.identity_errors, ego.status,
                                sum(e['fault'] == 'killed unit' for e in events),
                                min(WARM_UP_S, 30 * args.minutes)),
            'faults': events, 'samples': samples}


def main() -> int:
    """Run the soak; return 0 if everything stayed as it must."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--minutes', type=float, default=60.0, help='duration (default: %(default)s)')
    parser.add_argument('--rate', type=float, default=1.0, help='pace of the replay (default: %(default)s)')
    parser.add_argument('--weights', default='mini', help='model (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=1, help='of the faults (default: %(default)s)')
    parser.add_argument('--fault-every', type=float, default=20.0, metavar='S',
                        help='mean time between faults (default: %(default)s)')
    parser.add_argument('--out', type=Path, default=Path('out/soak'), help='folder (default: %(default)s)')
    parser.add_argument('--json', type=Path, help='result (default: soak.json in the folder)')
    parser.add_argument('--picture', type=Path, help='picture (default: soak.png in the folder)')
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    end_orderly_when_terminated()
    bag = make_bag(args.out, 12.0, units=2)
    with System(bag, args.out, args.weights, args.rate) as system:
        system.start_all()
        result = run(args, system)
    write_atomically(args.json or args.out / 'soak.json', json.dumps(result, indent=1) + '\n')
    picture(result['samples'], result['faults'], args.picture or args.out / 'soak.png')
    print(json.dumps({k: v for k, v in result.items() if k not in ('samples', 'faults')}, indent=1))
    return bool(result['problems'])


if __name__ == '__main__':
    raise SystemExit(main())
