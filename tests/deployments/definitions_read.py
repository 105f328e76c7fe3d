"""What Terraform's roots and the App's template declare, read from their files."""

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import hcl2
from hcl2.utils import SerializationOptions

import deployments

TERRAFORM = deployments.SOURCES / "infra" / "terraform"
TEMPLATE = deployments.SOURCES / "packages/app/infrastructure/main.bicep"


def outputs(stack: str) -> dict[str, Any]:
    """The outputs of a root, by name."""
    return _labelled(TERRAFORM / "stacks" / stack, "output")


def variables(stack: str) -> dict[str, Any]:
    """The variables of a root, by name."""
    return _labelled(TERRAFORM / "stacks" / stack, "variable")


def data(environment: str, stack: str) -> dict[str, Any]:
    """What an environment says about a root."""
    return dict(json.loads((TERRAFORM / "environments" / environment / f"{stack}.tfvars.json").read_text()))


@lru_cache
def template(word: str) -> dict[str, bool]:
    """The template's parameters or outputs by name, and whether each has a default."""
    found = re.findall(rf"^{word} (\w+) \w+( =)?", TEMPLATE.read_text(), re.M)
    return {name: bool(default) for name, default in found}


@lru_cache
def _labelled(folder: Path, kind: str) -> dict[str, Any]:
    options = SerializationOptions(with_comments=False, strip_string_quotes=True)
    trees = [hcl2.loads(file.read_text(), serialization_options=options) for file in sorted(folder.glob("*.tf"))]
    return {name: body for tree in trees for block in tree.get(kind, []) for name, body in block.items()}
