"""What is run in an environment made for it. ``make help`` tells how, and make what goes first."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import nox
from python_discovery import DiskCache, get_interpreter

ROOT = Path(__file__).parent
ENVS = ROOT / ".nox"

Pythons = tuple[str, ...]
PYTHONS: Pythons = ("3.12", "3.11", "3.13", "3.10", "3.14")  # all, the most wanted first
PEER_PYTHONS = PYTHONS[:3]  # that the newest peers in the benchmarks and aepp's libraries support

# Each Airflow that `make test` has, with the Pythons that it supports and we do: the first is the
# row's own, others stand in, and together with .venv the rows cover each. Its dependencies are the
# newest of the day, soon after its release; in the lowest row those the package names itself are the
# oldest it allows. The releases between are those of PLATFORMS.
MATRIX = {
    "2.11.0": (("3.10", "3.11", "3.12"), "2025-07-01"),
    "3.0.6": (("3.11", "3.12", "3.10"), "2025-09-01"),
    "3.3.2": (("3.14", "3.13", "3.12", "3.11", "3.10"), "2026-09-20"),
    "3.4.0b2": (("3.13", "3.12", "3.11", "3.14"), "2026-11-28"),
}
LOWEST, NEWEST, PREVIEW = "2.11.0", "3.3.2", "3.4.0b2"
# Managed platforms, which have `make test-platforms`. Their rows install what the platform pins, as far
# as that is known, and else the newest of the day; docs/reference/versions.md says from where.
PLATFORMS = {
    "mwaa-2.11.0": (("3.12",), "2026-08-31"),
    "mwaa-2.11.2": (("3.12",), "2026-08-31"),
    "mwaa-3.0.6": (("3.12",), "2026-08-31"),
    "mwaa-3.2.1": (("3.12",), "2026-08-31"),
    "mwaa-3.3.1": (("3.12",), "2026-08-31"),
    "composer-3.1.7": (("3.11",), "2026-03-03"),
    "composer-3.3.1": (("3.11",), "2026-08-26"),
}
ROWS = {**MATRIX, **PLATFORMS}
REMARKS = {LOWEST: "oldest dependencies", PREVIEW: "preview"}

# The integration tests mostly wait, so that they run in three sessions beside each other. What is in
# neither of these shares one Airflow.
SCENARIOS = [f"tests/integration/test_{name}.py" for name in ("healing", "tutorials", "ui")]
STRESS = ["tests/integration/distributed", "tests/integration/many_tasks"]
# These have parts that `make test` leaves out for their length, as STRESS has.
LONG = [f"tests/integration/test_{name}.py" for name in ("healing", "recipe")]

QUIET = ("-q", "--disable-warnings", "-p", "no:cacheprovider")

nox.options.default_venv_backend = "uv"
nox.options.reuse_venv = "yes"
nox.options.stop_on_first_error = True
nox.options.error_on_missing_interpreters = False  # on CI neither: skipped, and the summary says so
os.environ["NOX_ENABLE_STALENESS_CHECK"] = "yes"  # another interpreter makes another environment
# An interpreter that is fetched unasked is one the user never wanted.
nox.options.download_python = "never"
os.environ["UV_PYTHON_DOWNLOADS"] = "never"
# pyenv's Pythons count whether or not they are switched on; the shims of those that are not fail.
_pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
_programs = [Path(sys.executable).parent, *sorted(_pyenv.glob("versions/3.1[0-4].*/bin"))]
os.environ["PATH"] = os.pathsep.join([*map(str, _programs), os.environ["PATH"]])


def choose(pythons: Pythons) -> str:
    """Return the first of these Pythons that is here; else what nox does not find, and says so."""
    cache = DiskCache(ENVS / "pythons")
    here = (python for python in pythons if get_interpreter(python, cache=cache))
    return next(here, " or ".join(pythons))


def row(airflow: str) -> object:
    """Return the parameters of a row's session."""
    pythons, _ = ROWS[airflow]
    python = choose(pythons)
    remarks = [REMARKS[airflow]] if airflow in REMARKS else []
    if python in pythons[1:]:
        remarks.append(f"on Python {python}, since {pythons[0]} is not here")
    return nox.param(python, airflow, "; ".join(remarks), id=airflow)


def constraints_of(airflow: str) -> str:
    """Return the path of a row's constraints file, which begins like the name of its session."""
    return f"constraints/{'airflow' if airflow in MATRIX else 'platform'}-{airflow}.txt"


def install(session: nox.Session, constraints: str, *what: str, **env: str) -> None:
    """Install exactly this."""
    # A wheel may have changed and kept its version.
    always = ["--exact", "--reinstall-package", "airflow-provider-flowservice"]
    session.run("uv", "pip", "install", "-q", *always, "-c", constraints, *what, env=env)
    session.run("uv", "pip", "check", "-q", env=env)


def in_venv(session: nox.Session, program: str, *arguments: str) -> None:
    """Run a program of the development environment."""
    session.run(ROOT / ".venv" / "bin" / program, *arguments)


@nox.session(python=False, default=False)
def dev(session: nox.Session) -> None:
    """Make the development environment, .venv."""
    python = choose(PYTHONS)
    if not (ROOT / ".venv" / "bin" / f"python{python}").exists():
        session.run("uv", "venv", "-q", "--clear", "--python", python, ".venv")
    install(session, "constraints.txt", "-e", ".", "--group", "dev", VIRTUAL_ENV=".venv")


@nox.session(python=False)
def lint(session: nox.Session) -> None:
    """Check the style, that imports point one way, and what is set for other services. Without a network."""
    in_venv(session, "ruff", "check")
    in_venv(session, "ruff", "format", "--check")
    in_venv(session, "lint-imports")
    in_venv(session, "validate-pyproject", "pyproject.toml")
    in_venv(session, "zizmor", "--offline", "--quiet", ".")
    github = Path(".github")
    for schema, files in {
        "dependabot": [github / "dependabot.yml"],
        "github-issue-forms": set(github.glob("ISSUE_TEMPLATE/*"))
        - {github / "ISSUE_TEMPLATE/config.yml"},
        "github-workflows": github.glob("workflows/*"),
        "readthedocs": [".readthedocs.yaml"],
    }.items():
        in_venv(
            session, "check-jsonschema", "--builtin-schema", f"vendor.{schema}", *map(str, files)
        )


@nox.session(python=False)
def types(session: nox.Session) -> None:
    """Check the types."""
    in_venv(session, "mypy")


@nox.session(python=False)
def package(session: nox.Session) -> None:
    """Build and check the source distribution, and from it the wheel."""
    session.run("uv", "build", "-q", "--clear", "--out-dir", "dist")
    session.run(sys.executable, "-m", "dev.package")


@nox.session(python=False, default=False)
def release(session: nox.Session) -> None:
    """Check that the packages can be published, and write the notes of their release."""
    session.run(sys.executable, "-m", "dev.release")


@nox.session(python=choose(PYTHONS), default=False)
def sbom(session: nox.Session) -> None:
    """List what is installed with the wheel, in the versions that the tests run with."""
    (wheel,) = ROOT.glob("dist/*.whl")
    install(session, "constraints.txt", str(wheel))
    # It takes the version from a static field only.
    version, project = wheel.name.split("-")[1], (ROOT / "pyproject.toml").read_text()
    static = re.sub("^dynamic = .*$", f'version = "{version}"', project, flags=re.MULTILINE)
    about = Path(session.create_tmp(), "pyproject.toml")
    about.write_text(static)
    (ROOT / "release").mkdir(exist_ok=True)
    command = ("uv", "tool", "run", "-q", "--python", sys.executable)
    pinned = ("--constraints", "constraints/sbom.txt", "--from", "cyclonedx-bom")
    options = ["--mc-type", "library", "--output-reproducible", "--pyproject", str(about)]
    options += ["--output-file", "release/sbom.cdx.json", session.virtualenv.location]
    session.run(*command, *pinned, "cyclonedx-py", "environment", *options)
    subject = json.loads((ROOT / "release/sbom.cdx.json").read_text())["metadata"]["component"]
    if subject.get("version") != version:
        session.error(f"The SBOM does not say that it is about version {version}.")


@nox.session(python=False)
def docs(session: nox.Session) -> None:
    """Build the documentation."""
    in_venv(session, "sphinx-build", "-W", "--keep-going", "-q", "-E", "docs", "docs/_build")


@nox.session(python=False)
def integration(session: nox.Session) -> None:
    """Run the tests that share one real Airflow."""
    _in_real_airflows(
        session, "tests/integration", *(f"--ignore={path}" for path in (*SCENARIOS, *STRESS))
    )


@nox.session(python=False)
def scenarios(session: nox.Session) -> None:
    """Run those that tell a longer story, each in an Airflow of its own."""
    _in_real_airflows(session, *SCENARIOS)


@nox.session(python=False)
def stress(session: nox.Session) -> None:
    """Run those in which much is under way at once, and parts of Airflow die or pause."""
    _in_real_airflows(session, *STRESS)


def _in_real_airflows(session: nox.Session, *tests: str) -> None:
    tests = session.posargs or tests
    in_venv(session, "pytest", "--durations=10", "-m", "not distributed", *tests)


@nox.session(python=False, default=False)
def distributed(session: nox.Session) -> None:
    """Kill the parts of a distributed Airflow one after the other, and pause tasks everywhere."""
    in_venv(session, "pytest", *(session.posargs or [*STRESS, *LONG]))


@nox.session(python=False)
def once(session: nox.Session) -> None:
    """Run the tests that depend on no particular Airflow."""
    in_venv(session, "pytest", "-m", "once", "--ignore=tests/integration", *session.posargs)


@nox.session
@nox.parametrize("python,airflow,remark", map(row, MATRIX))
def airflow(session: nox.Session, airflow: str, remark: str) -> None:
    """Run the other tests on one Airflow, against the built wheel."""
    _on_one_airflow(session, airflow, remark)


@nox.session(default=False)
@nox.parametrize("python,airflow,remark", map(row, PLATFORMS))
def platform(session: nox.Session, airflow: str, remark: str) -> None:
    """Run the same tests with what a managed platform installs."""
    _on_one_airflow(session, airflow, remark)


def _on_one_airflow(session: nox.Session, airflow: str, remark: str) -> None:
    session.log(remark or f"on Python {session.python}")
    (wheel,) = map(str, ROOT.glob("dist/*.whl"))
    install(session, constraints_of(airflow), wheel, "--group", "test")
    tests = [f"--rootdir={ROOT}", "-c", f"{ROOT}/pyproject.toml", f"{ROOT}/tests"]
    tests += [f"--ignore={ROOT}/tests/integration"]
    # Elsewhere than in the root, where `python -m` would find the work tree before the wheel.
    session.chdir(session.env_dir)
    # What knows next to no Airflow would be the same again on the others.
    leaves_out = "once" if airflow in {LOWEST, NEWEST, *PLATFORMS} else "(once or pure)"
    session.run("pytest", *QUIET, "-m", f"not {leaves_out}", *tests, *session.posargs)


@nox.session(python=choose(PEER_PYTHONS))
def aepp(session: nox.Session) -> None:
    """Let Adobe's own client read the emulator."""
    install(session, "constraints/aepp.txt", "--group", "aepp")
    # Without the settings and fixtures of the other tests, which need an Airflow.
    alone = ["-c", os.devnull, f"--rootdir={ROOT}", "--noconftest"]
    tests = session.posargs or [f"{ROOT}/tests/other_clients"]
    session.run("pytest", *QUIET, *alone, *tests, env={"PYTHONPATH": str(ROOT)})


def at_sample(session: nox.Session, airflow: str) -> Path:
    """Go to the project that has the wheel, and return the environment of a row that has run."""
    session.chdir("docs/sample_project")
    env = ENVS / f"airflow-{airflow.replace('.', '-')}"
    return env if env.exists() else session.skip(f"there is no environment of Airflow {airflow}")


@nox.session(python=False)
@nox.parametrize("airflow", [LOWEST, NEWEST], ids=[LOWEST, NEWEST])
def sample(session: nox.Session, airflow: str) -> None:
    """Run the tests of a project that has the wheel, in which pytest finds the plugin."""
    session.run(at_sample(session, airflow) / "bin" / "pytest", *QUIET)


@nox.session(python=False, name="sample-types")
def sample_types(session: nox.Session) -> None:
    """Check that project's types against the wheel, as strictly as can be."""
    python = at_sample(session, NEWEST) / "bin" / "python"
    in_venv(session, "mypy", "--python-executable", str(python))


@nox.session(python=choose(PYTHONS), default=False)
def demo(session: nox.Session) -> None:
    """Show the package at work, or run another module such as dev.demo_ui."""
    install(session, "constraints.txt", "-e", ".")
    # After Ctrl-C it stops its Airflow itself.
    session.run("python", "-m", *(session.posargs or ["dev.demo"]), interrupt_timeout=30)


@nox.session(python=choose(PEER_PYTHONS), default=False)
def bench(session: nox.Session) -> None:
    """Measure it beside its peers, or run another module such as benchmarks.duplicates."""
    install(session, "constraints/bench.txt", "-e", ".", "--group", "bench")
    session.run("python", "-m", *(session.posargs or ["benchmarks"]))


@nox.session(python=False, default=False)
def pin(session: nox.Session) -> None:
    """Write the constraints files anew, or those named."""
    group = ("pyproject.toml", "--group")
    _pin(session, "constraints/tools.txt", PYTHONS, "nox and uv")
    _pin(session, "constraints.txt", PYTHONS, f"Airflow {NEWEST}", *group, "dev")
    _pin(session, "constraints/bench.txt", PEER_PYTHONS, f"Airflow {NEWEST}", *group, "bench")
    _pin(session, "constraints/aepp.txt", PEER_PYTHONS, "aepp", *group[1:], "aepp")  # no Airflow
    _pin(session, "constraints/sbom.txt", PYTHONS, "cyclonedx-bom")
    for airflow, (pythons, day) in ROWS.items():
        options = [*group, "test", "--exclude-newer", f"{day}T00:00:00Z"]
        options += ["--resolution", "lowest-direct"] if airflow == LOWEST else []
        path = constraints_of(airflow)
        named_after, _, version = airflow.rpartition("-")
        if named_after:  # a platform: its pins stay, and what it does not need goes: put its own list there before
            options += ["--constraint", path]
        _pin(session, path, pythons, f"Airflow {version}", *options)


def _pin(session: nox.Session, path: str, pythons: Pythons, what: str, *options: str) -> None:
    if session.posargs and path not in session.posargs:
        return
    by_age = sorted(pythons, key=lambda version: int(version.partition(".")[2]))
    wanted = Path(session.create_tmp(), "requirements.in")
    wanted.write_text(what.replace("Airflow ", "apache-airflow==").replace(" and ", "\n"))
    universal = ("--universal", "--python-version", by_age[0])
    plain = ("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links")
    command = ("uv", "pip", "compile", "-q", str(wanted), *options, *universal, *plain)
    output = str(session.run(*command, silent=True))
    pins = sorted(line for line in output.splitlines() if "==" in line)
    title = f"# {what} on Python {', '.join(by_age)}. Written by `make pin`."
    Path(path).write_text("\n".join([title, *pins, ""]))
