"""The phases of a run, in their order. Each says its loss, what it trains, its learning rate and its state."""

from .likeness import Likeness
from .phase import Phase
from .realism import Realism

PHASES: dict[str, type[Phase]] = {"likeness": Likeness, "realism": Realism}
