"""From a noisy reading to what is behind it, when there is mostly nothing behind it."""

import math
from dataclasses import dataclass

from scipy import special

from flows.detection.fusion.calibration import SLAB, SPIKE


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """
    Nothing with some probability, else a normal distribution cut at 0.

    Attributes:
        nothing: Probability of no harm.
        centre, spread: Of the normal distribution before it is cut.
    """

    nothing: float
    centre: float
    spread: float

    @property
    def mean(self) -> float:
        """Expected value, at least 0."""
        z = self.centre / self.spread
        tilt = math.exp(-z * z / 2 - math.log(2 * math.pi) / 2 - float(special.log_ndtr(z)))
        return (1 - self.nothing) * max(self.centre + self.spread * tilt, 0.0)

    @property
    def median(self) -> float:
        """The value that is as likely passed as not; 0 while nothing is the likelier."""
        return self.quantile(0.5)

    def above(self, limit: float) -> float:
        """Probability of more than *limit*, which is at least 0."""
        z = self.centre / self.spread
        beyond = special.log_ndtr(z - limit / self.spread) - special.log_ndtr(z)
        return (1 - self.nothing) * math.exp(min(float(beyond), 0.0))

    def quantile(self, share: float) -> float:
        """The value with this probability at or below it."""
        if share <= self.nothing:
            return 0.0
        left = (1 - share) / (1 - self.nothing)
        upper = special.log_ndtr(self.centre / self.spread) + math.log(left)
        return max(self.centre - self.spread * float(special.ndtri_exp(upper)), 0.0)


def posterior(value: float, error: float) -> Posterior:
    """
    What is behind a reading.

    Args:
        value: Of log(1 + harm). error: Its standard error, above 0.

    Source:
        Spike and slab: Mitchell and Beauchamp (1988), JASA 83:1023; with a half-normal slab, whose
        posterior is a normal distribution cut at 0.
    """
    total = error**2 + SLAB**2
    centre, spread = value * SLAB**2 / total, error * SLAB / math.sqrt(total)
    log_spike = math.log(SPIKE) - (value / error) ** 2 / 2 - math.log(error)
    log_slab = (
        math.log(2 * (1 - SPIKE))
        - value**2 / total / 2
        - math.log(total) / 2
        + float(special.log_ndtr(centre / spread))
    )
    return Posterior(nothing=float(special.expit(log_spike - log_slab)), centre=centre, spread=spread)
