"""
Summarize the checks from the reports of nox in a folder.

The summary lists all sessions that nox runs by default, since some may not have run.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path


def main(folder: str) -> None:
    """Print the result of each check, and the number of each result."""
    results = {}
    for report in Path(folder).glob("*.json"):
        for result in json.loads(report.read_text())["sessions"]:
            results[(result["signatures"] or [result["name"]])[0]] = result
    nox = [sys.executable, "-m", "nox", "--list", "--json"]
    checks = json.loads(subprocess.run(nox, stdout=subprocess.PIPE, check=True).stdout)
    words = Counter({"passed": 0, "failed": 0, "skipped": 0})
    print("\n=== summary ===")
    for name in (check["session"] for check in checks):
        result = results.get(name, {"result": "not run", "duration": 0, "args": {}})
        word = {"success": "passed", "aborted": "failed"}.get(result["result"], result["result"])
        words[word] += 1
        remark = result.get("reason") or result["args"].get("remark", "")
        print(f"{name:<19} {word:<8} {result['duration']:4.0f} s  {remark}".rstrip())
    print("\nChecks:", ", ".join(f"{count} {word}" for word, count in words.items()), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
