"""Whether what a configuration asks for is there."""

import ctypes

from flows.errors import DataError

_LIBRARIES = ("libcuda.so.1", "nvcuda.dll")


def refuse_absent(device: str) -> None:
    """
    Refuse to fit on a GPU that is not there: XGBoost itself would only warn, and use the CPU.

    Raises:
        DataError: If XGBoost was built without CUDA, or the driver shows no GPU.
    """
    if device == "cpu":
        return
    import xgboost

    if not xgboost.build_info().get("USE_CUDA"):
        why = f"training.device is {device}, and the installed XGBoost {xgboost.__version__} was built without CUDA."
        raise DataError("Nothing was tuned.", why, "Install `xgboost`, not `xgboost-cpu`, or set training.device: cpu.")
    if not gpus():
        why = f"training.device is {device}, and the driver shows no GPU."
        raise DataError("Nothing was tuned.", why, "Let this process see a GPU, or set training.device: cpu.")


def gpus() -> int:
    """Count the GPUs that CUDA's driver shows to this process."""
    count = ctypes.c_int(0)
    for name in _LIBRARIES:
        try:
            driver = ctypes.CDLL(name)
        except OSError:
            continue
        if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0:
            return count.value
    return 0
