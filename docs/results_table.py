"""The table of results, made of the rows that `make quality` writes into docs/results/.

python docs/results_table.py          # writes the table into README.md
"""

import json
from pathlib import Path

DOCS = Path(__file__).resolve().parent
RESULTS, README = DOCS / "results", DOCS.parent / "README.md"
# Keys of a row; the names of the columns.
KEYS = {
    "task": "Task", "data": "Data", "metric": "Metric", "figure": "Figure",
    "published": "Published", "time": "Training time", "hardware": "Hardware",
    "command": "Command",
}  # fmt: skip
TASKS = (
    "embed", "classify", "detect", "translate", "lm", "bert", "table", "forecast", "gan",
    "autoencoder", "cyclegan", "srgan",
)  # fmt: skip
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


def rows() -> list[dict[str, str]]:
    """All rows in the order of the tasks, then of the files' names."""
    found = []
    for path in sorted(RESULTS.glob("*.json")):
        row = json.loads(path.read_text(encoding="utf-8"))
        if set(row) != set(KEYS):
            raise ValueError(f"{path}: has the keys {sorted(row)}, not {sorted(KEYS)}")
        found.append(row)
    return sorted(found, key=lambda row: TASKS.index(row["task"]))


def table() -> str:
    """The table as Markdown."""
    lines = [KEYS, dict.fromkeys(KEYS, "---"), *(_cells(row) for row in rows())]
    return "".join(f"| {' | '.join(line[key] for key in KEYS)} |\n" for line in lines)


def _cells(row: dict[str, str]) -> dict[str, str]:
    cells = {key: value.replace("|", "\\|") for key, value in row.items()}
    return cells | {"task": f"`{row['task']}`", "command": f"`{row['command']}`"}


def filled(text: str) -> str:
    """A text with the table between its two markers."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{table()}{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    README.write_text(filled(README.read_text(encoding="utf-8")), encoding="utf-8")
