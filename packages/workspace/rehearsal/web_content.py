"""What was deployed where, in the rehearsal: packages by content, and the deployments of sites and slots."""

import hashlib
import io
import time
import uuid
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workspace.rehearsal.cloud import Cloud, Resource

SUCCESS, FAILED, BUILDING = 4, 3, 1
SITES, SLOTS, STATIC_SITES = "Microsoft.Web/sites", "Microsoft.Web/sites/slots", "Microsoft.Web/staticSites"
_LONGEST_WAIT = 10 * 365 * 86400.0


class BadPackage(Exception):
    """The bytes are no zip archive."""


@dataclass(frozen=True)
class Package:
    """A deployed package: its content address and the files in it."""

    sha256: str
    files: tuple[str, ...]


class Contents:
    """Deployed packages in one directory, by SHA-256, so that the public face can serve what is in them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def keep(self, content: bytes) -> Package:
        """Keep the archive; raises BadPackage when it is none."""
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                files = tuple(sorted(each.filename for each in archive.infolist() if not each.is_dir()))
        except zipfile.BadZipFile as error:
            raise BadPackage(str(error)) from error
        sha256 = hashlib.sha256(content).hexdigest()
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = self._directory / f".{uuid.uuid4().hex}"
        partial.write_bytes(content)
        partial.replace(self._directory / f"{sha256}.zip")
        return Package(sha256, files)

    def read(self, sha256: str, file: str) -> bytes | None:
        """One file of a kept package; None when there is no such package or file."""
        try:
            with zipfile.ZipFile(self._directory / f"{sha256}.zip") as archive:
                return archive.read(file)
        except (KeyError, FileNotFoundError):
            return None


def record_deployment(
    cloud: Cloud, owner_id: str, package: Package | None, *, seconds: float, log: tuple[str, ...] = (), **details: str
) -> Resource:
    """Note that a package is being deployed to a site or slot; it is over after so many seconds.

    Without a package the deployment fails; its log says why. Infinity means it never ends.
    """
    name, now = str(uuid.uuid4()), time.time()
    return cloud.put(
        {
            "id": f"{owner_id}/deployments/{name}",
            "name": name,
            "type": f"{SITES}/deployments",
            "properties": {"deployer": "Push-Deployer", "author": "N/A", **details},
            "_received": now,
            "_ready": now + min(seconds, _LONGEST_WAIT),
            "_sha256": package.sha256 if package else "",
            "_files": list(package.files) if package else [],
            "_log": list(log),
        }
    )


def deployments(cloud: Cloud, owner_id: str) -> list[Resource]:
    """The deployments of a site or slot, newest first; a site's do not include those of its slots."""
    found = [each for each in cloud.under(f"{owner_id}/deployments") if "_received" in each]
    return sorted(found, key=lambda each: float(each["_received"]), reverse=True)


def status(deployment: Resource) -> int:
    """How far a deployment is, in Kudu's numbers."""
    if time.time() < deployment["_ready"]:
        return BUILDING
    return SUCCESS if deployment["_sha256"] else FAILED


def serving(cloud: Cloud, owner_id: str) -> Resource | None:
    """The deployment a site or slot serves now: the newest that succeeded."""
    return next((each for each in deployments(cloud, owner_id) if status(each) == SUCCESS), None)


def exchange(cloud: Cloud, one_id: str, other_id: str) -> None:
    """Swap what two slots hold: their deployments go to the other's side."""
    of_one, of_other = deployments(cloud, one_id), deployments(cloud, other_id)
    for each in (*of_one, *of_other):
        cloud.delete(each["id"])
    for owner_id, moved in ((other_id, of_one), (one_id, of_other)):
        for each in moved:
            cloud.put({**each, "id": f"{owner_id}/deployments/{each['name']}"})


def by_label(cloud: Cloud, label: str) -> Resource | None:
    """The site called so, or the slot `site-slot`."""
    for resource in (*cloud.all(SITES), *cloud.all(SLOTS)):
        if label_of(resource) == label.lower():
            return resource
    return None


def label_of(resource: Resource) -> str:
    """How a site or slot is called in host names: `site` or `site-slot`."""
    parts: list[Any] = resource["id"].split("/")
    places = [index for index, part in enumerate(parts) if part.lower() in ("sites", "slots")]
    return "-".join(parts[place + 1] for place in places).lower()
