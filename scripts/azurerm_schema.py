"""Make the small schema file that the rehearsal's azurerm plugin serves.

Two sources, the exact one first: the output of `terraform providers schema -json` (or an extract of it with the same
shape), and the Python wheel of the CDKTN bindings, whose source maps carry the TypeScript that was generated from the
provider's schema. The wheel knows names, types, nesting and what is required, optional or computed, but not what is
sensitive; so it only fills in types that the exact source does not hold.

    python scripts/azurerm_schema.py --exact schema.json [--wheel cdktn_provider_azurerm-….whl]
    python scripts/azurerm_schema.py --check [--wheel …]

Without `--wheel` the wheel is fetched with `pip download`; its version and digest are fixed. `--check`, which is what
`make schema` runs, needs the wheel alone: it reads every type of the file back from it and ends with 1 unless what was
made from the wheel is the same to the letter, and the rest differs in nothing but what is known to differ.
"""

import argparse
import base64
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parent.parent / "packages/workspace/rehearsal/generated/azurerm-schema.json"
PACKAGE = "cdktn-provider-azurerm"
VERSION = "18.9.0"
SHA256 = "83dc7e7d1e8e0dcc62d0ceeb8aff741bf70f5132548d9b47169f619425a6b4e1"
WANTED_RESOURCES = {
    "azurerm_dns_ns_record",
    "azurerm_nat_gateway_public_ip_association",
    "azurerm_network_security_rule",
    "azurerm_portal_dashboard",
    "azurerm_postgresql_flexible_server_active_directory_administrator",
    "azurerm_private_dns_a_record",
    "azurerm_private_dns_cname_record",
    "azurerm_servicebus_subscription",
    "azurerm_servicebus_topic",
    "azurerm_subnet_nat_gateway_association",
    "azurerm_virtual_network_peering",
}
WANTED_DATA = {
    "azurerm_private_dns_zone",
    "azurerm_public_ip",
    "azurerm_role_definition",
    "azurerm_servicebus_namespace",
    "azurerm_storage_account",
    "azurerm_application_insights",
    "azurerm_monitor_action_group",
    "azurerm_nat_gateway",
    "azurerm_network_security_group",
    "azurerm_managed_redis",
    "azurerm_key_vault_secret",
}
KNOWN = {
    "data.azurerm_kubernetes_cluster oms_agent",
    "azurerm_container_registry encryption",
    "azurerm_kubernetes_cluster oms_agent.retina_flow_logs_enabled",
    "azurerm_managed_redis default_database.module",
    "azurerm_postgresql_flexible_server storage_iops",
    "azurerm_postgresql_flexible_server storage_throughput",
    "azurerm_postgresql_flexible_server storage_type",
    "azurerm_storage_account account_replication_type_migrating_to",
    "azurerm_storage_account account_replication_type_migration_in_progress",
    "azurerm_storage_account blob_properties.cors_rule",
    "azurerm_storage_account public_network_access",
    "azurerm_storage_account public_network_access_enabled",
    "azurerm_storage_account share_properties.cors_rule",
    "azurerm_virtual_network ip_address_pool",
}
"""Where azurerm 5.10, whose bindings the wheel holds, differs from 5.2, which printed the file: attributes that came
since, and limits on the number of blocks, which the bindings do not keep."""
SENSITIVE = re.compile(r"(password|secret|access_key|connection_string|shared_key|instrumentation_key|_raw)$|^value$")
FLAGS = {"r": "required", "o": "optional", "c": "computed", "!": "sensitive", "w": "write_only"}

Block = dict[str, Any]


def compact(block: Mapping[str, Any], version: int = 0) -> Block:
    """One schema block with attributes as `[type, flags]` and blocks as `[nesting, min, max, block]`."""
    made: Block = {"version": version} if version else {}
    made["attributes"] = {
        name: [each["type"], "".join(letter for letter, word in FLAGS.items() if each.get(word))]
        for name, each in sorted(block.get("attributes", {}).items())
    }
    nested = {
        name: [each["nesting_mode"], each.get("min_items", 0), each.get("max_items", 0), compact(each["block"])]
        for name, each in sorted(block.get("block_types", {}).items())
    }
    return made | ({"blocks": nested} if nested else {})


def exact(file: Path) -> tuple[str, Block, dict[str, Block], dict[str, Block]]:
    """The provider's name, its own block, its resources and its data sources, from the engine's own output."""
    read = json.loads(file.read_text())
    parts = [
        {name: compact(each["block"], each.get("version", 0)) for name, each in read[kind].items()}
        for kind in ("resource_schemas", "data_source_schemas")
    ]
    return read["provider"], compact(read["provider_block"]["block"]), parts[0], parts[1]


def fetch(directory: Path) -> Path:
    """The wheel, downloaded into the directory."""
    wanted = f"{PACKAGE}=={VERSION}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(directory), wanted]
    subprocess.run(command, check=True)
    return next(directory.glob("*.whl"))


def check_digest(wheel: Path) -> None:
    """End unless this is the very wheel that the file was made from."""
    with wheel.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != SHA256:
        raise SystemExit(f"{wheel.name} has the digest {found}, not {SHA256} of {PACKAGE} {VERSION}")


def sources(wheel: Path, resources: Set[str], data: Set[str]) -> Iterator[str]:
    """The TypeScript of these resources and data sources, out of the source maps in the wheel."""
    wanted = {_folder(name) for name in resources} | {_folder(f"data_{name}") for name in data}
    with zipfile.ZipFile(wheel) as archive:
        inner = next(name for name in archive.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(archive.read(inner))) as package:
            for member in package:
                if member.name.endswith("/index.js") and _plain(member.name.split("/")[2]) in wanted:
                    yield _typescript(package, member)


def _folder(name: str) -> str:
    """The folder of a type in the wheel, as far as letters and digits go: resources are without the prefix."""
    return _plain(name.removeprefix("azurerm_"))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _typescript(package: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    script = package.extractfile(member)
    marker = "sourceMappingURL=data:application/json;base64,"
    code = script.read().decode() if script else ""
    if marker not in code:
        return ""
    source_map = json.loads(base64.b64decode(code.rsplit(marker, 1)[1]))
    return str(source_map["sourcesContent"][0])


_CLASS = re.compile(r"^export class (\w+) extends cdktn\.(\w+) \{", re.MULTILINE)
_ATTRIBUTE = re.compile(
    r"^  // (\w+) - computed: (true|false), optional: (true|false), required: (true|false)\n"
    r"(.*?)(?=^  // \w+ - computed:|^  // =====|\Z)",
    re.MULTILINE | re.DOTALL,
)
_PRIMITIVES = {"String": "string", "Number": "number", "Boolean": "bool"}


class Bindings:
    """The schema of one resource or data source, read back from its generated TypeScript."""

    def __init__(self, source: str) -> None:
        heads = list(_CLASS.finditer(source))
        ends = [head.start() for head in heads[1:]] + [len(source)]
        self._classes = {head[1]: (head[2], source[head.end() : end]) for head, end in zip(heads, ends, strict=True)}

    def read(self) -> tuple[bool, str, Block] | None:
        """Whether it is a data source, its Terraform name and its block; None when the file holds neither."""
        for name, (base, body) in self._classes.items():
            if base in ("TerraformResource", "TerraformDataSource"):
                found = re.search(r'tfResourceType = "(\w+)"', body)
                if found:
                    return base == "TerraformDataSource", found[1], self._block(name)
        return None

    def _block(self, name: str) -> Block:
        attributes: dict[str, Any] = {}
        blocks: dict[str, Any] = {}
        for match in _ATTRIBUTE.findall(self._classes[name][1]):
            attribute, computed, optional, required, body = match
            flags = "".join(
                letter for letter, on in (("r", required), ("o", optional), ("c", computed)) if on == "true"
            )
            inner = re.search(rf"new (\w+)\(this, ['\"]{attribute}['\"](?:, (true|false))?\)", body)
            if inner and inner[1] in self._classes:
                self._nested(attribute, flags, inner[1], inner[2] == "true", attributes, blocks)
            else:
                secret = "!" if "c" in flags and SENSITIVE.search(attribute) else ""
                attributes[attribute] = [_type(body), flags + secret]
        return {"attributes": dict(sorted(attributes.items()))} | (
            {"blocks": dict(sorted(blocks.items()))} if blocks else {}
        )

    def _nested(
        self, name: str, flags: str, made_by: str, is_set: bool, attributes: dict[str, Any], blocks: dict[str, Any]
    ) -> None:
        many = made_by.endswith("List")
        block = self._block(made_by[:-4] + "OutputReference" if many else made_by)
        nesting = "set" if is_set else "list"
        if name == "timeouts":
            blocks[name] = ["single", 0, 0, block]
        elif "c" in flags:
            attributes[name] = [[nesting, _object(block)], flags]
        else:
            blocks[name] = [nesting, int("r" in flags), 0 if many else 1, block]


def _object(block: Block) -> list[Any]:
    fields = {name: type_ for name, (type_, _) in block["attributes"].items()}
    for name, (nesting, _, _, inner) in block.get("blocks", {}).items():
        fields[name] = [nesting, _object(inner)]
    return ["object", fields]


def _type(body: str) -> Any:
    if found := re.search(r"this\.get(String|Number|Boolean)Attribute\('", body):
        return _PRIMITIVES[found[1]]
    if found := re.search(r"this\.get(String|Number|Boolean)MapAttribute\('", body):
        return ["map", _PRIMITIVES[found[1]]]
    if found := re.search(r"new cdktn\.(String|Number|Boolean)Map\(", body):
        return ["map", _PRIMITIVES[found[1]]]
    if found := re.search(r"(Fn\.tolist\()?(?:cdktn\.Token\.asNumberList\()?this\.get(Number|)ListAttribute\('", body):
        return ["set" if found[1] else "list", "number" if found[2] else "string"]
    if "interpolationForAttribute" in body:
        return ["list", ["map", "string"]]
    return "string"


def from_wheel(wheel: Path, resources: Set[str], data: Set[str]) -> tuple[dict[str, Block], dict[str, Block]]:
    """These resources and data sources, as far as the wheel has them."""
    made: tuple[dict[str, Block], dict[str, Block]] = ({}, {})
    for source in sources(wheel, resources, data):
        found = Bindings(source).read()
        if found is not None and found[1] in (data if found[0] else resources):
            made[found[0]][found[1]] = found[2]
    return made


def differences(kept: Block, read: Block, path: str = "") -> Iterator[str]:
    """The paths at which two schemas differ in more than what is secret, which the wheel cannot tell."""
    mine, other = kept["attributes"], read["attributes"]
    for name in sorted(mine.keys() | other.keys()):
        if _plain_attribute(mine.get(name)) != _plain_attribute(other.get(name)):
            yield path + name
    mine, other = kept.get("blocks", {}), read.get("blocks", {})
    for name in sorted(mine.keys() | other.keys()):
        if name not in mine or name not in other or mine[name][:3] != other[name][:3]:
            yield path + name
        if name in mine and name in other:
            yield from differences(mine[name][3], other[name][3], f"{path}{name}.")


def _plain_attribute(attribute: Any) -> Any:
    return attribute and [attribute[0], re.sub("[!w]", "", attribute[1])]


def check(wheel: Path) -> int:
    """Read every type of the file back from the wheel and say what differs; 1 when something unknown does."""
    kept = json.loads(TARGET.read_text())
    read = from_wheel(wheel, kept["resources"].keys(), kept["data"].keys())
    wrong, known = [], set()
    parts = (("resources", "", read[0], WANTED_RESOURCES), ("data", "data.", read[1], WANTED_DATA))
    for part, prefix, found, wanted in parts:
        for name, block in kept[part].items():
            if name not in found:
                wrong.append(f"{name} is not in the wheel")
            elif name in wanted:
                wrong += [] if found[name] == block else [f"{name} is not what the wheel gives"]
            else:
                each = {f"{prefix}{name} {path}" for path in differences(block, found[name])}
                known |= each & KNOWN
                wrong += sorted(each - KNOWN)
    wrong += [f"{each} does not differ any more" for each in sorted(KNOWN - known)]
    total, made = len(kept["resources"]) + len(kept["data"]), len(WANTED_RESOURCES) + len(WANTED_DATA)
    sys.stdout.write(
        f"{total} types read back from {wheel.name}: {made} made from it, {len(known)} known differences\n"
    )
    sys.stdout.writelines(f"  wrong: {each}\n" for each in wrong)
    return 1 if wrong else 0


def write(provider: str, wheel: str, block: Block, resources: dict[str, Block], data: dict[str, Block]) -> None:
    """Write the file: one type per line, so that a change can be read."""
    lines = ["{", f'"made_from":{_dumped([provider, wheel])},', f'"provider":{_dumped(block)},']
    for title, types, end in (("resources", resources, "},"), ("data", data, "}")):
        lines.append(f'"{title}":{{')
        lines.append(",\n".join(f'"{name}":{_dumped(each)}' for name, each in sorted(types.items())))
        lines.append(end)
    TARGET.write_text("\n".join([*lines, "}"]) + "\n")


def _dumped(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def main() -> int:
    """Make the file and say what it holds, or prove it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--exact", type=Path, help="output of `terraform providers schema -json`")
    parser.add_argument("--wheel", type=Path, help=f"wheel of {PACKAGE}; downloaded when not given")
    parser.add_argument("--check", action="store_true", help="prove the file that is there, and write nothing")
    arguments = parser.parse_args()
    if not arguments.exact and not arguments.check:
        parser.error("--exact or --check is needed")
    with tempfile.TemporaryDirectory() as directory:
        wheel = arguments.wheel or fetch(Path(directory))
        check_digest(wheel)
        return check(wheel) if arguments.check else make(arguments.exact, wheel)


def make(printed: Path, wheel: Path) -> int:
    """Write the file from both sources; 1 when a wanted type is in neither."""
    provider, block, resources, data = exact(printed)
    more = from_wheel(wheel, WANTED_RESOURCES - resources.keys(), WANTED_DATA - data.keys())
    resources, data = more[0] | resources, more[1] | data
    missing = (WANTED_RESOURCES - resources.keys()) | (WANTED_DATA - data.keys())
    write(provider, wheel.name, block, resources, data)
    sys.stdout.write(f"{len(resources)} resources, {len(data)} data sources, missing: {sorted(missing) or 'none'}\n")
    return 1 if missing else 0


if __name__ == "__main__":
    raise SystemExit(main())
