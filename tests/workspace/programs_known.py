"""The outside of a run whose programs were asked once for all tests which version they are."""

import functools
from pathlib import Path
from typing import Any

from workspace.addresses import Addresses
from workspace.outside import Outside


@functools.cache
def _asked() -> Outside:
    return Outside(Addresses(subscription="s", state=Path("unused")))


class Known(Outside):
    """As the real one; Terraform and Kustomize are clients that all tests share, and that know their version."""

    @property
    def terraform(self) -> Any:
        return _asked().terraform

    @property
    def kustomize(self) -> Any:
        return _asked().kustomize
