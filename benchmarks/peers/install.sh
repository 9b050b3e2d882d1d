#!/usr/bin/env bash
# Make an environment for each peer below a folder; name it to router_load.py with --peers.
#   benchmarks/peers/install.sh ~/peers            # all
#   benchmarks/peers/install.sh ~/peers fastapi    # some
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:?usage: install.sh FOLDER [NAME ...]}
shift
for name in "${@:-fastapi litserve mlserver mlflow ray}"; do
    for each in $name; do
        "${PYTHON:-python3.11}" -m venv "$folder/$each"
        "$folder/$each/bin/python" -m pip install --quiet --requirement "$here/$each.txt"
    done
done
