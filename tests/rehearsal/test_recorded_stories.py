"""Every recorded story of Azure, asked again of the stand-in: the same status, the same headers that are followed.

What the recorder left out is put back: request bodies from the answers to them, and what existed before the story from
the first answer that shows it. What is not repeated stands in `NOT_HERE` with its reason, and is counted.
"""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from workspace.rehearsal import arm_types, behaviour, serving, vault, web, zone
from workspace.rehearsal.arm import Arm
from workspace.rehearsal.arm_resources import address
from workspace.rehearsal.cloud import Cloud, parse
from workspace.rehearsal.faults import Faults
from workspace.rehearsal.settings import Settings

SUBSCRIPTION = "66666666-7777-4888-8999-000000000000"
FOLLOWED = {"location", "azure-asyncoperation", "etag"}
POLLS = re.compile(
    r"/(operation(status|result)(es|s)?|operations|asyncoperations|\w+AzureAsyncOperation)/[^/]+$", re.IGNORECASE
)
NOT_HERE = {
    "deploymentStacks": "deployment stacks are not rehearsed",
    "deploymentStackOperation": "deployment stacks are not rehearsed",
    "/deploymentStatus/": "it begins at Kudu's own host; test_web_rehearsal tells it",
    "microsoft.insights/eventtypes": "the activity log is not rehearsed",
    "/orchestrators": "an old list of versions",
    "Microsoft.DomainRegistration": "domains are bought elsewhere",
    "Microsoft.Sql": "SQL is not used",
    "listBuildSourceUploadUrl": "a registry's own builds are not rehearsed",
    "scheduleRun": "a registry's own builds are not rehearsed",
    "registries/acrz3d55g5kvuifw/runs": "a registry's own builds are not rehearsed",
}
"""Part of a path: why the stand-in does not serve it."""
TEMPLATE_LEFT_OUT = {"arm-deploy-cancel-2016", "arm-deploy-operations-list", "arm-deploy-validate-ruby"}
"""Stories of deployments whose templates were not recorded, so that they cannot be asked for again."""
RULES = {("aks-quota-409-toplevel-code", 0): "a region that Azure had for a short while"}
FAULTS = {
    "aks-quota-409-toplevel-code": {"subject": "PUT *managedClusters *", "how": "quota", "status": 409},
    "rg-delete-blocked-409": {"subject": "DELETE *", "how": "failed"},
}
"""Stories of failures that are faults here: what to fail."""
GUARDS = {("dns-zone-etag-412", 1): {"if-match": "another"}}
"""Headers that were not recorded, though the answers are to them."""
COUNTED = {
    "the same": 161,
    "left out: a region that Azure had for a short while": 1,
    "left out: a registry's own builds are not rehearsed": 3,
    "left out: an old list of versions": 1,
    "left out: another host than Resource Manager's": 20,
    "left out: deployment stacks are not rehearsed": 11,
    "left out: domains are bought elsewhere": 1,
    "left out: it begins at Kudu's own host; test_web_rehearsal tells it": 2,
    "left out: its template was not recorded": 21,
    "left out: SQL is not used": 3,
}
"""How many exchanges, all stories together."""
_WRITTEN = ("location", "tags", "sku", "kind", "properties")


class Story:
    """A story told to a stand-in of its own."""

    def __init__(self, folder: Path, name: str, exchanges: list[tuple[int, Mapping[str, Any]]]) -> None:
        self.name, self.exchanges = name, exchanges
        if name in FAULTS:
            (folder / "faults.json").write_text(json.dumps([{"point": "arm", **FAULTS[name]}]))
        self.cloud = Cloud(folder / "cloud")
        faults = Faults(folder)
        (folder / "settings.json").write_text('{"operations": 0, "identities": 3600}')
        settings = Settings(folder)
        self.arm = Arm(
            self.cloud,
            faults,
            tenant=behaviour.TENANT,
            client_id="c",
            client_secret="s",
            subscription=SUBSCRIPTION,
            kubeconfig=lambda group, name: "",
            settings=settings,
            extra_routes=[
                *zone.routes(self.cloud, faults),
                *web.routes(self.cloud, faults, folder / "packages", settings=settings),
                *vault.routes(self.cloud, faults),
            ],
        )
        self._loop = asyncio.Runner()
        self.follow = ""
        self.made: set[str] = set()
        self._furnish()

    def _furnish(self) -> None:
        """What was there before: whatever is shown before it is made, and the groups of all of it."""
        for _, each in self.exchanges:
            asked, answered = each["request"], each["response"]
            path, body = ours(asked["path"]), answered["body"]
            if asked["method"] == "PUT":
                if "/providers/" in path:
                    self._have_group(path)
                if "/providers/" in path and len(parse(path).names) > 1:
                    self._have(path.rsplit("/", 2)[0], {})
                self.made.add(path.lower())
            if asked["method"] in ("GET", "POST") and answered["status"] in (200, 202) and "/providers/" in path:
                self._have_group(path)
                place = address(path)
                known = place.names and arm_types.find(place.type)
                if known and place.id.lower() not in self.made and "deployment" not in place.type:
                    shown = body if isinstance(body, dict) and asked["method"] == "GET" and not place.rest else {}
                    kept = {k: v for k, v in shown.items() if k in _WRITTEN}
                    self._have(place.id, kept)
            if re.search(r"/resourcegroups/[^/]+(/resources)?$", path, re.IGNORECASE) and answered["status"] != 404:
                self._have_group(path)

    def _have_group(self, path: str) -> None:
        group = "/".join(path.split("/")[:5])
        if "/resourcegroups/" in group.lower() and group.lower() not in self.made:
            name = group.rpartition("/")[2]
            if re.fullmatch(r"[\w.()-]+", name):
                self.cloud.put({"id": group, "name": name, "location": "westus", "properties": {}})

    def _have(self, resource_id: str, kept: dict[str, Any]) -> None:
        if resource_id.lower() in self.made:
            return
        if len(parse(resource_id).names) > 1:
            self._have(resource_id.rsplit("/", 2)[0], {})
        if self.cloud.get(resource_id) is None:
            self.cloud.put(behaviour.complete({"id": resource_id, **kept}))

    def tell(self) -> Iterator[tuple[int, str, tuple[int, set[str]], tuple[int, set[str]]]]:
        """Number, request, what was recorded and what is answered now."""
        for number, each in self.exchanges:
            asked, recorded = each["request"], each["response"]
            path = ours(asked["path"])
            if POLLS.search(path) and "/deployments/" not in path:
                if not self.follow or recorded["status"] == 202:
                    continue
                path = self.follow
            answer = self._ask(number, asked, path, recorded["body"])
            header = answer.headers.get("azure-asyncoperation") or answer.headers.get("location") or ""
            self.follow = re.sub("^https?://[^/]+", "", header).split("?")[0] or self.follow
            told = {name.lower() for name in recorded["headers"]} & FOLLOWED
            now = answer.headers.keys() & FOLLOWED
            yield number, f"{asked['method']} {path}", (recorded["status"], told), (answer.status, now)

    def _shown_later(self, path: str) -> Any:
        """What a GET of the same path is answered with in this story."""
        told = (each["response"]["body"] for _, each in self.exchanges if ours(each["request"]["path"]) == path)
        return next((each for each in told if isinstance(each, dict)), None)

    def _ask(self, number: int, asked: Mapping[str, Any], path: str, answered: Any) -> serving.Answer:
        body = asked["body"] if isinstance(asked["body"], dict) else None
        if body is None and asked["method"] in ("PUT", "PATCH"):
            shown = answered if isinstance(answered, dict) and "error" not in answered else self._shown_later(path)
            body = {name: each for name, each in (shown or {}).items() if name in _WRITTEN}
        headers = {"authorization": f"Bearer {self.arm.identity.token()}"}
        headers |= GUARDS.get((self.name, number), {})
        told = "" if body is None else json.dumps(body)
        content = re.sub('/subscriptions/[^/"]+', f"/subscriptions/{SUBSCRIPTION}", told).encode()
        target = f"{path}?api-version={asked['api_version'] or '2025-04-01'}"
        return self._loop.run(self._asked(asked["method"], target, headers, content))

    async def _asked(self, method: str, target: str, headers: Mapping[str, str], content: bytes) -> serving.Answer:
        answer = await serving.ask(self.arm.app, method, target, headers, content)
        if method == "PUT" and "/deployments/" in target:
            # the engine works in the background of this very loop
            await asyncio.sleep(0.1)
        return answer


def ours(path: str) -> str:
    return re.sub("/{2,}", "/", re.sub("^/+subscriptions/[^/]+", f"/subscriptions/{SUBSCRIPTION}", path))


def reason(name: str, number: int, path: str) -> str:
    """Why an exchange is not asked again; nothing where it is."""
    if not path.startswith("/subscriptions/"):
        return "another host than Resource Manager's"
    if name in TEMPLATE_LEFT_OUT and "/deployments" in path:
        return "its template was not recorded"
    found = [why for part, why in NOT_HERE.items() if part.lower() in path.lower()]
    return found[0] if found else RULES.get((name, number), "")


def test_every_recorded_story_is_told_again_with_its_statuses_and_headers(samples: Path, tmp_path: Path) -> None:
    wrong, counted = [], Counter[str]()
    for file in sorted((samples / "azure/dev").glob("*.json")):
        story = json.loads(file.read_text())
        if not isinstance(story, dict) or "exchanges" not in story:
            continue
        kept = []
        for number, each in enumerate(story["exchanges"]):
            why = reason(file.stem, number, ours(each["request"]["path"]))
            counted.update([f"left out: {why}"] if why else [])
            kept += [] if why else [(number, each)]
        (tmp_path / file.stem).mkdir()
        for number, asked, recorded, now in Story(tmp_path / file.stem, file.stem, kept).tell():
            counted["the same" if recorded == now else "different"] += 1
            if recorded != now:
                wrong.append(f"{file.stem} {number} {asked}: recorded {recorded}, here {now}")
    assert wrong == []
    assert counted == COUNTED
