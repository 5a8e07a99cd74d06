"""Results as text: on the terminal, and as the tables of a document."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .goals import GOALS, PAPER_BYTES_PER_INSTANCE, PAPER_WIDTH

_MARK = re.compile(r'(<!-- (?P<name>[\w. ]+) -->\n).*?(<!-- end -->)', re.DOTALL)
"""What stands between these comments is made from the results; the first one names the table."""
_QUANTILES = ('p50', 'p95', 'p99', 'worst')
_SHOWN_OPERATORS = 12

_PAPER = {'10 Hz, R50': (10, 2.85e5), '2 Hz, R101': (2, 5.64e4)}
"""Messages and bytes per second (CoopTrack, tables 1 and 3); the number of instances follows from them."""

Result = Mapping[str, Any]


def load_results(folder: Path) -> dict[str, Result]:
    """Return the results of a folder by file name without its ending, those of ``cooptrack bench`` only."""
    found = {path.stem: json.loads(path.read_text(encoding='utf-8')) for path in sorted(folder.glob('*.json'))}
    return {name: r for name, r in found.items() if str(r.get('schema', '')).startswith('cooptrack-bench-')}


def fill_tables(text: str, results: Mapping[str, Result]) -> str:
    """
    Return a document with the marked tables made anew.

    :raises KeyError: for a mark that names no table.
    """
    def table(match: re.Match) -> str:
        return '\n'.join([match.group(1), *TABLES[match.group('name')](results), '', match.group(3)])
    return _MARK.sub(table, text)


def lines(result: Result) -> list[str]:
    """Return a result as lines for the terminal."""
    kind = result['schema'].split('/')[0].removeprefix('cooptrack-bench-')
    out: list[str] = []
    for part in result['rows'] if kind == 'model' and 'rows' in result else [result]:
        if part is not result:
            out.append(f"{part['units']} units with {part['instances']} instances each:")
        out += [*_markdown(*_TERMINAL[kind](part)), '']
    return [*out, machine_words(result['machine'])]


def machine_words(machine: Mapping[str, Any]) -> str:
    """Return what a measurement ran on in one line."""
    words = f"{machine['cpu']}, {machine['cores']} cores, {machine['threads']} threads, {machine['capability']}, " \
        f"torch {machine['torch']}, Python {machine['python']}, load {machine['load']} before"
    gpu = machine.get('gpu')
    return f"{gpu['name']} ({', '.join(f'{k} {v}' for k, v in gpu.items() if k != 'name')}); {words}" if gpu else words


def _markdown(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    cells = [[_cell(value) for value in row] for row in rows]
    if not cells:
        return []
    return [f'| {" | ".join(row)} |' for row in (head, ['---'] * len(head), *cells)]


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f'{value:.3g}' if abs(value) < 1 else f'{value:.2f}' if abs(value) < 100 else f'{value:.0f}'
    return str(value)


def _model_rows(result: Result) -> tuple[Sequence[str], list[Sequence[Any]]]:
    rows = [[f'step, {name}', *(times[q] for q in _QUANTILES)] if name in result['stages'] else
            [name, *(times[q] for q in _QUANTILES)] for name, times in result['times_ms'].items()]
    rows += [[f'{path}: {stage}', *(times[q] for q in _QUANTILES)]
             for path, stages in result['stages'].items() for stage, times in stages.items()]
    rows += [[f'wire: {step}', *(times[q] for q in _QUANTILES)] for step, times in result['wire'].items()]
    rows += [[name, result[name], '', '', ''] for name in (
        'speedup', 'step_over_backbone', 'reference_over_backbone', 'max_difference') if name in result]
    rows += [[f'{name} in all frames', result['differences'][key], '', '', ''] for name, key in (
        ('tracks of both paths', 'tracks'), ('tracks of one path only', 'unmatched'))]
    return ['ms', *_QUANTILES], rows


def _codec_rows(result: Result) -> tuple[Sequence[str], list[Sequence[Any]]]:
    head = ['channels', 'encoding', 'embeddings', 'bytes per instance', 'kB/s', 'encode', 'serialize', 'deserialize',
            'decode', 'complete', 'all p50', 'all p99']
    rows = [[r['width'], r['encoding'], 'recomputed' if r['compact'] else 'sent', r['bytes_per_instance'],
             r['bytes_per_second'] / 1e3,
             *(r['times_ms'][s]['p50'] for s in ('encode', 'serialize', 'deserialize', 'decode', 'complete', 'total')),
             r['times_ms']['total']['p99']] for r in result['rows']]
    return head, rows


def _node_rows(result: Result) -> tuple[Sequence[str], list[Sequence[Any]]]:
    rows = [[name, *(times[q] for q in _QUANTILES)] for name, times in result['times_ms'].items()]
    memory = result['memory']
    # Results of before do not hold it.
    if 'cpu_ms_per_frame' in result:
        rows.append(['time on all cores, a frame', result['cpu_ms_per_frame'], '', '', ''])
    rows += [['start to first output, s', result['start_s'], '', '', ''],
             ['resident memory at start and end, MiB', memory['start_mib'], memory['end_mib'], '', ''],
             ['p99 at the start and at the end, ms', result['p99_start_ms'], result['p99_end_ms'], '', '']]
    if result.get('rate_hz'):
        rows.append([f'frames at {result["rate_hz"]:g} Hz, and how many were answered', result['frames'],
                     result['answered'], '', ''])
    return ['ms', *_QUANTILES], rows


def _data_rows(result: Result) -> tuple[Sequence[str], list[Sequence[Any]]]:
    return ['part', 'per second', 'ms each'], [
        [name, part['per_second'], 1e3 / part['per_second']] for name, part in result['parts'].items()]


def _train_rows(result: Result) -> tuple[Sequence[str], list[Sequence[Any]]]:
    return (['configuration', 'side', 'streams', 'workers', 'step ms', 'waiting ms', 'share of waiting', 'frames/s'],
            [_train_row(result)])


def _train_row(result: Result) -> list[Any]:
    return [result['config'], result['side'], result['batch_size'], result['workers'], result['step_ms'],
            result['wait_ms'], f'{100 * result["wait_share"]:.1f} %', result['frames_per_second']]


_TERMINAL = {'model': _model_rows, 'codec': _codec_rows, 'node': _node_rows, 'data': _data_rows, 'train': _train_rows}


def _of(results: Mapping[str, Result], kind: str) -> list[tuple[str, Result]]:
    return [(name, r) for name, r in results.items() if r['schema'].startswith(f'cooptrack-bench-{kind}/')]


def _steps(results: Mapping[str, Result]) -> list[str]:
    """Return one row per measured network."""
    head = ['result', 'configuration', 'side', 'input', 'device', 'threads', 'execution', 'backbone', 'reference',
            'fast', 'p99', 'speedup', 'of the backbone', 'live tracks', 'largest difference', 'tracks of one path only']
    rows = [[name, r['config'], r['side'], 'x'.join(map(str, r['input_size'])), r['machine']['device'],
             r['machine']['threads'], r.get('execution', 'fast'), r['backbone_ms'], r['reference_ms'], r['fast_ms'],
             r['times_ms']['fast']['p99'], r['speedup'], r['step_over_backbone'],
             f'{r["live"]["fast"]["mean"]:.0f}', f'{r["max_difference"]:.1e}',
             f'{r["differences"]["unmatched"]} of {r["differences"]["unmatched"] + r["differences"]["tracks"]}']
            for name, r in _of(results, 'model') if 'speedup' in r]
    return _markdown(head, rows)


def _stages(results: Mapping[str, Result]) -> list[str]:
    """Return p50 of every stage, both paths beside each other, a table per measured network."""
    out: list[str] = []
    for name, r in _of(results, 'model'):
        if 'speedup' not in r:
            continue
        reference, fast = r['stages']['reference'], r['stages']['fast']
        floor = r['arithmetic']['floor_ms']
        gmac = r['arithmetic']['gmac']
        rows = [[stage, *(p[stage]['p50'] if stage in p else '' for p in (reference, fast)), gmac.get(stage, ''),
                 floor.get(stage, '')] for stage in dict.fromkeys([*reference, *fast])]
        out += [f'`{name}`, {machine_words(r["machine"])}:', '',
                *_markdown(['stage', 'reference ms', 'fast ms', 'GMAC', 'floor ms'], rows), '']
    return out[:-1]


def _each(kind: str) -> Callable[[Mapping[str, Result]], list[str]]:
    def tables(results: Mapping[str, Result]) -> list[str]:
        out: list[str] = []
        for name, r in _of(results, kind):
            out += [f'`{name}`, {machine_words(r["machine"])}:', '', *_markdown(*_TERMINAL[kind](r)), '']
        return out[:-1]
    return tables


def _trainings(results: Mapping[str, Result]) -> list[str]:
    return _markdown(['result', 'configuration', 'side', 'streams', 'workers', 'step ms', 'waiting ms',
                      'share of waiting', 'frames/s'], [[name, *_train_row(r)] for name, r in _of(results, 'train')])


def _sweep(results: Mapping[str, Result]) -> list[str]:
    """Return the times against everything that is varied, a table per measured network."""
    out: list[str] = []
    for name, sweep in _of(results, 'sweep'):
        rows = [[r['varied'], r['value'], r['times_ms']['reference']['p50'], r['times_ms']['fast']['p50'],
                 r['times_ms']['fast']['p99']] for r in sweep['rows']]
        out += [f'`{name}`, {sweep["config"]}, {machine_words(sweep["machine"])}:', '',
                *_markdown(['varied', 'value', 'reference ms', 'fast ms', 'fast p99 ms'], rows), '']
    return out[:-1]


def _both_nodes(results: Mapping[str, Result]) -> list[str]:
    """Return what two nodes on one machine answered, a table per recording."""
    out: list[str] = []
    for name, r in _of(results, 'both-nodes'):
        rows = [[arm, kind, node['images'], node['answered'], *(
            node['latency_ms'][part][q] for part in ('total', 'wait', 'compute') for q in ('p50', 'p95'))]
                for arm, figures in r['arms'].items() for kind, node in figures['nodes'].items()]
        out += [f'`{name}`, {r["weights"]}, {machine_words(r["machine"])}:', '', *_markdown(
            ['nodes', 'node', 'images', 'answered', 'whole p50 ms', 'p95', 'waiting p50 ms', 'p95', 'computing p50 ms',
             'p95'], rows), '', *_processor_times(r['arms'])]
    return out[:-1]


def _processor_times(arms: Mapping[str, Result]) -> list[str]:
    """Return what the frames of a recording cost in lockstep, with every arrangement that was measured so."""
    measured = {name: arm['lockstep'] for name, arm in arms.items() if 'lockstep' in arm}
    first = next(iter(measured.values()), None)
    rows = [[name, lockstep['images'], lockstep['cpu_s'], lockstep['cpu_ms_per_frame'],
             'yes' if lockstep['tracks_sha256'] == first['tracks_sha256'] else 'no']
            for name, lockstep in measured.items()]
    head = ['nodes, in lockstep', 'images', 'processor time s', 'ms a frame of both', 'tracks of the first row']
    return [*_markdown(head, rows), ''] if rows else []


def _levers(results: Mapping[str, Result]) -> list[str]:
    """Return what every lever was predicted to save and did, a table per measured network."""
    out: list[str] = []
    for name, r in _of(results, 'levers'):
        speed = r['rates']
        rows = [[lever['name'], ', '.join(lever['stages']), *(
            lever[key] for key in ('without_ms', 'with_ms', 'predicted_ms', 'measured_ms'))] for lever in r['levers']]
        out += [f'`{name}`, {r["side"]}, {machine_words(r["machine"])}; {speed["gmac_per_s"]:.0f} GMAC/s, '
                f'{speed["gb_per_s"]:.1f} GB/s, {speed["us_per_operation"]:.2f} µs an operation:', '',
                *_markdown(['lever', 'stages', 'ms without', 'ms with', 'predicted to save', 'saves'], rows), '']
    return out[:-1]


def _engines(results: Mapping[str, Result]) -> list[str]:
    """Return what frames cost in inference engines and in the fast path, a table per measured network."""
    out: list[str] = []
    for name, r in _of(results, 'engines'):
        rows = [[engine + (f' {r["versions"][engine]}' if engine in r['versions'] else ''), figures['cpu_ms']['p50'],
                 figures['over_fast'], r['differences'].get(engine, {}).get('unmatched', '')]
                for engine, figures in r['engines'].items()]
        head = ['engine', 'processor time, ms p50', 'over the fast path', 'tracks of one of both only']
        out += [f'`{name}`, {r["side"]}, {r["frames"]} frames, {machine_words(r["machine"])}:', '',
                *_markdown(head, rows), '']
    return out[:-1]


def _jpeg(results: Mapping[str, Result]) -> list[str]:
    """Return what decoding an image costs."""
    out: list[str] = []
    for name, r in _of(results, 'jpeg'):
        rows = [['x'.join(map(str, row['size'])), row['decoder'], row['cpu_ms']['p50'],
                 '' if row['largest_difference'] is None else row['largest_difference']] for row in r['rows']]
        libraries = ', '.join(f'{library} {version}' for library, version in r['versions'].items())
        out += [f'`{name}`, {libraries}, {machine_words(r["machine"])}:', '', *_markdown(
            ['image', 'decoder', 'processor time, ms p50', 'levels that a pixel differs, at most'], rows), '']
    return out[:-1]


def _operators(results: Mapping[str, Result]) -> list[str]:
    """Return the operators that take most, a table per measured network."""
    out: list[str] = []
    for name, r in _of(results, 'operators'):
        rows = [[f'`{row["operator"]}`', f'{row["calls"]:.0f}', row['ms'], f'{100 * row["ms"] / r["total_ms"]:.0f} %']
                for row in r['rows'][:_SHOWN_OPERATORS]]
        out += [f'`{name}`, {r["side"]}, {r["execution"]}, {machine_words(r["machine"])}; all operators '
                f'{r["total_ms"]:.0f} ms:', '', *_markdown(['operator', 'calls', 'ms', 'share'], rows), '']
    return out[:-1]


def _goals(results: Mapping[str, Result]) -> list[str]:
    """Return what was aimed at beside what was measured."""
    rows = [[goal.name, f'{"at least" if goal.is_least else "at most"} {goal.limit:.3g}', *(
        (name, goal.value(results[name]), 'yes' if goal.reached(results[name]) else 'no') if name in results else
        (name, '', 'not measured'))] for goal in GOALS for name in goal.results]
    return _markdown(['goal', 'limit', 'result', 'measured', 'reached'], rows)


def _air(results: Mapping[str, Result]) -> list[str]:
    """Return what messages of the paper's width and number of instances cost, beside what the paper states."""
    counts = {name: rate / hertz / PAPER_BYTES_PER_INSTANCE for name, (hertz, rate) in _PAPER.items()}
    head = ['message', 'bytes per instance', "of the paper's",
            *(f'{name}: kB/s with {counts[name]:.2f} instances' for name in _PAPER)]
    rows = [['paper, features alone', PAPER_BYTES_PER_INSTANCE, '100 %',
             *(f'{rate / 1e3:.1f}' for _, rate in _PAPER.values())]]
    for _, result in _of(results, 'codec'):
        for row in result['rows']:
            if row['width'] == PAPER_WIDTH:
                rates = [hertz * (row['bytes_without_instances'] + counts[name] * row['bytes_per_instance']) / 1e3
                         for name, (hertz, _) in _PAPER.items()]
                rows.append([f'{row["encoding"]}, {"compact" if row["compact"] else "full"}',
                             f'{row["bytes_per_instance"]:.0f}',
                             f'{row["bytes_per_instance"] / PAPER_BYTES_PER_INSTANCE:.0%}'.replace('%', ' %'),
                             *(f'{rate:.1f}' for rate in rates)])
    return _markdown(head, rows)


TABLES: dict[str, Callable[[Mapping[str, Result]], list[str]]] = {
    'steps': _steps, 'stages': _stages, 'codec': _each('codec'), 'node': _each('node'), 'data': _each('data'),
    'train': _trainings, 'sweep': _sweep, 'levers': _levers, 'operators': _operators, 'goals': _goals, 'air': _air,
    'both': _both_nodes, 'engines': _engines,
    'jpeg': _jpeg}
"""Tables that a document may name."""
