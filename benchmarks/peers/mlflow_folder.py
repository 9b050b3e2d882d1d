"""Save the fitted pipeline as an MLflow model that answers probabilities; the folder is the argument."""

import sys

import mlflow.sklearn
from rig import served

TRUSTED = ["numpy.dtype", "xgboost.core.Booster", "xgboost.sklearn.XGBClassifier"]

if __name__ == "__main__":
    mlflow.sklearn.save_model(
        served.pipeline(), sys.argv[1], pyfunc_predict_fn="predict_proba", skops_trusted_types=TRUSTED
    )
