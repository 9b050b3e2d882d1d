"""
Is severity the order of the harm, and confidence the share that is right?

    python benchmarks/fusion_calibration.py                 # on fresh windows of both generators
    python benchmarks/fusion_calibration.py --fit           # make the numbers of fusion/calibration.py again
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from deciding.checking import figures
from deciding.fitting import confidences, fit, parameters
from deciding.windows import FITTED, OTHER, windows

from flows.detection.fusion.calibration import DIRECTNESS


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--fit", action="store_true")
    asked.add_argument("--windows", type=int, default=0, help="1,200 to fit, 500 and 200 to check, if not given")
    asked.add_argument("--seed", type=int, default=0, help="31 to fit, 33 and 32 to check, if not given")
    wanted = asked.parse_args()
    if wanted.fit:
        _fit(wanted.windows or 1200, wanted.seed or 31)
        return
    for name, generator, count, seed in (("the fitted kind", FITTED, 500, 33), ("another kind", OTHER, 200, 32)):
        print(f"\n{name}\n{figures(list(windows(generator, wanted.windows or count, wanted.seed or seed)))}")


def _fit(count: int, seed: int) -> None:
    made = list(windows(FITTED, count, seed))
    theta = fit(made)
    spike, slab, slopes, spreads = parameters(theta)
    print(f"SPIKE, SLAB = {spike:.3f}, {slab:.3f}")
    methods = zip(DIRECTNESS, slopes.round(3), spreads.round(4), strict=True)
    print("METHODS =", {kind: (float(slope), float(spread)) for kind, slope, spread in methods})
    print(confidences(theta, made))


if __name__ == "__main__":
    main()
