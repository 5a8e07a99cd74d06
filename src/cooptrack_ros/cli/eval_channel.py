"""Options of ``cooptrack eval`` that make the link and the poses bad."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..eval.channel import Channel

_NUMBERS = {
    'latency_ms': 'delay of every roadside message',
    'jitter_ms': 'further delay of each message, uniform from 0 to this',
    'drop_rate': 'share of the messages that are lost, 0 to 1',
    'burst_length': 'mean number of messages lost in a row (Gilbert-Elliott); 0: each on its own',
    'duplicate_rate': 'share of the messages that come twice',
    'rate_hz': 'messages a second of the unit; 0: one for each frame',
    'max_age_ms': 'use the last message again up to this age while no other came, as the ego node does; 0: do not',
    'rotation_noise_deg': 'standard deviation of a turn of the relative pose, anew in each frame',
    'translation_noise_m': 'standard deviation of a shift of the relative pose in x and in y, anew in each frame',
    'yaw_error_deg': 'constant error in the pose of the unit',
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; their names are those of ``eval.channel.Channel``."""
    for name, text in _NUMBERS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=0.0, help=text)
    parser.add_argument('--constant-noise', action='store_true', help='draw turn and shift once per sequence')
    parser.add_argument('--noise-scope', default='everywhere', choices=['everywhere', 'alignment', 'points'],
                        help='what gets the wrong pose: everything, only the latent alignment, or all but that '
                        '(default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='of link and noise')


def channel_of(args: argparse.Namespace) -> Channel:
    """
    Return what the options describe.

    :raises UserError: for a value out of range.
    """
    from ..eval.channel import Channel
    return Channel(**{name: getattr(args, name) for name in (*_NUMBERS, 'constant_noise', 'noise_scope', 'seed')})
