"""Typed settings of the method, and of the life of tracks."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .declaration import Declaration
from .lives import life_at_rate

COMPENSATION = Declaration(
    'none', 'what is done about the age of received instances; none: nothing; geometry: they are moved by their '
    'velocity; flow: their features are carried on too, by weights of their own, and without such weights as geometry',
    choices=('none', 'geometry', 'flow'))


@dataclass(frozen=True)
class MethodConfig:
    """
    Choices where the published code does something surprising (method.md 16).

    Defaults are the published method, needed for the published weights.
    """

    previous_bev: str = 'published'
    """``published``: nearest rotation about pixel (100, 100) and a shift of both queue entries (method.md Q4, Q6, Q7);
    ``warp``: bilinear warp of the previous BEV features by the exact relative pose, no shift."""
    ego_motion_input: str = 'published'
    """``published``: absolute pose and deltas (method.md Q20, Q21); ``relative``: motion since the last frame only."""
    first_bev: str = 'none'
    """Previous BEV features of a fresh start: ``none`` (published at test) or ``zeros`` (as in training, method.md
    Q5)."""
    query_fill: str = 'random'
    """Which learned queries join the live tracks: ``random`` subset (method.md Q9) or ``first_n``."""
    fusion_stage: str = 'after_decoder'
    """Where received instances join: ``after_decoder`` (the paper's pipeline) or ``before_decoder``, as queries."""
    motion_features: str = 'extracted'
    """Second feature of an instance: ``extracted`` from its box (MDFE), or ``none``: the semantic one again."""
    cooperation: str = 'whole'
    """
    Cooperative network: ``whole`` (published), with all weights of its own, or ``additions``: the vehicle's network as
    it is, and what is added to rows that took something in (``model.cooperation.additions``).
    """
    alignment: str = 'latent'
    """How received features reach the ego domain: ``latent`` (CAA), or ``none``: unchanged."""
    compensation: str = COMPENSATION.field()
    carried_motion: bool = False
    """
    Heading and velocity are a state of a track, carried along and corrected (``model.instances.track_motion``), and
    the refinement heads add to them; else both are said anew in every frame.
    """
    exclude_ego: bool = False
    """Leave out received instances that are the vehicle itself, which no published weights were trained for."""
    report_only_live: bool = False
    """Report tracks that live on only (method.md Q15), not those above ``output_threshold`` that nobody keeps."""
    association: str = 'learned'
    """
    How received instances find their tracks: ``learned`` affinity, or ``distance`` (nearest within 3.5 m, method.md
    9.3).
    """
    min_affinity: float = 0.0
    """Association pairs below this affinity are not fused (method.md Q1); 0 accepts all."""
    max_match_distance_m: float = float('inf')
    """Association pairs farther apart than this are not fused (method.md Q1)."""
    association_memory: bool = False
    """
    An instance that was a track of the vehicle lately is preferred as that track, and may be farther from it; see
    ``cooperation.association_memory``. Also in late fusion.
    """
    training_match: str = 'distance'
    """Pairs fused in training: ``distance`` (3.5 m distance) or ``learned`` (method.md Q1)."""
    aux_losses_stage2: bool = False
    dup_ref_loss: bool = True
    roadside_lifetime_s: float = float('inf')
    """A track that the vehicle does not see itself ends when the last message that spoke of it is older than this."""
    max_received: int = 0
    """Instances of all units together that a frame looks at, see ``cooperation.limits``; 0: as many as queries."""
    max_added: int = 0
    """Objects of all units together that the vehicle does not see itself; 0: as many as there is room for."""
    max_added_per_unit: int = 0
    """The same of each unit; 0: a fifth of the queries."""
    learned_floor: float = 0.6
    """Share of the learned queries that enter every frame whatever units say, see ``cooperation.limits``."""
    fusion_time_s: float = float('inf')
    """When fusion has taken so long, a frame goes on without the units that are not fused yet."""
    keep_ids_after_gap: bool = False
    """Go on counting identities after a gap inside a sequence instead of starting again at 1 (method.md Q16)."""
    cls_prior_bias: bool = False
    """Prior bias on the refinement class head of new trainings (method.md 13.9)."""


@dataclass(frozen=True)
class TrackerConfig:
    """Life of tracks on one side (method.md 11)."""

    score_threshold: float = 0.4
    output_threshold: float = 0.3
    max_age: int = 1
    """Frames in a row that a track may score below ``score_threshold`` before it ends, exclusive."""
    max_age_s: float = 0.0
    """The same in seconds since it last scored enough, inclusive, whatever the rate of frames is; 0: ``max_age``."""
    max_detections: int = 300
    reset_gap_s: float = 0.5

    def at_rate(self, hz: float) -> TrackerConfig:
        """Return the same for fewer frames a second, see ``ModelConfig.at_rate``."""
        return replace(self, max_age_s=life_at_rate(self.max_age_s, self.max_age, hz),
                       reset_gap_s=max(self.reset_gap_s, 2 / hz))
