"""What conformance runs against and no lock holds: installed once into the user's cache, by name and exact version."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from platformdirs import user_cache_path

CACHE = user_cache_path("mystira-workspace") / "conformance"


def from_npm(package: str, version: str) -> Path:
    """The folder of an npm package. Its install scripts are not run."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.fail("node and npm are not on PATH: Azure's test server needs them", pytrace=False)

    def install(folder: Path) -> None:
        quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
        _run([npm, "install", "--prefix", str(folder), *quiet, f"{package}@{version}"])

    return _once(f"{package.rpartition('/')[2]}-{version}", install) / "node_modules" / package


def from_pypi(package: str, version: str) -> Path:
    """The folder of a virtual environment of its own that holds one Python package."""

    def install(folder: Path) -> None:
        _run([sys.executable, "-m", "venv", str(folder)])
        quiet = ("--quiet", "--disable-pip-version-check")
        _run([str(folder / "bin" / "python"), "-m", "pip", "install", *quiet, f"{package}=={version}"])

    return _once(f"{package}-{version}", install)


def tell(request: pytest.FixtureRequest, line: str) -> None:
    """Write a line that is seen although the tests' output is kept back."""
    plugins = request.config.pluginmanager
    with plugins.getplugin("capturemanager").global_and_fixture_disabled():
        plugins.getplugin("terminalreporter").write_line(f"\n{line}")


def _once(name: str, install: Callable[[Path], None]) -> Path:
    """The folder of that name in the cache, filled when it is not there; one half filled never takes the name."""
    folder = CACHE / name
    mark = folder / "whole"
    if not mark.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        try:
            # a virtual environment holds its own path, so it is made in place; the mark comes last
            install(folder)
        except subprocess.CalledProcessError as error:
            shutil.rmtree(folder, ignore_errors=True)
            said = (error.stderr or error.stdout or "").strip().splitlines()[-3:]
            pytest.fail(f"{name} cannot be installed: {' | '.join(said)}", pytrace=False)
        mark.touch()
    return folder


def _run(command: list[str]) -> None:
    with tempfile.TemporaryDirectory() as elsewhere:
        subprocess.run(command, check=True, capture_output=True, text=True, cwd=elsewhere, timeout=900)
