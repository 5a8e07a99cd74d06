"""Published checkpoints to model folders and back; both directions together change no bit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..common.config import ModelConfig, config_to_dict
from ..common.errors import UserError
from ..common.types import Side
from .model_folder import CARD_NAME
from .published_checkpoint import (
    Checkpoint,
    check_entries,
    is_detection_only,
    read_checkpoint,
    some_of,
    write_checkpoint,
)
from .published_files import FILE_SUFFIX, PublishedFile, known_file, md5_of, side_in_name
from .published_keys import from_published, to_published, unknown_names
from .store import ModelPackage, model_folders, open_model, write_side

if TYPE_CHECKING:
    from torch import Tensor

_LICENCE = 'that of the imported file; ask its authors'


@dataclass(frozen=True)
class CheckedFile:
    """A checkpoint that fits its configuration, and what it is."""

    checkpoint: Checkpoint
    md5: str
    published: PublishedFile | None
    side: Side
    detection_only: bool
    entries: int

    @property
    def package_name(self) -> str:
        """Return the name of the model folder that this file belongs to."""
        if self.published:
            return self.published.package
        stem, suffix = self.checkpoint.path.stem, f'_{FILE_SUFFIX[self.side]}'
        return stem.removesuffix(suffix)


def check_file(path: Path, config: ModelConfig, side: Side | None = None) -> CheckedFile:
    """
    Read a checkpoint and compare it with a configuration.

    :param side: for files that neither their MD5 nor their name nor their entries tell.
    :raises UserError: if it cannot be read, does not fit, or its side stays unknown or is contradicted.
    """
    config, checkpoint = _whole(config), read_checkpoint(path)
    md5 = md5_of(path)
    published = known_file(md5)
    side = _side_of(checkpoint, published, side)
    detection_only = side is not Side.COOPERATIVE and is_detection_only(checkpoint.state)
    report = check_entries(checkpoint.state, config, side, detection_only)
    if not report.good:
        raise UserError(f"{path} does not fit configuration '{config.name}' of the {side.value} side "
                        f'({report.expected} entries expected, {len(checkpoint.state)} found):\n'
                        + '\n'.join([*checkpoint.unwrapping, report.text()]))
    return CheckedFile(checkpoint, md5, published, side, detection_only, report.expected)


def _whole(config: ModelConfig) -> ModelConfig:
    """Return a configuration as it is for files of that layout: their cooperative network stands alone."""
    return replace(config, method=replace(config.method, cooperation='whole'))


def _side_of(checkpoint: Checkpoint, published: PublishedFile | None, wanted: Side | None) -> Side:
    path = checkpoint.path
    cooperative = any(n.startswith('crossview_alignment.') for n in checkpoint.state)
    known = published.side if published else Side.COOPERATIVE if cooperative else None
    if known and wanted and known is not wanted:
        raise UserError(f'{path} holds {known.value} weights, not {wanted.value}')
    side = known or wanted or side_in_name(path.stem)
    if side is None:
        raise UserError(f'{path}: vehicle and roadside files have the same entries; say which it is with --side')
    return side


def import_file(path: Path, config: ModelConfig, side: Side | None = None, name: str | None = None,
                folder: Path | None = None) -> tuple[ModelPackage, CheckedFile]:
    """
    Convert a checkpoint into one side of a model folder.

    :param name: of the model (default: from the file); :param folder: of models (default: where names are looked up).
    :raises UserError: as ``check_file``, or if the model has this side from another file already, or another
        configuration.
    """
    checked = check_file(path, config, side)
    target = (folder or _writable_models()) / (name or checked.package_name)
    config = _stored_with(target, checked, config)
    origin = {'source': {'file': path.name, 'md5': checked.md5,
                         'published': checked.published.name if checked.published else None,
                         **checked.checkpoint.notes}}
    write_side(target, config, checked.side, from_published(checked.checkpoint.state), origin, _LICENCE,
               checked.detection_only)
    return open_model(str(target)), checked


def _writable_models() -> Path:
    folders = model_folders()
    return folders[0] if folders else Path('models')


def _stored_with(target: Path, checked: CheckedFile, config: ModelConfig) -> ModelConfig:
    """Return the configuration to store a side with; how cooperation works makes no difference to one agent's."""
    fitting = [_whole(config)] + [config] * (checked.side is not Side.COOPERATIVE)
    if not (target / CARD_NAME).is_file():
        return fitting[0]
    package = open_model(str(target))
    if package.config not in fitting or package.detection_only != checked.detection_only:
        raise UserError(f'{target} holds a model of another configuration; choose another --name')
    there = package.card.get('sides', {}).get(checked.side.value)
    if there and there.get('source', {}).get('md5') != checked.md5:
        raise UserError(f'{target} has {checked.side.value} weights from another source already; '
                        'choose another --name, or remove that folder first')
    return package.config


def export_file(package: ModelPackage, side: Side, path: Path) -> int:
    """
    Write one side as a checkpoint under the published names, in single precision.

    :returns: the number of entries.
    :raises UserError: as ``published_state``.
    """
    state = published_state(package, side)
    source = package.card.get('sides', {}).get(side.value, {}).get('source', {})
    notes = {k: v for k, v in source.items() if k not in ('file', 'md5', 'published')}
    write_checkpoint(path, state, {**notes, 'CLASSES': package.config.class_names})
    return len(state)


def published_state(package: ModelPackage, side: Side) -> dict[str, Tensor]:
    """
    Return the entries of one side under their published names, in single precision.

    :raises UserError: if the file is missing, damaged or not the one on the card, or holds an entry of no network.
    """
    state = package.state(side)
    unknown = unknown_names(state)
    if unknown:
        raise UserError(f"{side.value} weights of '{package.name}' hold {len(unknown)} entries that no network has: "
                        + some_of(unknown))
    return {n: (v.float() if v.is_floating_point() else v) for n, v in to_published(state).items()}


def configuration_summary(config: ModelConfig) -> str:
    """Return ``published`` or the switches that differ from the published method."""
    default = ModelConfig()
    if config.method == default.method:
        return 'published method'
    ours, theirs = config_to_dict(config)['method'], config_to_dict(default)['method']
    return ', '.join(f'{k}={v}' for k, v in ours.items() if v != theirs[k])
