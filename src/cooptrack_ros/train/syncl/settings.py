"""Every constant of SynCL; where the paper does not say, the default is ours."""

from __future__ import annotations

from dataclasses import dataclass, fields

from ...common.errors import UserError

CHOICES = {
    'filter': ('gmm', 'none'), 'newborn': ('ignore', 'background', 'match'), 'filter_layer': ('each', 'last'),
    'layers': ('all', 'last'), 'denominator': ('include_positive', 'exclude_positive'),
    'stop_gradient': ('none', 'track', 'object')}


@dataclass(frozen=True)
class SynclConfig:
    """The block ``syncl`` of a recipe; without ``twin`` the training is that of the tracker alone."""

    twin: bool = False
    """Decode a second time without self-attention, with the losses below."""
    one_to_many: bool = True
    """Object queries of the second pass learn the objects that have a track, several queries each."""
    by_identity: bool = True
    """Track queries of the second pass learn their object."""
    queries_per_object: int = 5
    filter: str = 'gmm'
    """
    Which of these pairs count: ``gmm``, those no dearer than the mean of the cheaper of two Gaussians; ``none``: all.
    """
    filter_layer: str = 'each'
    """Whose costs decide: those of ``each`` layer for itself, or of the ``last`` one for all."""
    newborn: str = 'ignore'
    """
    Object queries that lie on an object without a track: ``ignore`` them, push them to the ``background``, or ``match``
    each such object with one query.
    """
    layers: str = 'all'
    """Which layers of the second pass have losses: ``all`` or ``last``."""
    weight: float = 1.0
    """Of the losses of the second pass."""
    contrast_weight: float = 0.5
    """Of the contrastive loss; 0: none."""
    temperature: float = 0.1
    denominator: str = 'include_positive'
    """``exclude_positive``, as printed, has no lower bound: the kernel is then bounded instead."""
    stop_gradient: str = 'none'
    """Which side of a pair the contrastive loss does not move: ``none``, ``track`` or ``object``."""
    stage2: bool = False
    """In the cooperative stage, too, where that trains the decoder (``method.cooperation: whole``)."""

    def __post_init__(self):
        """
        Check the choices.

        :raises UserError: for one that is none.
        """
        for field in fields(self):
            known = CHOICES.get(field.name)
            value = getattr(self, field.name)
            if known and value not in known:
                raise UserError(f"syncl.{field.name} must be one of {', '.join(known)}, not '{value}'")
        if self.queries_per_object < 1 or self.temperature <= 0:
            raise UserError('syncl.queries_per_object must be at least 1, syncl.temperature above 0, not '
                            f'{self.queries_per_object} and {self.temperature}')
