"""What exactly was compared."""

import hashlib
from collections.abc import Iterable
from importlib.metadata import version as installed

import numpy as np
from numpy.typing import NDArray

from registry.records.policy import PromotionPolicy
from registry.records.version import ModelVersion


def identities(champion: ModelVersion, challenger: ModelVersion, policy: PromotionPolicy, data: str) -> dict[str, str]:
    """Digests of data (given), models and policy, and the version of this code."""
    return {
        "data": data,
        "champion": f"{champion.version} {champion.artifact_digest}",
        "challenger": f"{challenger.version} {challenger.artifact_digest}",
        "policy": policy.digest(),
        "code": f"understudy {installed('understudy')}",
    }


def digest_of(arrays: Iterable[NDArray[np.float64]]) -> str:
    """
    Sha256 over the bytes of arrays, in their order.

    Example:
        >>> digest_of([np.array([1.0, 2.0])])[:12]
        'dc91ce9a50dd'
    """
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    return found.hexdigest()
