"""Kudu, rehearsed: zip deployment to a site or slot, its log, and how ARM tells of it."""

import asyncio
import datetime
import time
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from workspace.rehearsal.cloud import Cloud, Resource
from workspace.rehearsal.faults import Fault, Faults
from workspace.rehearsal.web_answers import GROUP, Refusal, base, capital, group_of, is_authorised, require, route
from workspace.rehearsal.web_content import (
    BUILDING,
    FAILED,
    SITES,
    SUCCESS,
    BadPackage,
    Contents,
    by_label,
    deployments,
    label_of,
    record_deployment,
    serving,
    status,
)

_BUSY = "There is a deployment currently in progress. Please try again when it completes."
_LOOK_SECONDS = 0.05
_NO_ZIP = "End of Central Directory record could not be found."
_ARM_STATUS = {BUILDING: "BuildInProgress", SUCCESS: "RuntimeSuccessful", FAILED: "BuildFailed"}


def routes(cloud: Cloud, faults: Faults, contents: Contents, *, seconds: Callable[[], float]) -> list[Route]:
    """Kudu under `/scm/{site}/…`, and ARM's view of its deployments. `seconds` says how long one takes."""
    kudu = _Kudu(cloud, faults, contents, seconds)
    site = GROUP + "/providers/Microsoft.Web/sites/{site}"
    scm = "/scm/{label}/api"
    return [
        route(scm + "/zipdeploy", ["POST"], kudu.deploy),
        route(scm + "/deployments", ["GET"], kudu.list),
        route(scm + "/deployments/{deployment}", ["GET"], kudu.one),
        route(scm + "/deployments/{deployment}/log", ["GET"], kudu.log),
        route(site + "/deploymentStatus/{deployment}", ["GET"], kudu.progress),
        route(site + "/slots/{slot}/deploymentStatus/{deployment}", ["GET"], kudu.progress),
        route(site + "/deployments", ["GET"], kudu.list_arm),
        route(site + "/slots/{slot}/deployments", ["GET"], kudu.list_arm),
    ]


class _Kudu:
    def __init__(self, cloud: Cloud, faults: Faults, contents: Contents, seconds: Callable[[], float]) -> None:
        self._cloud = cloud
        self._faults = faults
        self._contents = contents
        self._pace = seconds
        self._asked: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def _seconds(self) -> float:
        return self._pace()

    async def deploy(self, request: Request) -> Response:
        owner = self._owner(request)
        label = label_of(owner)
        fault = self._faults.find("kudu", label)
        if fault is not None and fault.how in _REFUSALS:
            raise Refusal(_REFUSALS[fault.how]())
        if any(status(each) == BUILDING for each in deployments(self._cloud, owner["id"])):
            raise Refusal(PlainTextResponse(_BUSY, 409))
        made = self._begin(owner, request, await request.body(), fault)
        moment = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d_%H-%M-%SZ")
        latest = f"{base(request)}/scm/{label}/api/deployments/latest?deployer=Push-Deployer&time={moment}"
        return Response(status_code=202, headers={"Location": latest, "SCM-DEPLOYMENT-ID": made["name"]})

    def _begin(self, owner: Resource, request: Request, content: bytes, fault: Fault | None) -> Resource:
        message = request.query_params.get("message", "Created via a push deployment")
        seconds = self._seconds
        log: tuple[str, ...] = ("Updating submodules.", "Preparing deployment for commit id 'rehearsal'.")
        if fault is not None and fault.how == "stuck":
            return self._stuck(owner, content, fault, log, message)
        if fault is not None and fault.how == "failed":
            log = (*log, str(fault.details.get("message", "The rehearsal was told to fail this deployment.")))
            return record_deployment(self._cloud, owner["id"], None, seconds=seconds, log=log, message=message)
        try:
            package = self._contents.keep(content)
        except BadPackage:
            log = (*log, _NO_ZIP, "Deployment Failed.")
            return record_deployment(self._cloud, owner["id"], None, seconds=seconds, log=log, message=message)
        log = (*log, "Deployment successful.")
        return record_deployment(self._cloud, owner["id"], package, seconds=seconds, log=log, message=message)

    def _stuck(self, owner: Resource, content: bytes, fault: Fault, log: tuple[str, ...], message: str) -> Resource:
        """A deployment that does not end before the fault is lifted."""
        package, seconds = self._contents.keep(content), float("inf")
        made = record_deployment(self._cloud, owner["id"], package, seconds=seconds, log=log, message=message)

        async def end() -> None:
            while self._faults.holds(fault):
                await asyncio.sleep(_LOOK_SECONDS)
            self._cloud.put({**made, "_ready": time.time()})

        task = asyncio.get_running_loop().create_task(end())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return made

    async def list(self, request: Request) -> Response:
        owner = self._owner(request)
        return JSONResponse([self._shown(request, owner, each) for each in deployments(self._cloud, owner["id"])])

    async def one(self, request: Request) -> Response:
        owner = self._owner(request)
        found = self._find(owner, request.path_params["deployment"])
        over = status(found) != BUILDING
        return JSONResponse(self._shown(request, owner, found), 200 if over else 202)

    async def log(self, request: Request) -> Response:
        found = self._find(self._owner(request), request.path_params["deployment"])
        lines = [{"log_time": _time(found["_received"]), "message": each, "type": 0} for each in found["_log"]]
        return JSONResponse(lines)

    async def progress(self, request: Request) -> Response:
        """ARM learns of a deployment after Kudu: the first question about each gets a 404, as it may in Azure."""
        owner, name = self._arm_owner(request), request.path_params["deployment"]
        found = next((each for each in deployments(self._cloud, owner["id"]) if each["name"] == name), None)
        if found is None or name not in self._asked:
            self._asked.add(name)
            raise Refusal(capital(404, "NotFound", f"The operation {name} is not found.", "01025"))
        answer = JSONResponse(self._arm_shown(owner, found), 202 if status(found) == BUILDING else 200)
        if status(found) == BUILDING:
            answer.headers["Location"] = str(request.url)
        return answer

    async def list_arm(self, request: Request) -> Response:
        owner, found = self._arm_owner(request), []
        for each in deployments(self._cloud, owner["id"]):
            properties = {**each["properties"], "status": status(each), "received_time": _time(each["_received"])}
            found.append({"id": each["id"], "name": each["name"], "type": each["type"], "properties": properties})
        return JSONResponse({"value": found})

    def _owner(self, request: Request) -> Resource:
        owner = by_label(self._cloud, request.path_params["label"])
        if owner is None:
            raise Refusal(Response(status_code=404))
        if not is_authorised(request):
            raise Refusal(Response(status_code=401, headers={"WWW-Authenticate": 'Basic realm="site"'}))
        return owner

    def _arm_owner(self, request: Request) -> Resource:
        slot = request.path_params.get("slot")
        site = f"{group_of(request)}/providers/{SITES}/{request.path_params['site']}"
        return require(self._cloud, f"{site}/slots/{slot}" if slot else site)

    def _find(self, owner: Resource, name: str) -> Resource:
        known = deployments(self._cloud, owner["id"])
        found = known[:1] if name == "latest" else [each for each in known if each["name"] == name]
        if not found:
            raise Refusal(JSONResponse({"Message": f"Deployment '{name}' not found."}, 404))
        return found[0]

    def _shown(self, request: Request, owner: Resource, found: Resource) -> dict[str, Any]:
        label, now = label_of(owner), status(found)
        current = serving(self._cloud, owner["id"])
        url = f"{base(request)}/scm/{label}/api/deployments/{found['name']}"
        return {
            "id": found["name"],
            "status": now,
            "status_text": "" if now != BUILDING else "Building and Deploying",
            "author_email": "N/A",
            "progress": "" if now != BUILDING else "Running deployment command...",
            "received_time": _time(found["_received"]),
            "end_time": _time(found["_ready"]) if now != BUILDING else None,
            "complete": now != BUILDING,
            "active": current is not None and current["name"] == found["name"],
            "is_readonly": True,
            "url": url,
            "log_url": f"{url}/log",
            "site_name": label,
            **found["properties"],
        }

    def _arm_shown(self, owner: Resource, found: Resource) -> dict[str, Any]:
        now = status(found)
        errors = [{"extendedCode": "", "message": found["_log"][-1]}] if now == FAILED else None
        return {
            "id": f"{owner['id']}/deploymentStatus/{found['name']}",
            "name": found["name"],
            "type": f"{SITES}/deploymentStatus",
            "location": owner.get("location"),
            "properties": {
                "deploymentId": found["name"],
                "status": _ARM_STATUS[now],
                "numberOfInstancesInProgress": 0,
                "numberOfInstancesSuccessful": int(now == SUCCESS),
                "numberOfInstancesFailed": 0,
                "failedInstancesLogs": None,
                "errors": errors,
            },
        }


def _time(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat().replace("+00:00", "Z")


_REFUSALS: dict[str, Callable[[], Response]] = {
    "cold": lambda: Response(status_code=503),
    "500": lambda: Response(status_code=500),
    "503": lambda: Response(status_code=503),
    "conflict": lambda: PlainTextResponse(_BUSY, 409),
    "forbidden": lambda: PlainTextResponse("Ip Forbidden", 403),
}
