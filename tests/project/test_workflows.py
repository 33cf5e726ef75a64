"""What runs elsewhere is pinned, and calls what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")

pytestmark = pytest.mark.once


def jobs() -> list[tuple[str, dict]]:
    return [job for path in WORKFLOWS for job in yaml.safe_load(path.read_text())["jobs"].items()]


def called() -> set[str]:
    """List the targets of make that workflows call."""
    targets = set()
    for _, job in jobs():
        commands = [step.get("run", "") for step in job.get("steps", [])]
        matrix = job.get("strategy", {}).get("matrix", {})
        for target in re.findall(r"\bmake (\$\{\{.*?\}\}|\S+)", "\n".join(commands)):
            name = re.fullmatch(r"\$\{\{ matrix\.(\w+) \}\}", target)
            targets |= set(matrix[name[1]]) if name else {target}
    return targets


def test_every_action_is_pinned_by_its_hash_and_says_its_version():
    used = [line for path in WORKFLOWS for line in re.findall(r"\buses: (.*)", path.read_text())]
    actions = [line for line in used if not line.startswith("./")]

    assert actions
    assert {line for line in actions if not PINNED.fullmatch(line)} == set()


def test_an_action_has_one_version():
    text = "".join(path.read_text() for path in WORKFLOWS)
    versions = set(re.findall(r"\buses: ([\w/.-]+@\S+)", text))

    assert len({version.partition("@")[0] for version in versions}) == len(versions)


def test_every_target_of_make_that_workflows_call_is_there():
    targets = re.findall(r"^([\w-]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert {"release", "test-platforms"} <= called()
    assert called() <= set(targets)


def test_every_script_that_workflows_call_is_there():
    scripts = {step["run"] for _, job in jobs() for step in job.get("steps", []) if "run" in step}

    assert all((ROOT / script).is_file() for script in scripts if script.startswith("."))


def test_a_workflow_that_is_called_has_the_permissions_it_is_given():
    for _, job in jobs():
        if (path := job.get("uses", "")).startswith("./"):
            assert yaml.safe_load((ROOT / path).read_text())["permissions"] == job["permissions"]


def test_only_signing_jobs_may_ask_for_an_identity_and_only_one_is_trusted_to_publish():
    asking = {
        name: job for name, job in jobs() if job.get("permissions", {}).get("id-token") == "write"
    }

    assert set(asking) == {"attest", "publish"}
    assert [name for name, job in asking.items() if "environment" in job] == ["publish"]
    assert asking["publish"]["permissions"] == {"id-token": "write"}
