"""Make .venv hold exactly what requirements.lock says, and the project itself, editable.

Only the standard library is used. The fast installer of the lock goes first, by itself; where it cannot be used (an
index that only pip is configured for), pip installs everything: the same files, checked against the same hashes.
"""

import re
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
PIP = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
HASHED = ["--require-hashes", "--ignore-requires-python"]
DECLARES_NEWER = "pykustomize"
OLDEST = (3, 11)


def main() -> int:
    """Set up; one sentence and a non-zero exit when it cannot be done."""
    if sys.version_info < OLDEST:
        return complain(f"Python {'.'.join(map(str, OLDEST))} or newer is needed; this is {sys.version.split()[0]}.")
    try:
        if not PYTHON.exists():
            venv.create(ENVIRONMENT, with_pip=True)
        locked = entries((ROOT / "requirements.lock").read_text())
        install(locked)
        subprocess.run([*PIP, "--no-build-isolation", "--editable", str(ROOT)], check=True, cwd=ROOT)
    except (OSError, subprocess.CalledProcessError) as error:
        return complain(f"The set-up failed: {error}. Remove .venv and try again; it needs python3-venv and a network.")
    return 0


def install(locked: dict[str, str]) -> None:
    """Install every locked package, fast when the fast installer works here."""
    write(locked, {"uv"})
    subprocess.run([*PIP, *HASHED, "--requirement", str(list_file())], check=True)
    write(locked, locked.keys() - {"uv", DECLARES_NEWER})
    fast = [str(PYTHON), "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    done = subprocess.run([*fast, "--python", str(PYTHON), "--requirement", str(list_file())], check=False)
    rest = {DECLARES_NEWER} if done.returncode == 0 else set(locked)
    write(locked, rest)
    subprocess.run([*PIP, *HASHED, "--requirement", str(list_file())], check=True)
    list_file().unlink()


def entries(lock: str) -> dict[str, str]:
    """The lines of each package of the lock, by name."""
    found = re.findall(r"^([A-Za-z0-9._-]+)(==\S+(?: \\\n    --hash=\S+)+)", lock, re.MULTILINE)
    return {name.lower(): name + rest for name, rest in found}


def list_file() -> Path:
    """The file that the installers are handed."""
    return ENVIRONMENT / "requirements.txt"


def write(locked: dict[str, str], names: set[str]) -> None:
    """Write the lock's lines for some packages."""
    list_file().write_text("\n".join(locked[name] for name in sorted(names)) + "\n")


def complain(sentence: str) -> int:
    """Say it where errors are read."""
    sys.stderr.write(sentence + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
