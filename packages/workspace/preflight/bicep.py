"""Rules for Bicep: templates that compile, fit their parameter files and deploy what Azure takes, without secrets."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from workspace import naming
from workspace.preflight.bicep_files import Files, Parameters
from workspace.preflight.bicep_parameters import complaint, written
from workspace.preflight.bicep_template import (
    UNKNOWN,
    Template,
    decorator,
    inside,
    is_required,
    is_secure,
    literal,
    type_of,
)
from workspace.preflight.bicep_values import Made, made
from workspace.preflight.checkout import Checkout
from workspace.preflight.finding import Checked, Finding, Report, Rule, Severity
from workspace.preflight.guard import attempted
from workspace.rehearsal.bicep_symbols import FUNCTIONS
from workspace.rehearsal.bicep_syntax import (
    Access,
    Call,
    Declaration,
    Member,
    Name,
    Object,
    Operation,
    Property,
    Spread,
    Text,
)

SYNTAX = Rule(
    "bicep/syntax",
    Severity.ERROR,
    "A template or parameter file that cannot be read.",
    "The compiler stops there, after the steps before it have changed things.",
    "Correct the place.",
)
UNREAD = Rule(
    "bicep/not-read",
    Severity.NOTE,
    "A file that uses a part of the language that preflight does not know, or parameters for a registry's template.",
    "It may be right; nothing else in this file was looked at.",
    "Check the file with the bicep program.",
)
TWICE = Rule(
    "bicep/declared-twice",
    Severity.ERROR,
    "Two things with one name.",
    "The compiler refuses the file.",
    "Rename one of them.",
)
UNDECLARED = Rule(
    "bicep/undeclared",
    Severity.ERROR,
    "A name that nothing declares.",
    "The compiler refuses the file; in a file for one environment only that is found on the day of its deployment.",
    "Declare it, or correct the spelling.",
)
UNUSED = Rule(
    "bicep/unused",
    Severity.RISK,
    "Something declared that nothing uses.",
    "A setting that does nothing looks like one that does; a module that nobody calls ages unseen.",
    "Use it or delete it.",
)
MODULE = Rule(
    "bicep/module-missing",
    Severity.ERROR,
    "A module, or a file that is imported, used or extended, that is not there.",
    "The compiler refuses the file that names it.",
    "Correct the path.",
)
ARGUMENT = Rule(
    "bicep/module-parameter",
    Severity.ERROR,
    "A module that is not given what it wants.",
    "The compiler or Azure refuses it before anything is deployed.",
    "Give the module exactly the parameters it declares.",
)
OUTPUT = Rule(
    "bicep/module-output",
    Severity.ERROR,
    "An output that the module does not have.",
    "A workflow read an output that never existed and went on with an empty address.",
    "Name one of the module's outputs, or add it.",
)
UNKNOWN_PARAMETER = Rule(
    "bicep/parameter-unknown",
    Severity.ERROR,
    "A parameter file with a value for which the template has no parameter.",
    "Azure refuses the whole deployment.",
    "Delete the value, or declare the parameter.",
)
MISSING_PARAMETER = Rule(
    "bicep/parameter-missing",
    Severity.ERROR,
    "A parameter file without a value that the template requires.",
    "The deployment of that environment fails, or asks a question that nobody answers.",
    "Add the value, or a default; secure parameters, and what a script passes by name, need not be there.",
)
VALUE = Rule(
    "bicep/parameter-value",
    Severity.ERROR,
    "A value that does not fit its parameter.",
    "Azure refuses the deployment of that environment, after others have passed.",
    "Give a value of the declared type, within its limits.",
)
PARITY = Rule(
    "bicep/parameter-parity",
    Severity.RISK,
    "A value that some environments set and others leave to the default.",
    "The same mistake was mended once per environment, because each had its own set of values.",
    "Let every environment's file set the same parameters.",
)
CLEAR = Rule(
    "bicep/secret-in-clear",
    Severity.ERROR,
    "A secret written into a file.",
    "Whoever can read the repository has it, for ever.",
    "Pass it at the deployment, or refer to a vault; then change the secret.",
)
SECRET_OUTPUT = Rule(
    "bicep/secret-output",
    Severity.ERROR,
    "An output that gives a secret away.",
    "Four secrets stood in clear text in the deployment history of every environment.",
    "Write the secret into a vault inside the template and give out its name.",
)
TELEMETRY_OUTPUT = Rule(
    "bicep/telemetry-output",
    Severity.RISK,
    "An output that gives away where Application Insights takes telemetry, and with which key.",
    "It stands in the deployment history, and whoever reads it there can write into the workspace's telemetry.",
    "Read it from the component in the module that needs it, or turn off local authentication of the component.",
)
SECURE = Rule(
    "bicep/secure-missing",
    Severity.RISK,
    "A parameter for a secret that is not marked as one.",
    "Azure keeps and shows its value in the deployment history.",
    "Add @secure().",
)
POLICIES = Rule(
    "bicep/vault-access-policies",
    Severity.RISK,
    "A vault that is opened by access policies.",
    "Every deployment replaced the list of policies, so running apps lost their secrets for a while.",
    "Set enableRbacAuthorization to true and assign roles.",
)
NAME = Rule(
    "bicep/name",
    Severity.ERROR,
    "A name that Azure does not allow for the type.",
    "Vault and storage names were too long in staging only, where the environment's name is longer.",
    "Shorten it, or use the short code of the environment.",
)
SHORT_NAME = Rule(
    "bicep/short-name",
    Severity.ERROR,
    "An action group whose short name is too long.",
    "Azure allows 12 characters; MystiraAlerts has 13.",
    "Choose a shorter one.",
)
THROUGHPUT = Rule(
    "bicep/cosmos-throughput",
    Severity.ERROR,
    "A serverless Cosmos account with throughput.",
    "Azure refuses throughput where an account is serverless, and an account cannot be changed later.",
    "Give options with throughput only where the account is not serverless.",
)
DNS = Rule(
    "bicep/dns-in-base",
    Severity.RISK,
    "A DNS record or custom host in the template of the resources it points to.",
    "A binding needs its record to be live and a record its target: the first run failed and a second was needed.",
    "Leave records, bindings and certificates to steps of their own, after their targets exist.",
)
VERSION = Rule(
    "bicep/api-version",
    Severity.RISK,
    "One type asked for in different API versions.",
    "Properties and defaults differ between versions, so two resources of a type are not alike.",
    "Use one version per type.",
)

RULES: tuple[Rule, ...] = (
    SYNTAX, UNREAD, TWICE, UNDECLARED, UNUSED, MODULE, ARGUMENT, OUTPUT, UNKNOWN_PARAMETER, MISSING_PARAMETER, VALUE,
    PARITY, CLEAR, SECRET_OUTPUT, TELEMETRY_OUTPUT, SECURE, POLICIES, NAME, SHORT_NAME, THROUGHPUT, DNS, VERSION,
)  # fmt: skip

_MORE_FUNCTIONS = frozenset((
    "buildUri", "deployer", "externalInput", "fail", "loadDirectoryFileInfo", "loadFileAsBase64", "loadJsonContent",
    "loadTextContent", "loadYamlContent", "parseUri", "readCliArg", "readEnvironmentVariable", "resourceInput",
    "toLogicalZone", "toLogicalZones", "toPhysicalZone", "toPhysicalZones", "tryGet", "getSecret", "deepMerge",
    "providers", "roleDefinitions",
))  # fmt: skip
_DECORATORS = frozenset((
    "allowed", "batchSize", "description", "discriminator", "export", "maxLength", "maxValue", "metadata", "minLength",
    "minValue", "nullIfNotFound", "onlyIfNotExists", "retryOn", "sealed", "secure", "validate", "waitUntil",
))  # fmt: skip
# How the compiler's linter calls the rule about each.
_CODES = {
    "param": "no-unused-params", "var": "no-unused-vars", "resource": "no-unused-existing-resources",
    "import": "no-unused-imports",
}  # fmt: skip
_NAMES_A_FILE = {
    "module": "the module {} wants", "import": "{} is imported from", "using": "the values are for",
    "extends": "the file extends",
}  # fmt: skip
_DECORATED = (Declaration, Member)
_NAMESPACES = frozenset(("az", "sys", "this"))
_IDLE = {
    "param": "the parameter", "var": "the variable", "resource": "the existing resource", "type": "the type",
    "func": "the function", "import": "the import",
}  # fmt: skip
_SECRET_NAME = re.compile(
    # a resource token is what makes names unique
    r"(password|passphrase|secrets?|(?<!resource)(?<!resource_)token|api_?key|private_?key|account_?key|access_?key|"
    r"connection_?strings?|credentials?)$",
    re.IGNORECASE,
)
_SECRET_PROPERTY = re.compile(
    r"^(ConnectionString|InstrumentationKey|primaryConnectionString|secondaryConnectionString|primaryKey|secondaryKey|"
    r"primaryMasterKey|accessKey|adminPassword|administratorLoginPassword)$",
    re.IGNORECASE,
)
_PROPERTY = "the property "
# Of resources' properties only the components of Application Insights have these.
_TELEMETRY = ("ConnectionString", "InstrumentationKey")
_SECRET_VALUE = re.compile(
    r"AccountKey=|SharedAccessKey=|BEGIN [A-Z ]*PRIVATE KEY|\bgh[pousr]_\w{20}|;Password=[^;]+", re.IGNORECASE
)
_KEY_IN_TEXT = re.compile(r"AccountKey=\w{8}|SharedAccessKey=\w{8}|PRIVATE KEY-----\s*\w{8}")
_PASSWORD = re.compile(r"^(admin(istrator)?(Login)?Password|clientSecret|sasToken)$", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\$\(|\$\{|#\{|\{\{|__|<|GEN-")
_TELLS_LITTLE = frozenset(("empty", "length", "contains", "startsWith", "endsWith", "guid", "uniqueString", "indexOf"))
_COMPARES = frozenset(("==", "!=", "=~", "!~", "<", "<=", ">", ">=", "!", "&&", "||"))
_TARGETS = frozenset((
    "microsoft.web/sites", "microsoft.web/staticsites", "microsoft.network/publicipaddresses",
    "microsoft.app/containerapps", "microsoft.cdn/profiles/afdendpoints",
))  # fmt: skip
_COSMOS = "microsoft.documentdb/databaseaccounts"
_VAULT = "microsoft.keyvault/vaults"
# From this version on a vault is made with roles where nothing else is said.
_ROLES_BY_DEFAULT = "2026-02-01"
_NAMES: Mapping[str, naming.Rule] = {kind.lower(): rule for kind, rule in naming.RULES.items()}
_SHORT_NAME = naming.RULES["Microsoft.Insights/actionGroups/shortName"]


def check(checkout: Checkout) -> Report:
    """Read every Bicep file of a checkout and the parameter files that belong to them."""
    files = Files(checkout)
    findings = attempted(_LOOKS, files)
    kinds = ("resource", "module")
    declared = sum(len(each.of(sort)) for each in files.templates.values() for sort in kinds)
    checked = (
        Checked("Bicep files", len(files.paths)),
        Checked("Bicep resources and modules", declared),
        Checked("Bicep parameter files", len(files.parameters)),
    )
    return Report.of([Report(checked, tuple(findings))])


def _reading(files: Files) -> Iterator[Finding]:
    for path, each in files.unread.items():
        yield (UNREAD if each.beyond else SYNTAX).at(f"{path}:{each.line}", each.what)


# --- one file


def _twice(files: Files) -> Iterator[Finding]:
    for template in files.texts:
        seen: dict[tuple[str, str], Declaration] = {}
        for each in template.declarations:
            # outputs and assertions may have the names of other things
            among = each.sort if each.sort in ("output", "assert") else ""
            if each.sort == "metadata" or not each.name:
                continue
            if before := seen.get((among, each.name)):
                sort = "the value of" if each.sort == "given" else each.sort
                what = f"{sort} {each.name} is declared at {template.at(before.place)} already"
                yield TWICE.at(template.at(each.place), what)
            seen.setdefault((among, each.name), each)


def _undeclared(files: Files) -> Iterator[Finding]:
    for template in files.texts:
        more = _NAMESPACES | ({"base"} if template.of("extends") else frozenset())
        for each in template.uses:
            if each.name not in template.symbols and each.name not in more:
                near = _near(each.name, template.symbols)
                yield UNDECLARED.at(template.at(each.place), f"{each.name} is declared nowhere in the file{near}")
        yield from _undeclared_calls(template)
        yield from _undeclared_imports(files, template)


def _undeclared_calls(template: Template) -> Iterator[Finding]:
    own = {name for name, each in template.symbols.items() if each.sort in ("func", "import")}
    known = FUNCTIONS | _MORE_FUNCTIONS | own
    nodes = [each for _, inner in template.nodes for each in inner]
    decorators = {id(each) for owner in nodes if isinstance(owner, _DECORATED) for each in owner.decorators}
    for each in nodes:
        if not isinstance(each, Call) or each.base is not None:
            continue
        if id(each) in decorators and each.name not in _DECORATORS:
            yield UNDECLARED.at(template.at(each.place), f"@{each.name} is no decorator{_near(each.name, _DECORATORS)}")
        elif id(each) not in decorators and each.name not in known and not each.name.startswith("list"):
            yield UNDECLARED.at(
                template.at(each.place), f"{each.name}() is no function of Bicep{_near(each.name, known)}"
            )


def _undeclared_imports(files: Files, template: Template) -> Iterator[Finding]:
    for each in template.of("import"):
        source = files.templates.get(template.target(each))
        if source is None or each.value is None:
            continue
        exported = [one.name for one in source.declarations if decorator(one, "export")]
        if each.value.plain not in exported:
            what = f"{source.path} exports no {each.value.plain}{_near(each.value.plain or '', exported)}"
            yield UNDECLARED.at(template.at(each.value.place), what)


def _near(name: str, known: Any) -> str:
    found = next((each for each in sorted(known) if each.lower() == name.lower()), "")
    return f"; {found} is" if found else ""


def _unused(files: Files) -> Iterator[Finding]:
    for template in files.texts:
        used = {each.name for each in template.uses} | {
            each.name for _, inner in template.nodes for each in inner if isinstance(each, Call) and each.base is None
        }
        for each in template.declarations:
            idle = each.sort in _IDLE and (each.sort != "resource" or each.existing)
            if (
                idle
                and each.name not in used
                and not decorator(each, "export")
                and not _accepted(files, template, each)
            ):
                yield UNUSED.at(template.at(each.place), f"{_IDLE[each.sort]} {each.name} is used nowhere")
    lost = files.unread or any(each and each not in files.there for each in files.used)
    calling = {path.rsplit("/", 1)[0] if "/" in path else "" for path in files.used}
    for template in files.roots:
        folder = template.path.rsplit("/", 1)[0] if "/" in template.path else ""
        if (
            folder in calling
            and folder.rsplit("/", 1)[-1] in ("modules", "module")
            and template.path not in files.imported
            and not files.of(template)
            and not lost
        ):
            yield UNUSED.at(template.path, f"no template uses the module {template.path.rsplit('/', 1)[-1]}")


def _accepted(files: Files, template: Template, idle: Declaration) -> bool:
    """Whether somebody has told the compiler that this may be idle."""
    code = _CODES.get(idle.sort, "")
    return bool(code) and (template.silences(idle.place, code) or files.switches_off(template, code))


def _versions(files: Files) -> Iterator[Finding]:
    for root in files.roots:
        asked: dict[str, list[tuple[str, str, str]]] = {}
        for template in files.whole(root):
            for each in template.resources:
                kind, version = type_of(each)
                asked.setdefault(kind.lower(), []).append((version, kind, template.at(each.place)))
        for uses in asked.values():
            yield from _differing(uses)


def _differing(uses: list[tuple[str, str, str]]) -> Iterator[Finding]:
    counted = Counter(version for version, _, _ in uses)
    usual = max(counted, key=lambda version: (counted[version], version))
    for version, kind, place in uses:
        if version != usual:
            other = next(there for each, _, there in uses if each == usual)
            yield VERSION.at(place, f"{kind} is asked for in {version} here and in {usual} at {other}")


def _secure(files: Files) -> Iterator[Finding]:
    for template in files.templates.values():
        for each in template.of("param"):
            kind = each.type.name if each.type else ""
            if _SECRET_NAME.search(each.name) and kind in ("string", "object") and not is_secure(each):
                yield SECURE.at(
                    template.at(each.place), f"the parameter {each.name} looks like a secret and is not @secure()"
                )


# --- modules


def _modules(files: Files) -> Iterator[Finding]:
    for template in files.texts:
        for each in (one for sort in _NAMES_A_FILE for one in template.of(sort)):
            target = template.target(each)
            if target and target not in files.there:
                what = _NAMES_A_FILE[each.sort].format(each.name)
                path = each.reference.plain if each.reference else ""
                yield MODULE.at(template.at(each.place), f"{what} {path}, which is not there")


def _arguments(files: Files) -> Iterator[Finding]:
    for template, module, target in _calls(files):
        params = module.value.get("params")
        given = [each for each in params.properties if isinstance(each, Property)] if isinstance(params, Object) else []
        names = {each.key.plain for each in given}
        whole = params is None or (isinstance(params, Object) and len(given) == len(params.properties))
        for each in given:
            name = each.key.plain or ""
            declared = target.parameters.get(name)
            if declared is None:
                what = f"the module {module.name} is given {name}, but {target.path} has no such parameter"
                yield ARGUMENT.at(template.at(each.place), what)
            elif wrong := complaint(declared, written(each.value), whole=False):
                yield ARGUMENT.at(template.at(each.place), f"the parameter {name} of the module {module.name} {wrong}")
        for name, declared in target.parameters.items() if whole else ():
            if is_required(declared) and name not in names:
                what = f"the module {module.name} is not given {name}, which {target.path} requires"
                yield ARGUMENT.at(template.at(module.place), what)


def _calls(files: Files) -> Iterator[tuple[Template, Declaration, Template]]:
    for template in files.templates.values():
        for module in template.of("module"):
            target = files.templates.get(template.target(module))
            if target and isinstance(module.value, Object):
                yield template, module, target


def _outputs(files: Files) -> Iterator[Finding]:
    targets = {(template.path, module.name): target for template, module, target in _calls(files)}
    for template in files.templates.values():
        for each in (node for _, inner in template.nodes for node in inner):
            module, name = _output_of(each)
            target = targets.get((template.path, module))
            if target and name and name not in {output.name for output in target.of("output")}:
                what = f"{module}.outputs.{name} does not exist: {target.path} has no output {name}"
                yield OUTPUT.at(template.at(each.place), what)


def _output_of(node: Any) -> tuple[str, str]:
    """The module and output that an expression names, or nothing."""
    inner = node.base if isinstance(node, Access) else None
    if not isinstance(inner, Access) or literal(inner.key) != "outputs":
        return "", ""
    module = inner.base.base if isinstance(inner.base, Access) else inner.base
    name = literal(node.key)
    return (module.name, name) if isinstance(module, Name) and isinstance(name, str) else ("", "")


# --- secrets


_Handed = dict[tuple[str, str], str]
"""By module and output what that gives away, or nothing where it is told at the module's own file."""


def _secret_outputs(files: Files) -> Iterator[Finding]:
    """Each secret at the output that gives it away first, and not again where others hand that output on."""
    known: dict[str, _Handed] = {path: {} for path in files.templates}
    handed = [(each.path, module, target, out) for each, module, target in _calls(files) for out in target.of("output")]
    for path, module, _, output in handed:
        if is_secure(output):
            known[path][module.name, output.name] = f"the secure output {output.name}"
    told = {(template.path, each.name) for template, each, _ in _given_away(files, known)}
    for path, module, target, output in handed:
        if (target.path, output.name) in told:
            known[path][module.name, output.name] = ""
    for template, each, why in _given_away(files, known):
        rule = TELEMETRY_OUTPUT if _is_telemetry(why) else SECRET_OUTPUT
        yield rule.at(template.at(each.place), f"the output {each.name} gives {why} away")


def _given_away(files: Files, known: Mapping[str, _Handed]) -> Iterator[tuple[Template, Declaration, str]]:
    for template in files.templates.values():
        for each in template.of("output"):
            leaks = () if is_secure(each) else _leaks(template, each.value, frozenset(), known[template.path])
            if why := min(leaks, key=_is_telemetry, default=""):
                yield template, each, why


def _is_telemetry(why: str) -> bool:
    return why.removeprefix(_PROPERTY) in _TELEMETRY


def _leaks(template: Template, node: Any, seen: frozenset[str], handed: _Handed) -> Iterator[str]:
    """The secrets in what an expression gives; conditions and comparisons tell none."""
    if (why := handed.get(_output_of(node))) is not None:
        yield from (why,) if why else ()
        return
    if isinstance(node, Name):
        found = template.symbols.get(node.name)
        if found is None or node.name in seen:
            return
        if found.sort == "param" and is_secure(found):
            yield f"the secure parameter {node.name}"
        elif found.sort == "var":
            yield from _leaks(template, found.value, seen | {node.name}, handed)
        return
    if isinstance(node, Call) and node.name.startswith("list") and not _is_own(template, node):
        yield f"{node.name}()"
    if isinstance(node, Call) and node.name in _TELLS_LITTLE:
        return
    if isinstance(node, Access) and _SECRET_PROPERTY.search(str(literal(node.key))):
        yield f"{_PROPERTY}{literal(node.key)}"
    if isinstance(node, Operation) and node.operator in _COMPARES:
        return
    parts = node.operands[1:] if isinstance(node, Operation) and node.operator == "?:" else tuple(inside(node))
    for each in parts:
        yield from _leaks(template, each, seen, handed)


def _is_own(template: Template, call: Call) -> bool:
    """True for a function that the file declares or imports."""
    found = template.symbols.get(call.name if call.base is None else getattr(call.base, "name", ""))
    return found is not None and found.sort in ("func", "import")


def _clear(files: Files) -> Iterator[Finding]:
    for given in files.parameters:
        for name, value in given.values.items():
            declared = given.template.parameters.get(name)
            marked = declared is not None and (is_secure(declared) or _named_secret(declared))
            known = _default(given.written.get(name)) if value is None else value
            if (
                known not in (None, "", {}, [])
                and not _PLACEHOLDER.match(str(known))
                and (marked or _SECRET_VALUE.search(str(known)))
            ):
                yield CLEAR.at(
                    given.at(name), f"the value of the secret {name} stands in the file", *_environments(given)
                )
    for template in files.templates.values():
        for each in template.of("param"):
            if is_secure(each) and isinstance(each.value, Text) and each.value.plain:
                yield CLEAR.at(template.at(each.place), f"the secure parameter {each.name} has its value as a default")
        yield from _clear_texts(template)


def _default(given: Declaration | None) -> Any:
    """What a value is where the environment variable that it is read from is not set."""
    call = given.value if given else None
    if not isinstance(call, Call) or call.name != "readEnvironmentVariable" or len(call.arguments) < 2:
        return None
    return literal(call.arguments[1])


def _clear_texts(template: Template) -> Iterator[Finding]:
    for owner, inner in template.nodes:
        for each in inner:
            if isinstance(each, Text) and _KEY_IN_TEXT.search(each.plain or ""):
                yield CLEAR.at(template.at(each.place), f"a text of {owner.sort} {owner.name} holds a key")
            written_out = isinstance(each, Property) and _PASSWORD.search(each.key.plain or "")
            if written_out and owner.sort == "resource" and literal(each.value):
                what = f"{each.key.plain} of {owner.name} is written out"
                yield CLEAR.at(template.at(each.place), what)


def _named_secret(parameter: Declaration) -> bool:
    return bool(_SECRET_NAME.search(parameter.name)) and bool(parameter.type and parameter.type.name == "string")


# --- parameter files


def _parameters(files: Files) -> Iterator[Finding]:
    for given in files.parameters:
        where = _environments(given)
        declared = given.template.parameters
        for name, value in given.values.items():
            if name not in declared:
                what = f"{name} is no parameter of {given.template.path}{_near(name, declared)}"
                yield UNKNOWN_PARAMETER.at(given.at(name), what, *where)
            elif wrong := complaint(declared[name], value):
                yield VALUE.at(given.at(name), f"the parameter {name} {wrong}", *where)
        for name, each in declared.items():
            here = name in given.values or given.path in files.bases
            if is_required(each) and not is_secure(each) and not here and name not in files.passed:
                what = f"there is no value for {name}, which {given.template.path} requires"
                yield MISSING_PARAMETER.at(given.path, what, *where)


def _environments(given: Parameters) -> tuple[str, ...]:
    return (given.environment,) if given.environment else ()


def _parity(files: Files) -> Iterator[Finding]:
    families: dict[str, list[Parameters]] = {}
    for given in files.parameters:
        if given.environment:
            families.setdefault(given.family, []).append(given)
    for family in families.values():
        everywhere = {name for given in family for name in given.values}
        for given in family:
            for name in sorted(everywhere - set(given.values)):
                declared = given.template.parameters.get(name)
                if declared is not None and not is_required(declared):
                    others = ", ".join(other.path for other in family if name in other.values)
                    what = f"{name} is left to its default here and set in {others}"
                    yield PARITY.at(given.path, what, *_environments(given))


# --- what would be deployed


def _deployments(files: Files) -> Iterator[tuple[tuple[tuple[Made, ...], ...], tuple[str, ...]]]:
    """What each template makes, one group for each use of a file, in every environment it has parameters for."""
    for template in files.deployed:
        for given in files.of(template):
            values = {name: UNKNOWN if value is None else value for name, value in given.values.items()}
            yield tuple(made(files, template, values)), _environments(given)
        if not files.of(template):
            yield tuple(made(files, template, {})), ()


def _deployed(files: Files) -> Iterator[Finding]:
    for groups, environments in _deployments(files):
        whole = tuple(each for group in groups for each in group)
        throughput = (found for group in groups for found in _throughput(group))
        for rule, place, what in (
            *_names(whole),
            *_short_names(whole),
            *_records(whole),
            *_policies(whole),
            *throughput,
        ):
            yield rule.at(place, what, *environments)


def _names(group: tuple[Made, ...]) -> Iterator[tuple[Rule, str, str]]:
    for each in group:
        rule = _NAMES.get(each.type.lower())
        wrong = rule.complaint(each.name) if rule and isinstance(each.name, str) else ""
        if wrong:
            yield NAME, each.name_place, f"the name {each.name!r} of {each.declaration.name} ({each.type}) {wrong}"


def _short_names(group: tuple[Made, ...]) -> Iterator[tuple[Rule, str, str]]:
    for each in group:
        name = _at(each.body, "properties", "groupShortName")
        wrong = _SHORT_NAME.complaint(name) if isinstance(name, str) else ""
        if each.type.lower() == "microsoft.insights/actiongroups" and wrong:
            yield SHORT_NAME, each.place, f"the short name {name!r} of the action group {each.declaration.name} {wrong}"


def _policies(group: tuple[Made, ...]) -> Iterator[tuple[Rule, str, str]]:
    for each in group:
        if each.type.lower() == f"{_VAULT}/accesspolicies":
            yield POLICIES, each.place, f"{each.declaration.name} adds access policies to a vault"
        properties = _at(each.body, "properties")
        if each.type.lower() != _VAULT or not isinstance(properties, dict) or not _opened_by_policies(each, properties):
            continue
        if properties.get("accessPolicies") is None:
            what = f"the vault {each.declaration.name} does not set enableRbacAuthorization to true"
            yield POLICIES, each.place, what
        else:
            place = each.template.at(_place_of(each.declaration, "accessPolicies"))
            yield POLICIES, place, f"the vault {each.declaration.name} has a list of access policies"


def _opened_by_policies(vault: Made, properties: Mapping[str, Any]) -> bool:
    """Whether policies count; what a template leaves open goes by its API version, or by what it takes over."""
    written = vault.declaration.value.get("properties")
    spread = isinstance(written, Object) and any(isinstance(each, Spread) for each in written.properties)
    roles = properties.get("enableRbacAuthorization")
    if roles is None:
        return not spread and type_of(vault.declaration)[1] < _ROLES_BY_DEFAULT
    return roles is False


def _place_of(resource: Declaration, name: str) -> int:
    properties = resource.value.get("properties")
    written = properties.properties if isinstance(properties, Object) else ()
    found = (each.place for each in written if isinstance(each, Property) and each.key.plain == name)
    return next(found, resource.place)


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _throughput(group: tuple[Made, ...]) -> Iterator[tuple[Rule, str, str]]:
    accounts = [each for each in group if each.type.lower() == _COSMOS]
    serverless = [
        each
        for each in accounts
        if {"name": "EnableServerless"} in _listed(_at(each.body, "properties", "capabilities"))
    ]
    names = {each.declaration.name for each in serverless}
    for each in group if serverless else ():
        options = _at(each.body, "properties", "options")
        found = sorted({"throughput", "autoscaleSettings"} & set(options)) if isinstance(options, dict) else []
        if not found or not each.type.lower().startswith(f"{_COSMOS}/"):
            continue
        if _outermost(each.template, each.declaration) in names or len(serverless) == len(accounts):
            what = f"{each.declaration.name} ({each.type}) has {', '.join(found)} in an account that is serverless"
            yield THROUGHPUT, each.place, what


def _outermost(template: Template, resource: Declaration) -> str:
    """The name in the file of the resource that another belongs to in the end."""
    for _ in range(type_of(resource)[0].count("/")):
        parent = resource.value.get("parent")
        above = template.symbols.get(parent.name) if isinstance(parent, Name) else template.around(resource)
        if above is None or not isinstance(above.value, Object):
            break
        resource = above
    return resource.name


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _records(group: tuple[Made, ...]) -> Iterator[tuple[Rule, str, str]]:
    if not any(each.type.lower() in _TARGETS for each in group):
        return  # records by themselves are a step of their own
    for each in group:
        kind = each.type.lower()
        if kind.startswith("microsoft.network/dnszones/") or kind.endswith(("/hostnamebindings", "/customdomains")):
            said = f" {each.name}" if isinstance(each.name, str) else ""
            yield DNS, each.place, f"the template makes {each.declaration.name} ({each.type}){said}"


_LOOKS: tuple[Callable[[Files], Iterator[Finding]], ...] = (
    _reading, _twice, _undeclared, _unused, _versions, _secure, _modules, _arguments, _outputs,
    _secret_outputs, _clear, _parameters, _parity, _deployed,
)  # fmt: skip
