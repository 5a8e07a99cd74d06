"""``python -m launch_runner FILE name:=value ...``."""

import sys
from pathlib import Path

from . import LaunchError, parse_launch, run_plan


def main(arguments: list[str]) -> int:
    """Run a launch file; ``--show-args`` lists its arguments."""
    files = [a for a in arguments if ':=' not in a and not a.startswith('-')]
    if len(files) != 1:
        print('usage: python -m launch_runner FILE [--show-args] [name:=value ...]', file=sys.stderr)
        return 2
    values = dict(a.split(':=', 1) for a in arguments if ':=' in a)
    try:
        plan = parse_launch(Path(files[0]), values)
    except LaunchError as error:
        print(f'launch: {error}', file=sys.stderr)
        return 1
    if '--show-args' in arguments:
        for name, (description, default) in plan.arguments.items():
            print(f'{name}: {description} (default: {default!r})')
        return 0

    def write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
    return run_plan(plan, write)


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
