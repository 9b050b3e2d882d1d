"""Ask for a prediction, and say later what became of it: `python examples/clients/predict.py`."""

# ruff: noqa: T201 - examples print

import os

from router.client import Client, ClientError, OutcomeRow, Row

with Client(os.environ.get("ROUTER", "http://127.0.0.1:3000")) as router:
    try:
        answer = router.predict("leads", {"age": 41, "visits": 2, "channel": "search"}, key="lead-17")
        print(f"{answer.score:.3f} says {answer.variant} {answer.model_version} (prediction {answer.prediction_id})")

        # When the truth is known, minutes or months later:
        print(router.outcome("leads", 1, prediction_id=answer.prediction_id).status)
        print(router.outcome("leads", 295.0, key="lead-17", metric="revenue").status)

        # Many at once: each row has its own key, and its own variant.
        rows = [Row(key=f"lead-{n}", features=[30 + n, n, "mail"]) for n in range(3)]
        answers = router.predict_many("leads", rows)
        told = router.outcomes("leads", [OutcomeRow(value=0, prediction_id=one.prediction_id) for one in answers])
        print([status.status for status in told])
    except ClientError as error:
        print(error)  # what did not happen, why, and how to mend it
        raise SystemExit(error.exit_code) from error
