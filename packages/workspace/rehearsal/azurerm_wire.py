"""Terraform's plugin protocol, version 6, as far as a rehearsed provider needs it: schemas, values, a server.

A provider here is a plain object (see `Provider`); `Served` puts it behind gRPC on loopback and says how Terraform
reattaches to it. Errors are raised as `ProviderError` and become Terraform diagnostics.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any, Protocol

import grpc
import msgpack
from tf.gen import grpc_controller_pb2 as controller_pb
from tf.gen import grpc_controller_pb2_grpc as controller_rpc
from tf.gen import grpc_stdio_pb2_grpc as stdio_rpc
from tf.gen import tfplugin_pb2 as pb
from tf.gen import tfplugin_pb2_grpc as rpc

from workspace.rehearsal.written import TERRAFORM, Written

Values = dict[str, Any]

_NESTING = {"single": 1, "list": 2, "set": 3, "map": 4}
_WRITE_ONLY = b"\x58\x01"  # field 11 of a schema attribute, younger than the stubs: unknown fields travel along
_ADDRESS = "127.0.0.1"


class _Unknown:
    """The value Terraform calls `(known after apply)`."""

    def __repr__(self) -> str:
        return "(known after apply)"

    def __deepcopy__(self, _: dict[int, Any]) -> "_Unknown":
        return self


UNKNOWN = _Unknown()


class ProviderError(Exception):
    """What a provider answers instead of a value: a summary, a detail and the attribute it is about."""

    def __init__(self, summary: str, detail: str = "", attribute: str = "") -> None:
        super().__init__(summary)
        self.summary, self.detail, self.attribute = summary, detail, attribute


class ProviderCrash(Exception):
    """The provider dies in the middle of a request."""


@dataclass(frozen=True)
class Attribute:
    """One attribute of a block; `type` is Terraform's own notation, as `["set", "string"]`."""

    type: Any
    required: bool = False
    optional: bool = False
    computed: bool = False
    sensitive: bool = False
    write_only: bool = False


@dataclass(frozen=True)
class Nested:
    """A block inside a block; nesting is single, list or set."""

    nesting: str
    minimum: int
    maximum: int
    block: "Block"


@dataclass(frozen=True)
class Block:
    """A schema block: its attributes and the blocks inside it."""

    attributes: Mapping[str, Attribute]
    blocks: Mapping[str, Nested] = field(default_factory=dict)
    version: int = 0


@dataclass(frozen=True)
class Schemas:
    """Everything one provider declares."""

    provider: Block
    resources: Mapping[str, Block]
    data: Mapping[str, Block]


def block(compact: Mapping[str, Any]) -> Block:
    """Read the compact form: attributes as `[type, flags]`, blocks as `[nesting, minimum, maximum, block]`.

    The flags are r(equired), o(ptional), c(omputed), ! (sensitive) and w(rite only).
    """
    attributes = {
        name: Attribute(kind, "r" in flags, "o" in flags, "c" in flags, "!" in flags, "w" in flags)
        for name, (kind, flags) in compact["attributes"].items()
    }
    blocks = {
        name: Nested(nesting, minimum, maximum, block(inner))
        for name, (nesting, minimum, maximum, inner) in compact.get("blocks", {}).items()
    }
    return Block(attributes, blocks, compact.get("version", 0))


def elements(nested: Nested, value: Any) -> list[Values]:
    """The blocks under one name, whatever their nesting; none while they are not known."""
    if value is None or value is UNKNOWN:
        return []
    return [value] if nested.nesting == "single" else [each for each in value if isinstance(each, dict)]


def conform(schema: Block, value: Mapping[str, Any] | None) -> Values:
    """The value with exactly the names the schema has: absent ones empty, foreign ones gone."""
    value = value or {}
    made: Values = {name: conform_type(each.type, value.get(name)) for name, each in schema.attributes.items()}
    for name, nested in schema.blocks.items():
        here = value.get(name)
        if here is UNKNOWN:
            made[name] = here
        elif nested.nesting == "single":
            made[name] = conform(nested.block, here) if here is not None else None
        else:
            made[name] = [conform(nested.block, each) for each in elements(nested, here)]
    return made


def conform_type(kind: Any, value: Any) -> Any:
    """The value in the shape of its Terraform type, as far as objects are concerned; scalars as they are."""
    if value is None or value is UNKNOWN or isinstance(kind, str):
        return value
    if kind[0] == "object":
        return {name: conform_type(inner, value.get(name)) for name, inner in kind[1].items()}
    if kind[0] == "map":
        return {name: conform_type(kind[1], each) for name, each in value.items()}
    return [conform_type(kind[1], each) for each in value]


def decode(dynamic: Any) -> Any:
    """A value as it came over the wire."""
    if dynamic.msgpack:
        return msgpack.unpackb(dynamic.msgpack, ext_hook=lambda _code, _data: UNKNOWN, strict_map_key=False)
    return json.loads(dynamic.json) if dynamic.json else None


def encode(value: Any) -> Any:
    """A value as it goes over the wire."""
    return pb.DynamicValue(msgpack=msgpack.packb(value, default=lambda _: msgpack.ExtType(0, b"\0")))


class Provider(Protocol):
    """What a rehearsed provider does; `peer` names the Terraform process that asks."""

    @property
    def name(self) -> str:
        """Its source address, as in `required_providers`."""

    @property
    def schemas(self) -> Schemas:
        """Everything it declares."""

    def configure(self, peer: str, config: Values) -> None:
        """Remember how this Terraform process configured the provider."""

    def validate(self, kind: str, config: Values) -> None:
        """Refuse what the real provider refuses before it asks Azure anything."""

    def read(self, peer: str, kind: str, state: Values) -> Values | None:
        """The resource as it is now; None when it is gone."""

    def plan(
        self, peer: str, kind: str, prior: Values | None, proposed: Values, config: Values
    ) -> tuple[Values, list[list[str | int]]]:
        """The planned state and the paths that force a replacement."""

    def apply(
        self, peer: str, kind: str, prior: Values | None, planned: Values | None, config: Values
    ) -> Values | None:
        """Create, update or delete; returns the new state."""

    def import_(self, peer: str, kind: str, resource_id: str) -> Values:
        """The state of what exists already under the id."""

    def look_up(self, peer: str, kind: str, config: Values) -> Values:
        """A data source's answer."""


def _schema_attribute(name: str, attribute: Attribute) -> Any:
    made = pb.Schema.Attribute(
        name=name,
        type=json.dumps(attribute.type).encode(),
        required=attribute.required,
        optional=attribute.optional,
        computed=attribute.computed,
        sensitive=attribute.sensitive,
    )
    if attribute.write_only:
        made.MergeFromString(_WRITE_ONLY)
    return made


def _schema_block(schema: Block) -> Any:
    return pb.Schema.Block(
        attributes=[_schema_attribute(name, each) for name, each in sorted(schema.attributes.items())],
        block_types=[
            pb.Schema.NestedBlock(
                type_name=name,
                block=_schema_block(each.block),
                nesting=_NESTING[each.nesting],
                min_items=each.minimum,
                max_items=each.maximum,
            )
            for name, each in sorted(schema.blocks.items())
        ],
    )


def _schema(schema: Block) -> Any:
    return pb.Schema(version=schema.version, block=_schema_block(schema))


def _path(steps: list[str | int]) -> Any:
    made = pb.AttributePath()
    for step in steps:
        if isinstance(step, int):
            made.steps.append(pb.AttributePath.Step(element_key_int=step))
        else:
            made.steps.append(pb.AttributePath.Step(attribute_name=step))
    return made


class _Servicer(rpc.ProviderServicer):  # type: ignore[misc]
    """The protocol's side of a provider."""

    def __init__(self, provider: Provider, written: Written | None = None) -> None:
        self._provider = provider
        self._written = written
        schemas = provider.schemas
        own = _schema(schemas.provider)
        own.block.description = f"the rehearsal's stand-in for {provider.name}"
        self._capabilities = pb.ServerCapabilities(plan_destroy=True, get_provider_schema_optional=True)
        self._schemas = pb.GetProviderSchema.Response(
            provider=own,
            resource_schemas={name: _schema(each) for name, each in schemas.resources.items()},
            data_source_schemas={name: _schema(each) for name, each in schemas.data.items()},
            server_capabilities=self._capabilities,
        )

    def GetMetadata(self, request: Any, context: Any) -> Any:
        made = pb.GetMetadata.Response(server_capabilities=self._capabilities)
        for name in self._provider.schemas.resources:
            made.resources.append(pb.GetMetadata.ResourceMetadata(type_name=name))
        for name in self._provider.schemas.data:
            made.data_sources.append(pb.GetMetadata.DataSourceMetadata(type_name=name))
        return made

    def GetProviderSchema(self, request: Any, context: Any) -> Any:
        return self._schemas

    def ValidateProviderConfig(self, request: Any, context: Any) -> Any:
        return pb.ValidateProviderConfig.Response()

    def ValidateResourceConfig(self, request: Any, context: Any) -> Any:
        response = pb.ValidateResourceConfig.Response()
        with _answering(response):
            self._provider.validate(request.type_name, decode(request.config))
        return response

    def ValidateDataResourceConfig(self, request: Any, context: Any) -> Any:
        return pb.ValidateDataResourceConfig.Response()

    def ConfigureProvider(self, request: Any, context: Any) -> Any:
        response = pb.ConfigureProvider.Response()
        with _answering(response):
            self._provider.configure(context.peer(), decode(request.config))
        return response

    def UpgradeResourceState(self, request: Any, context: Any) -> Any:
        state = json.loads(request.raw_state.json) if request.raw_state.json else None
        schema = self._provider.schemas.resources[request.type_name]
        return pb.UpgradeResourceState.Response(upgraded_state=encode(conform(schema, state)))

    def ReadResource(self, request: Any, context: Any) -> Any:
        response = pb.ReadResource.Response(private=request.private)
        with _answering(response):
            state = self._provider.read(context.peer(), request.type_name, decode(request.current_state))
            response.new_state.CopyFrom(encode(state))
        return response

    def PlanResourceChange(self, request: Any, context: Any) -> Any:
        response = pb.PlanResourceChange.Response(legacy_type_system=True, planned_private=request.prior_private)
        prior, proposed = decode(request.prior_state), decode(request.proposed_new_state)
        if proposed is None:
            response.planned_state.CopyFrom(encode(None))
            return response
        with _answering(response):
            planned, replacing = self._provider.plan(
                context.peer(), request.type_name, prior, proposed, decode(request.config)
            )
            response.planned_state.CopyFrom(encode(planned))
            response.requires_replace.extend(_path(steps) for steps in replacing)
        return response

    def ApplyResourceChange(self, request: Any, context: Any) -> Any:
        response = pb.ApplyResourceChange.Response(legacy_type_system=True, private=request.planned_private)
        prior, planned = decode(request.prior_state), decode(request.planned_state)
        if self._written:
            self._written.tell(TERRAFORM, "APPLY", request.type_name)
        with _answering(response) as answered:
            try:
                state = self._provider.apply(context.peer(), request.type_name, prior, planned, decode(request.config))
            except ProviderCrash:
                # What Terraform sees of a process that is gone; this one serves others, too, and lives on.
                context.abort(grpc.StatusCode.UNAVAILABLE, "error reading from server: EOF")
            response.new_state.CopyFrom(encode(state))
        if answered.failed:
            response.new_state.CopyFrom(encode(prior))
        return response

    def ImportResourceState(self, request: Any, context: Any) -> Any:
        response = pb.ImportResourceState.Response()
        with _answering(response):
            state = self._provider.import_(context.peer(), request.type_name, request.id)
            imported = pb.ImportResourceState.ImportedResource(type_name=request.type_name, state=encode(state))
            response.imported_resources.append(imported)
        return response

    def MoveResourceState(self, request: Any, context: Any) -> Any:
        response = pb.MoveResourceState.Response()
        response.diagnostics.append(pb.Diagnostic(severity=1, summary="moving between types is not rehearsed"))
        return response

    def ReadDataSource(self, request: Any, context: Any) -> Any:
        response = pb.ReadDataSource.Response()
        with _answering(response):
            answer = self._provider.look_up(context.peer(), request.type_name, decode(request.config))
            response.state.CopyFrom(encode(answer))
        return response

    def GetFunctions(self, request: Any, context: Any) -> Any:
        return pb.GetFunctions.Response()

    def StopProvider(self, request: Any, context: Any) -> Any:
        return pb.StopProvider.Response()


class _answering:
    """Turns what a provider raises into diagnostics of the response."""

    def __init__(self, response: Any) -> None:
        self._response = response
        self.failed = False

    def __enter__(self) -> "_answering":
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        if error is None:
            return False
        if isinstance(error, ProviderCrash) or not isinstance(error, Exception):
            return False
        self.failed = True
        known = (
            error if isinstance(error, ProviderError) else ProviderError(f"the rehearsed provider failed: {error!r}")
        )
        diagnostic = pb.Diagnostic(severity=1, summary=known.summary, detail=known.detail)
        if known.attribute:
            diagnostic.attribute.CopyFrom(_path([known.attribute]))
        self._response.diagnostics.append(diagnostic)
        return True


class _Controller(controller_rpc.GRPCControllerServicer):  # type: ignore[misc]
    """Terraform may ask a provider to shut down; this one serves several processes and stays."""

    def Shutdown(self, request: Any, context: Any) -> Any:
        return controller_pb.Empty()


class _Stdio(stdio_rpc.GRPCStdioServicer):  # type: ignore[misc]
    """Terraform listens for the provider's own output; there is none."""

    def StreamStdio(self, request: Any, context: Any) -> Iterator[Any]:
        return iter(())


class Decoy:
    """A process that does nothing but live as long as this one.

    Terraform wants to know the process of a provider it reattaches to, watches it, and kills it when the provider's
    port does not answer. That must never hit the process everything else of the rehearsal runs in.
    """

    def __init__(self) -> None:
        command = [sys.executable, "-I", "-S", "-c", "import sys; sys.stdin.read()"]
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet)

    @property
    def pid(self) -> int:
        """What Terraform is told."""
        return self._process.pid

    def close(self) -> None:
        """End it; a second call does nothing."""
        self._process.communicate()


class Served:
    """A provider behind gRPC on a free loopback port, until it is closed."""

    def __init__(self, provider: Provider, workers: int = 16, written: Written | None = None) -> None:
        self._pool = futures.ThreadPoolExecutor(max_workers=workers, thread_name_prefix="terraform-provider")
        self._server = grpc.server(self._pool)
        rpc.add_ProviderServicer_to_server(_Servicer(provider, written), self._server)
        controller_rpc.add_GRPCControllerServicer_to_server(_Controller(), self._server)
        stdio_rpc.add_GRPCStdioServicer_to_server(_Stdio(), self._server)
        self._port = self._server.add_insecure_port(f"{_ADDRESS}:0")
        self._server.start()
        self._closing = threading.Lock()

    def reattach(self, pid: int) -> Values:
        """How Terraform finds the running provider: one entry of `TF_REATTACH_PROVIDERS`."""
        address = {"Network": "tcp", "String": f"{_ADDRESS}:{self._port}"}
        return {"Protocol": "grpc", "ProtocolVersion": 6, "Pid": pid, "Test": True, "Addr": address}

    def close(self) -> None:
        """Stop serving; a second call does nothing."""
        with self._closing:
            self._server.stop(grace=None).wait(5)
            self._pool.shutdown(wait=False, cancel_futures=True)
