"""How long preflight takes, and how much memory: on this workspace and on a made-up monorepo of 4,000 files."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import monorepo

HERE = Path(__file__).parents[2]


def row(name: str, folder: Path) -> str:
    """One line: files, seconds by the clock and of the processors, the largest process, and what was found."""
    files = sum(len(names) for _, _, names in os.walk(folder)) if folder != HERE else 0
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command = [sys.executable, "-m", "deployments.command", "check", str(folder), "--quiet"]
    told = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    seconds, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    said = told.stdout.splitlines()[-1] if told.stdout else told.stderr[-200:]
    return f"{name:16} {files or '':>6} {seconds:7.1f} {cpu:7.1f} {after.ru_maxrss // 1024:8}  {said}\n"


def main() -> None:
    """Print the rows."""
    sys.stdout.write(f"{'preflight on':16} {'files':>6} {'wall s':>7} {'cpu s':>7} {'most MB':>8}\n")
    sys.stdout.write(row("this workspace", HERE))
    with tempfile.TemporaryDirectory() as folder:
        monorepo.make(Path(folder))
        sys.stdout.write(row("a monorepo", Path(folder)))


if __name__ == "__main__":
    main()
