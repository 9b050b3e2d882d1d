"""
A second implementation of the audit trail's check, from its description alone: only the standard library, none of ours.

`python trail_independent.py FILE.jsonl|FILE.csv` says "intact", or what is wrong.
"""

import csv
import hashlib
import io
import json
import sys
from pathlib import Path


def problems_of_lines(text):
    """JSON lines: what is hashed is the line with its member "hash" cut out."""
    lines = text.split("\n")[:-1]
    entries = []
    for line in lines[:-1]:
        entry = json.loads(line)
        hashed = line.replace(f'"hash":"{entry["hash"]}",', "", 1)
        entries.append((entry["sequence"], entry["previous"], entry["hash"], hashed))
    return problems(entries, json.loads(lines[-1]).get("seal"))


def problems_of_table(text):
    """A table: put the JSON together again; `before` and `after` are JSON already."""
    rows = list(csv.reader(io.StringIO(text, newline="")))
    entries = []
    for row in rows[1:-1]:
        cells = {name: cell[1:] if cell[:1] == "'" else cell for name, cell in zip(rows[0], row, strict=True)}
        raw = {"sequence", "before", "after"}
        parts = [
            f"{json.dumps(name)}:{cells[name] if name in raw else json.dumps(cells[name], ensure_ascii=False)}"
            for name in sorted(cells)
            if name != "hash"
        ]
        entries.append((int(cells["sequence"]), cells["previous"], cells["hash"], "{" + ",".join(parts) + "}"))
    return problems(entries, json.loads(rows[-1][1]) if rows[-1][0] == "seal" else None)


def problems(entries, seal):
    if seal is None:
        return ["no seal"]
    found, sequence, previous = [], 0, "0" * 64
    for number, before, digest, hashed in entries:
        if hashlib.sha256(hashed.encode()).hexdigest() != digest:
            found.append(f"{number} was altered")
        if (number, before) != (sequence + 1, previous):
            found.append(f"{number} does not follow {sequence}")
        sequence, previous = number, digest
    content = hashlib.sha256("".join(f"{digest}\n" for _, _, digest, _ in entries).encode()).hexdigest()
    if (content, sequence, previous) != (seal["content"], seal["head_sequence"], seal["head_hash"]):
        found.append("not what was sealed")
    return found


if __name__ == "__main__":
    check = problems_of_table if sys.argv[1].endswith(".csv") else problems_of_lines
    print("\n".join(check(Path(sys.argv[1]).read_bytes().decode())) or "intact")
