"""A run in a process of its own, as `make rehearse` runs it: `runner.py ADDRESSES RUN NODE…` promotes these of dev."""

import json
import sys
from pathlib import Path

from workspace import ending, patience, promotion, scheduler
from workspace.addresses import Addresses
from workspace.errors import WorkspaceError
from workspace.scheduler import Patience

import deployments


def main(file: str, run: str, *nodes: str) -> int:
    """0 when every node succeeded; what was said, and the sentence at the end, are printed."""
    addresses = Addresses.model_validate_json(Path(file).read_text())
    place = deployments.find("dev")
    opening = promotion.opened(
        place,
        deployments.nodes(place),
        addresses,
        run=run,
        sources=deployments.SOURCES,
        folders=deployments.DEFINITIONS,
        owner=run,
        narrow=lambda plan: plan.narrowed(nodes),
        say=lambda line: print(line, flush=True),
    )
    try:
        with opening as execution:
            execution.begin()
            scheduler.settle(execution, Patience(patience.delays(addresses.poll_seconds)))
            print(ending.sentence(execution))
            print(json.dumps({name: str(result.outcome) for name, result in execution.results.items()}))
    except WorkspaceError as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
