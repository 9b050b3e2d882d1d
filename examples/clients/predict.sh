#!/bin/sh
# The same with curl: `sh examples/clients/predict.sh`. The id is the caller's own: sent again, it counts once.
set -eu
ROUTER="${ROUTER:-http://127.0.0.1:3000}"
ID="curl-$$"

curl --silent --show-error --fail-with-body --retry 3 --retry-connrefused --max-time 5 "$ROUTER/v1/models/leads/predict" \
  --data '{"key": "lead-17", "id": "'"$ID"'", "features": {"age": 41, "visits": 2, "channel": "search"}}'
echo
curl --silent --show-error --fail-with-body --retry 3 --retry-connrefused --max-time 5 "$ROUTER/v1/models/leads/outcomes" \
  --data '{"prediction_id": "'"$ID"'", "value": 1}'
echo
# Many: one JSON object per line.
printf '%s\n' '{"prediction_id": "'"$ID"'", "metric": "revenue", "value": 295}' '{"key": "lead-17", "metric": "visits", "value": 2}' |
  curl --silent --show-error --fail-with-body --retry 3 --retry-connrefused --max-time 5 "$ROUTER/v1/models/leads/outcomes" \
    --header 'content-type: application/x-ndjson' --data-binary @-
echo
