"""Template deployments: checked, run in the background resource by resource, and told about as Azure tells it.

Each resource of a template is written through the stand-in's own front door, as the real deployment engine does, so
whatever a provider refuses to a client it refuses to a deployment too.
"""

import asyncio
import copy
import datetime
import hashlib
import json
import re
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from workspace.rehearsal import arm_answers, arm_rules, behaviour
from workspace.rehearsal.arm_answers import Json, Refusal, paged, visible
from workspace.rehearsal.arm_operations import Operation, Operations
from workspace.rehearsal.arm_resources import GROUPS, Resources
from workspace.rehearsal.arm_whatif import Comparison
from workspace.rehearsal.cloud import Cloud, parse
from workspace.rehearsal.faults import Fault, Faults
from workspace.rehearsal.template_expressions import ExpressionError, TemplateError

DEPLOYMENTS = "Microsoft.Resources/deployments"

_RUNNING = ("Accepted", "Running")
_TRIES = 3
_LOOK_SECONDS = 0.05
_NAME = re.compile(r"^[-\w.()]{1,64}$")
_SAYS_FAILED = (
    "At least one resource deployment operation failed. Please list deployment operations for details. "
    "Please see https://aka.ms/arm-deployment-operations for usage details."
)
_SAYS_ENDED_BADLY = "The resource write operation failed to complete successfully, because it reached terminal "
_SPELLED = {kind.lower(): kind for kind in ("String", "SecureString", "Int", "Bool", "Object", "SecureObject", "Array")}
_NOT_FOR_A_PUT = ("apiVersion", "comments", "condition", "copy", "dependsOn", "existing", "metadata", "scope")

_CANCELED = {"code": "DeploymentCanceled", "message": "The deployment was canceled by a user."}

Send = Callable[[str, str, Json | None], Awaitable[tuple[int, Any, Mapping[str, str]]]]
EvaluatorMaker = Callable[..., Any]


@dataclass(frozen=True)
class Scope:
    """Where a deployment stands: a group, or the subscription where the group is empty."""

    subscription: str
    group: str = ""

    @property
    def id(self) -> str:
        """The id of the group or subscription."""
        return f"/subscriptions/{self.subscription}" + (f"/resourceGroups/{self.group}" if self.group else "")

    def deployment(self, name: str) -> str:
        """The id of a deployment here."""
        return f"{self.id}/providers/{DEPLOYMENTS}/{name}"


@dataclass
class _Run:
    """One deployment under way: what it was asked, the record that clients read, and what went wrong so far."""

    scope: Scope
    record: Json
    template: Json
    parameters: Json
    location: str
    fault: Fault | None = None
    outer: "_Run | None" = None
    made: list[str] = field(default_factory=list)
    failures: list[Json] = field(default_factory=list)
    unmade: set[str] = field(default_factory=set)
    is_kept: bool = False
    is_gone: bool = False

    @property
    def is_cancelled(self) -> bool:
        """True when it, or the deployment around it, was cancelled, or its group went away under it."""
        state = self.record["properties"]["provisioningState"]
        return bool(self.is_gone or state == "Canceled" or (self.outer and self.outer.is_cancelled))


class Deployments:
    """The deployments of one subscription; `send` writes a resource, `seconds` says how long one takes."""

    def __init__(
        self,
        cloud: Cloud,
        resources: Resources,
        operations: Operations,
        evaluator: EvaluatorMaker,
        send: Send,
        faults: Faults,
        seconds: Callable[[], float],
    ) -> None:
        self._cloud = cloud
        self._faults = faults
        self._resources = resources
        self._operations = operations
        self._evaluator = evaluator
        self._send = send
        self._pace = seconds
        self._runs: dict[str, _Run] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._end_what_was_left()

    @property
    def _seconds(self) -> float:
        return self._pace()

    # what clients ask

    def handle(
        self, request: Request, scope: Scope, rest: list[str], body: Json | None, fault: Fault | None
    ) -> Response:
        """One request below `…/deployments`: `rest` is the name and what follows it."""
        if scope.group:
            self._resources.group_of(scope.group)
        if not rest:
            return self._list(request, scope)
        name, action = rest[0], "/".join(rest[1:]).lower()
        if action in ("validate", "whatif"):
            return self._foretell(request, scope, name, action, body, fault)
        if action == "cancel":
            return self._cancel(scope, name)
        if action.startswith("operationstatuses/"):
            return self._status(scope, name)
        if action == "operations":
            return self.operations(request, scope, name)
        if action == "exporttemplate" and (template := self._found(scope, name).get("_template")):
            return JSONResponse({"template": template})
        if action:
            raise arm_answers.unknown_type(f"{DEPLOYMENTS}/{action}", request.query_params["api-version"])
        return self._one(request, scope, name, body, fault)

    def operations(self, request: Request, scope: Scope, name: str, which: str = "") -> Response:
        """What a deployment did, step by step; or one step by its number."""
        steps: list[Json] = self._found(scope, name).get("_operations", [])
        if not which:
            return paged(request, steps)
        for step in steps:
            if step["operationId"].lower() == which.lower():
                return JSONResponse(step)
        text = f"Deployment operation '{which}' of deployment '{name}' could not be found."
        raise Refusal(404, "DeploymentOperationNotFound", text)

    def _one(self, request: Request, scope: Scope, name: str, body: Json | None, fault: Fault | None) -> Response:
        if request.method == "PUT":
            return self._begin(request, scope, name, body, fault)
        if request.method == "HEAD":
            return Response(status_code=204 if self._cloud.get(scope.deployment(name)) else 404)
        found = self._found(scope, name)
        if request.method == "DELETE":
            self._refuse_while_running(found)
            self._cloud.delete(found["id"])
            operation = self._operations.begin(Operation(204, None, self._seconds))
            headers = self._operations.location(request, scope.subscription, operation)
            return Response(status_code=202, headers=headers)
        return JSONResponse(_told(found))

    def _list(self, request: Request, scope: Scope) -> Response:
        """Newest first, filtered by state; the first page of a filtered list is empty, as Azure's can be."""
        chosen = re.search(r"provisioningState\s+eq\s+'(\w+)'", request.query_params.get("$filter", ""), re.IGNORECASE)
        mine = (
            d
            for d in self._cloud.under(scope.id, DEPLOYMENTS)
            if d["id"].lower().startswith(scope.deployment("").lower())
        )
        found = [d for d in mine if not chosen or d["properties"]["provisioningState"].lower() == chosen[1].lower()]
        found.sort(key=lambda d: d["properties"]["timestamp"], reverse=True)
        return paged(request, [_told(each) for each in found])

    def _found(self, scope: Scope, name: str) -> Json:
        found = self._cloud.get(scope.deployment(name))
        if found is None:
            raise Refusal(404, "DeploymentNotFound", f"Deployment '{name}' could not be found.")
        return found

    def _status(self, scope: Scope, name: str) -> Response:
        properties = self._found(scope, name)["properties"]
        told = {"status": properties["provisioningState"]}
        return JSONResponse({**told, "error": properties["error"]} if "error" in properties else told)

    def _cancel(self, scope: Scope, name: str) -> Response:
        found, run = self._found(scope, name), self._runs.get(scope.deployment(name).lower())
        if found["properties"]["provisioningState"] not in _RUNNING or run is None:
            text = f"The deployment '{name}' cannot be cancelled because it is not active."
            raise Refusal(409, "DeploymentCannotBeCancelled", text)
        self._finish(run, "Canceled")
        return Response(status_code=204)

    def _refuse_while_running(self, found: Json) -> None:
        if found["properties"]["provisioningState"] in _RUNNING:
            text = f"Unable to edit or replace deployment '{found['name']}': previous deployment from "
            text += f"'{found['properties']['timestamp']}' is still active. Please see https://aka.ms/arm-deploy."
            raise Refusal(409, "DeploymentActive", text)

    def _foretell(
        self, request: Request, scope: Scope, name: str, action: str, body: Json | None, fault: Fault | None
    ) -> Response:
        run = self._asked(scope, name, body, None)
        planned = [each for each in self._evaluate(run).resources() if not each.existing]
        self._preflight(run, planned)
        if action == "validate":
            validated = [{"id": _true_id(p.id)} for p in planned]
            told = copy.deepcopy(run.record)
            told["properties"].update(provisioningState="Succeeded", validatedResources=validated)
            return JSONResponse(_told(told))
        comparison = Comparison(self._cloud, self._evaluator, self.lookup)
        changes = comparison.changes(run.template, run.parameters, scope.subscription, scope.group, run.location, name)
        if fault and fault.how == "unsupported":
            changes = [_unsupported(each) for each in changes]
        result = {"status": "Succeeded", "properties": {"correlationId": str(uuid.uuid4()), "changes": changes}}
        operation = self._operations.begin(Operation(200, result, self._seconds))
        headers = self._operations.location(request, scope.subscription, operation)
        return Response(status_code=202, headers=headers)

    # starting

    def _begin(self, request: Request, scope: Scope, name: str, body: Json | None, fault: Fault | None) -> Response:
        before = self._cloud.get(scope.deployment(name))
        if before:
            self._refuse_while_running(before)
        run = self._asked(scope, name, body, fault)
        if before and before.get("location", run.location).lower() != run.location.lower() and not scope.group:
            text = f"Invalid deployment location '{run.location}'. The deployment '{name}' already exists in location "
            raise Refusal(409, "InvalidDeploymentLocation", f"{text}'{before['location']}'.")
        self._preflight(run, [each for each in self._evaluate(run).resources() if not each.existing])
        self._keep(run)
        self._runs[run.record["id"].lower()] = run
        task = asyncio.get_running_loop().create_task(self._work(run))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return JSONResponse(_told(run.record), 200 if before else 201, headers=_async_header(request, run.record))

    def _preflight(self, run: _Run, planned: list[Any]) -> None:
        """Refuse at once, with nothing made, what can be seen to be refused later: types, names, places, tags."""
        details = []
        for each in planned:
            arm_rules.check_offer(
                self._cloud, run.scope.subscription, each.type, each.api_version, run.location, writing=False
            )
            if each.deployment:
                continue
            try:
                body, resource_id = each.body(), _true_id(each.id)
                arm_rules.check(self._cloud, resource_id, body, self._cloud.get(resource_id) or {})
            except Refusal as refusal:
                details.append({"code": refusal.code, "target": each.id, "message": refusal.message})
            except (TemplateError, ExpressionError):
                # it needs something that is made first, and is looked at when that is there
                continue
        if details:
            text = f"The template deployment '{run.record['name']}' is not valid according to the validation procedure."
            text += f" The tracking id is '{run.record['properties']['correlationId']}'. See inner errors for details."
            raise Refusal(400, "InvalidTemplateDeployment", text, details=details)

    def _asked(self, scope: Scope, name: str, body: Json | None, fault: Fault | None) -> _Run:
        properties = (body or {}).get("properties")
        if not isinstance(properties, dict) or not isinstance(properties.get("template"), dict):
            raise arm_answers.invalid_content("The deployment needs properties with a template")
        if not _NAME.match(name):
            raise Refusal(400, "InvalidDeploymentName", f"The deployment name '{name}' is not valid.")
        if str(properties.get("mode", "")).lower() != "incremental":
            raise Refusal(400, "InvalidDeploymentMode", "The rehearsal knows the deployment mode 'Incremental' only.")
        location = (body or {}).get("location", "")
        if scope.group:
            location = self._resources.writable_group(scope.group)["location"]
        elif not location:
            text = "The 'location' property must be specified for deployments at subscription scope."
            raise Refusal(400, "LocationRequired", text)
        template, parameters = properties["template"], properties.get("parameters") or {}
        return _Run(scope, _record(scope, name, location, template, parameters), template, parameters, location, fault)

    def _evaluate(self, run: _Run) -> Any:
        try:
            return self._evaluator(
                run.template,
                run.parameters,
                subscription=run.scope.subscription,
                group=run.scope.group,
                location=run.location,
                deployment=run.record["name"],
                lookup=self.lookup,
            )
        except (TemplateError, ExpressionError) as error:
            raise _refused(error) from error

    def lookup(self, resource_id: str) -> Json | None:
        """What a template's `reference()` and `list…()` see: a resource by its id, or what a `list…` action answers."""
        found = self._cloud.get(_true_id(resource_id))
        if found is not None:
            secret = {"_value": found["_value"]} if "_value" in found else {}
            return {**visible(found), **secret}
        owner, _, action = resource_id.rpartition("/")
        if action.lower().startswith("list") and (holder := self._cloud.get(owner)):
            return behaviour.secrets(holder, action)
        return None

    # running

    async def _work(self, run: _Run) -> None:
        """Run a deployment to its end; whatever surprises the engine ends the deployment too, never silently."""
        try:
            await self._run(run)
        except Exception as error:
            if not run.is_cancelled:
                self._fail(run, [_detail(500, {"error": {"code": "InternalServerError", "message": str(error)}})])

    async def _run(self, run: _Run) -> None:
        run.record["properties"]["provisioningState"] = "Running"
        self._keep(run)
        for provider in run.record["properties"]["providers"]:
            # a deployment registers what its template names, as Azure's does
            if not arm_rules.is_registered(self._cloud, run.scope.subscription, provider["namespace"]):
                arm_rules.register(self._cloud, run.scope.subscription, provider["namespace"], registered=True)
        while run.fault and run.fault.how == "never-ending" and self._faults.holds(run.fault):
            await asyncio.sleep(_LOOK_SECONDS)
        if run.is_cancelled or not self._is_running(run):
            return
        evaluator = self._evaluate(run)
        planned = [each for each in evaluator.resources() if not each.existing]
        for each in planned:
            await asyncio.sleep(self._seconds / max(1, len(planned)))
            if run.is_cancelled:
                return
            if any(need.lower() in run.unmade for need in each.depends_on):
                run.unmade.add(each.id.lower())
                continue
            await self._make(run, each)
            if run.fault and run.fault.how == "canceled":
                self._finish(run, "Canceled", _CANCELED)
                return
        if run.is_cancelled:
            # whoever cancelled it was told so; what was made last stays made
            return
        if run.fault and run.fault.how == "failed":
            run.failures.append(_detail(*_told_to_fail(run.fault)))
        if run.failures:
            self._fail(run, run.failures)
        else:
            self._succeed(run, evaluator)

    def _is_running(self, run: _Run) -> bool:
        """False once its record says that it ended, or is that of a later deployment, or is gone with its group."""
        kept = (self._cloud.get(run.record["id"]) or {}).get("properties") or {}
        same = kept.get("correlationId") == run.record["properties"]["correlationId"]
        return same and kept.get("provisioningState") == "Running"

    async def _make(self, run: _Run, planned: Any) -> None:
        """Write one resource, or run the deployment it is; a refusal becomes a failed operation."""
        step = _step(run.record, planned)
        run.record["_operations"].append(step)
        self._keep(run)
        try:
            nested = planned.deployment
            status, answer = await (self._nest(run, nested) if nested else self._write(planned))
        except (TemplateError, ExpressionError) as error:
            status, answer = 400, _refused(error).body
        if run.is_cancelled:
            return
        step["properties"].update(statusCode=arm_answers.phrase(status), timestamp=_now())
        if status >= 400:
            step["properties"].update(provisioningState="Failed", statusMessage=answer)
            run.failures.append(_detail(status, answer))
            run.unmade.add(planned.id.lower())
        else:
            step["properties"]["provisioningState"] = "Succeeded"
            run.made.extend(answer if nested else [_true_id(planned.id)])
        self._keep(run)

    async def _write(self, planned: Any) -> tuple[int, Any]:
        body = {k: v for k, v in planned.body().items() if k not in _NOT_FOR_A_PUT}
        path = f"{_true_id(planned.id)}?api-version={planned.api_version}"
        for attempt in range(1, _TRIES + 1):
            status, answer, headers = await self._send("PUT", path, body)
            # the engine is patient with a provider that is busy, though not for long
            if attempt == _TRIES or (status != 429 and status < 500):
                break
            await asyncio.sleep(self._seconds)
        if status >= 400:
            return status, answer
        progress = headers.get("azure-asyncoperation") or (status == 202 and headers.get("location"))
        if progress:
            return await self._awaited(str(progress), status)
        return await self._settled(path, status, answer)

    async def _settled(self, path: str, status: int, answer: Any) -> tuple[int, Any]:
        """Ask a resource itself until it says that it is done."""
        while True:
            state = str(((answer or {}).get("properties") or {}).get("provisioningState") or "Succeeded")
            if state.lower() in ("failed", "canceled"):
                text = f"{_SAYS_ENDED_BADLY}provisioning state '{state}'."
                return 409, {"status": "Failed", "error": _wrapped("ResourceDeploymentFailure", text, {})}
            if state.lower() == "succeeded":
                return status, answer
            await asyncio.sleep(max(self._seconds, 0.01))
            code, answer, _ = await self._send("GET", path, None)
            if code >= 400:
                return code, answer

    async def _awaited(self, address: str, status: int) -> tuple[int, Any]:
        """Ask a provider's long-running write until it is over."""
        path = "/" + address.split("://", 1)[-1].split("/", 1)[-1]
        while True:
            code, answer, _ = await self._send("GET", path, None)
            state = str((answer or {}).get("status", "")).lower() if isinstance(answer, dict) else ""
            if state in ("failed", "canceled"):
                text = f"{_SAYS_ENDED_BADLY}provisioning state '{state.title()}'."
                inner = (answer or {}).get("error") or {}
                return 409, {"status": "Failed", "error": _wrapped("ResourceDeploymentFailure", text, inner)}
            if code >= 400:
                return code, answer
            if code == 200 and state not in ("inprogress", "running", "accepted"):
                return (status if status != 202 else 200), answer
            await asyncio.sleep(max(self._seconds, 0.01))

    async def _nest(self, outer: _Run, nested: Any) -> tuple[int, Any]:
        """Run a deployment inside a deployment, perhaps in another group; its failure comes wrapped."""
        scope = Scope(outer.scope.subscription, nested.group)
        location = nested.location or outer.location
        if scope.group:
            try:
                location = self._resources.writable_group(scope.group)["location"]
            except Refusal as refusal:
                return refusal.status, refusal.body
        template, parameters = nested.template, nested.parameters
        record = _record(scope, nested.name, location, template, parameters)
        # by now values of the outer deployment stand in it, secure ones too
        del record["_template"]
        run = _Run(scope, record, template, parameters, location, outer=outer)
        try:
            if before := self._cloud.get(scope.deployment(nested.name)):
                self._refuse_while_running(before)
            await self._run(run)
        except Refusal as refusal:
            return refusal.status, refusal.body
        properties = run.record["properties"]
        if run.is_cancelled and properties["provisioningState"] in _RUNNING:
            self._finish(run, "Canceled")
        if properties["provisioningState"] == "Succeeded":
            return 200, [*run.made]
        text = "The resource operation completed with terminal provisioning state 'Failed'."
        return 409, {"status": "Failed", "error": _wrapped("ResourceDeploymentFailure", text, properties["error"])}

    # ending

    def _succeed(self, run: _Run, evaluator: Any) -> None:
        try:
            outputs = evaluator.outputs()
        except (TemplateError, ExpressionError) as error:
            code = "DeploymentOutputEvaluationFailed"
            text = f"Unable to evaluate template outputs: {error}. Please see error details and deployment operations."
            self._finish(run, "Failed", {"code": code, "message": text})
            return
        run.record["properties"]["outputs"] = outputs
        run.record["properties"]["outputResources"] = [{"id": each} for each in dict.fromkeys(run.made)]
        self._finish(run, "Succeeded")

    def _fail(self, run: _Run, details: list[Json]) -> None:
        self._finish(run, "Failed", {"code": "DeploymentFailed", "message": _SAYS_FAILED, "details": details})

    def _finish(self, run: _Run, state: str, error: Json | None = None) -> None:
        properties = run.record["properties"]
        properties.update(provisioningState=state, timestamp=_now(), duration="PT1S")
        if error:
            properties["error"] = error
        self._keep(run)
        self._runs.pop(run.record["id"].lower(), None)

    def _keep(self, run: _Run) -> None:
        """Keep how far a run is; one whose record was deleted with its group does not bring it back."""
        if run.is_kept and self._cloud.get(run.record["id"]) is None:
            run.is_gone = True
            return
        run.is_kept = True
        self._cloud.put(run.record)

    def _end_what_was_left(self) -> None:
        """A deployment that ran when the rehearsal was stopped will not go on: say so, so that nobody waits for it."""
        for each in self._cloud.all(DEPLOYMENTS):
            if each["properties"].get("provisioningState") in _RUNNING:
                text = "The rehearsal was stopped while this deployment ran."
                error = {"code": "InternalServerError", "message": text}
                each["properties"].update(provisioningState="Failed", error=error, timestamp=_now())
                self._cloud.put(each)


def _unsupported(change: Json) -> Json:
    """What becomes of a change where the provider cannot foretell: Azure names the resource and why it cannot tell."""
    text = "The provider does not support what-if for this resource."
    return {"resourceId": change["resourceId"], "changeType": "Unsupported", "unsupportedReason": text}


def _record(scope: Scope, name: str, location: str, template: Json, parameters: Json) -> Json:
    """The deployment as clients will read it; secure parameters leave their type and nothing else."""
    canonical = json.dumps(template, sort_keys=True).encode()
    record: Json = {
        "id": scope.deployment(name),
        "name": name,
        "type": DEPLOYMENTS,
        "properties": {
            "templateHash": str(int(hashlib.sha256(canonical).hexdigest()[:16], 16)),
            "parameters": dict(_shown_parameters(template, parameters)),
            "mode": "Incremental",
            "provisioningState": "Accepted",
            "timestamp": _now(),
            "duration": "PT0S",
            "correlationId": str(uuid.uuid4()),
            "providers": _providers(template),
            "dependencies": [],
        },
        "_operations": [],
        "_template": template,
    }
    return record if scope.group else {**record, "location": location}


def _shown_parameters(template: Json, parameters: Json) -> Iterator[tuple[str, Json]]:
    given = {name.lower(): value for name, value in parameters.items()}
    for name, definition in (template.get("parameters") or {}).items():
        kind = str(definition.get("type", "object"))
        shown = {"type": _SPELLED.get(kind.lower(), kind)}
        value = given.get(name.lower(), {"value": definition["defaultValue"]} if _is_plain_default(definition) else {})
        if "secure" not in kind.lower() and isinstance(value, dict) and "value" in value:
            shown["value"] = value["value"]
        yield name, shown


def _is_plain_default(definition: Json) -> bool:
    """True for a default that is what it says; what an expression comes to is not told here."""
    default = definition.get("defaultValue")
    return "defaultValue" in definition and not (isinstance(default, str) and default.startswith("["))


def _providers(template: Json) -> list[Json]:
    resources = template.get("resources") or []
    kinds = [str(r.get("type", "")) for r in (resources.values() if isinstance(resources, dict) else resources)]
    spaces = dict.fromkeys(kind.split("/")[0] for kind in kinds if "/" in kind)
    return [
        {
            "namespace": space,
            "resourceTypes": [
                {"resourceType": k.partition("/")[2]} for k in dict.fromkeys(kinds) if k.startswith(f"{space}/")
            ],
        }
        for space in spaces
    ]


def _step(record: Json, planned: Any) -> Json:
    number = uuid.uuid4().hex[:16].upper()
    target = {"id": _true_id(planned.id), "resourceType": planned.type, "resourceName": planned.name}
    return {
        "id": f"{record['id']}/operations/{number}",
        "operationId": number,
        "properties": {
            "provisioningOperation": "Create",
            "provisioningState": "Running",
            "timestamp": _now(),
            "duration": "PT0.1S",
            "trackingId": str(uuid.uuid4()),
            "targetResource": target,
        },
    }


def _detail(status: int, answer: Any) -> Json:
    """One failed operation in the deployment's error: its status as the code, its body hidden in the message."""
    return {"code": arm_answers.phrase(status), "message": arm_answers.nested_text(answer)}


def _told_to_fail(fault: Fault) -> tuple[int, Json]:
    code = fault.details.get("code", "Conflict")
    message = fault.details.get("message", "The rehearsal was told to fail.")
    return int(fault.details.get("status", 409)), {"error": {"code": code, "message": message}}


def _wrapped(code: str, text: str, inner: Json) -> Json:
    return {"code": code, "message": text, "details": [inner] if inner else []}


def _refused(error: Exception) -> Refusal:
    if isinstance(error, TemplateError):
        return Refusal(400, error.code, error.message)
    text = f"Deployment template validation failed: 'Unable to process template language expressions: {error}'."
    return Refusal(400, "InvalidTemplate", text)


def _true_id(resource_id: str) -> str:
    """A group's id is its own, whatever a template's `resourceId()` makes of it."""
    try:
        place = parse(resource_id)
    except ValueError:
        return resource_id
    if place.type.lower() == GROUPS.lower() and "/providers/" in resource_id:
        return f"/subscriptions/{place.subscription}/resourceGroups/{place.name}"
    return resource_id


def _told(record: Json) -> Json:
    """The deployment for a client: output names in the case Azure gives them."""
    told = visible(record)
    outputs = told["properties"].get("outputs")
    if outputs:
        told["properties"]["outputs"] = {camel(name): value for name, value in outputs.items()}
    return told


def camel(name: str) -> str:
    """`STORAGE_NAME` becomes `storagE_NAME`: capitals fall until the one before something that is none."""
    letters = list(name)
    for place, letter in enumerate(letters):
        following = letters[place + 1] if place + 1 < len(letters) else "A"
        if not letter.isupper() or (place > 0 and not following.isupper()):
            break
        letters[place] = letter.lower()
    return "".join(letters)


def _async_header(request: Request, record: Json) -> dict[str, str]:
    base, version = str(request.base_url).rstrip("/"), request.query_params["api-version"]
    number = uuid.uuid4().int % 10**20
    return {"Azure-AsyncOperation": f"{base}{record['id']}/operationStatuses/{number:020d}?api-version={version}"}


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
