"""Mistakes put on purpose into our Bicep and that of others: each is found by its rule, and nothing else is."""

import shutil
from pathlib import Path

import bicep_mistakes
import pytest
from bicep_layouts import LAYOUTS
from bicep_mistakes import WHOLE
from workspace.preflight import bicep
from workspace.preflight.checkout import Checkout

ROOT = Path(__file__).resolve().parents[2]
FOLDER = "packages/app/infrastructure"
MAIN = f"{FOLDER}/main.bicep"
DEV, STAGING, PROD = (f"{FOLDER}/params.{each}.json" for each in ("dev", "staging", "prod"))


def module(name: str) -> str:
    return f"{FOLDER}/modules/{name}.bicep"


BUDGET, BOT, COSMOS, VAULT, STORAGE = map(module, ("budget", "azure-bot", "cosmos-db", "key-vault", "storage"))
INSIGHTS, APP, SITE = map(module, ("application-insights", "app-service", "static-web-app"))

# what is wrong · file · old text · new text · rules · text, or file and text, where it is found · words of the finding
SEEDS = [
    *bicep_mistakes.SEEDS,
    (
        "a quote is missing",
        MAIN,
        "var databaseName = 'MystiraAppDb'",
        "var databaseName = 'MystiraAppDb",
        "syntax",
        "var databaseName",
        "terminated column",
    ),
    ("a bracket is missing", BUDGET, "output id", "}\noutput id", "syntax", "}\noutput id", "declaration"),
    (
        "a parameter file ends too early",
        DEV,
        '      "value": 50\n    }\n  }\n}',
        '      "value": 50',
        "syntax",
        "\x04",
        "JSON",
    ),
    (
        "a parameter file has no parameters",
        PROD,
        '"parameters": {',
        '"parameter": {',
        "syntax",
        '{\n  "$schema"',
        "parameters",
    ),
    (
        "an output is declared twice",
        BOT,
        "output endpoint",
        "output name string = displayName\noutput endpoint",
        "declared-twice",
        "output name string = displayName",
        "name azure-bot.bicep",
    ),
    (
        "a variable is misspelt",
        MAIN,
        "mediaContainerName: mediaContainerName",
        "mediaContainerName: mediaContainername",
        "undeclared",
        "mediaContainername",
        "mediaContainername mediaContainerName",
    ),
    (
        "a resource does not exist",
        BOT,
        "output id string = bot.id",
        "output id string = robot.id",
        "undeclared",
        "robot.id",
        "robot",
    ),
    (
        "a function does not exist",
        MAIN,
        "toLower('${org}",
        "tolower('${org}",
        "undeclared",
        "tolower(",
        "tolower() toLower",
    ),
    ("a decorator does not exist", BUDGET, "@minValue(1)", "@minvalue(1)", "undeclared", "@minvalue", "@minvalue"),
    (
        "a parameter is used nowhere",
        BUDGET,
        "param contactEmails array",
        "param contactEmails array\nparam owner string = ''",
        "unused",
        "param owner",
        "parameter owner",
    ),
    (
        "a variable is used nowhere",
        MAIN,
        "var makesApps",
        "var makesTea = true\nvar makesApps",
        "unused",
        "var makesTea",
        "variable makesTea",
    ),
    (
        "a module is used nowhere",
        module("left-over"),
        WHOLE,
        "output answer int = 42\n",
        "unused",
        "",
        "left-over.bicep",
    ),
    (
        "an existing resource is used nowhere",
        SITE,
        "output id",
        "resource old 'Microsoft.Web/staticSites@2023-01-01' existing = {\n  name: 'old'\n}\n\noutput id",
        "unused",
        "resource old",
        "existing old",
    ),
    (
        "a module's path is wrong",
        MAIN,
        "'modules/budget.bicep'",
        "'modules/budgets.bicep'",
        "module-missing",
        "module budget ",
        "budget modules/budgets.bicep",
    ),
    (
        "a module is given too much",
        MAIN,
        "    amount: monthlyBudget\n",
        "    amount: monthlyBudget\n    currency: 'USD'\n",
        "module-parameter",
        "currency",
        "budget currency",
    ),
    (
        "a module is given too little",
        MAIN,
        "    mediaContainerName: mediaContainerName\n    allowed",
        "    allowed",
        "module-parameter",
        "module storage ",
        "storage mediaContainerName storage.bicep",
    ),
    (
        "a module is given the wrong type",
        MAIN,
        "createPlan: false",
        "createPlan: 'no'",
        "module-parameter",
        "createPlan: 'no'",
        "createPlan adminApi bool",
    ),
    (
        "a module is given what it does not allow",
        MAIN,
        "location: fallbackRegion",
        "location: 'southafricanorth'",
        "module-parameter",
        "location: 'southafricanorth'",
        "staticWebApp 'southafricanorth' eastus2",
    ),
    (
        "an output of a module is misspelt",
        MAIN,
        "staticWebApp.outputs.id : ''\n  }",
        "staticWebApp.outputs.identity : ''\n  }",
        "module-output",
        "staticWebApp.outputs.identity",
        "identity static-web-app.bicep",
    ),
    (
        "a parameter file has an unknown name",
        STAGING,
        '"storageSku"',
        '"storageSkuu": {\n      "value": 1\n    },\n    "storageSku"',
        "parameter-unknown",
        '"storageSkuu"',
        "storageSkuu main.bicep",
    ),
    (
        "a parameter file lacks what is required",
        DEV,
        '    "aspNetCoreEnvironment": {\n      "value": "Development"\n    },\n',
        "",
        "parameter-missing",
        "",
        "aspNetCoreEnvironment",
    ),
    (
        "a parameter has the wrong type",
        PROD,
        '"value": 90\n    },\n    "logDaily',
        '"value": "90"\n    },\n    "logDaily',
        "parameter-value",
        '"logRetentionDays"',
        "logRetentionDays int string",
    ),
    (
        "a parameter is not allowed",
        PROD,
        '"P1v3"',
        '"P9v9"',
        "parameter-value",
        '"appServiceSku"',
        "appServiceSku 'P9v9' P1v3",
    ),
    (
        "a parameter is over its limit",
        DEV,
        '"keyVaultSoftDeleteDays": {\n      "value": 7',
        '"keyVaultSoftDeleteDays": {\n      "value": 91',
        "parameter-value",
        '"keyVaultSoftDeleteDays"',
        "91 90",
    ),
    (
        "one environment leaves a value out",
        STAGING,
        '    "botSku": {\n      "value": "F0"\n    },\n',
        "",
        "parameter-parity",
        "",
        "botSku params.dev.json params.prod.json",
    ),
    (
        "a secret stands in a parameter file",
        DEV,
        '"jwtIssuer"',
        '"discordBotToken": {\n      "value": "abc"\n    },\n    "jwtIssuer"',
        ("secret-in-clear", "parameter-parity"),
        '"discordBotToken"',
        "discordBotToken",
    ),
    (
        "a key hides in another value",
        PROD,
        '"value": "MystiraAPI"',
        '"value": "https://x;AccountKey=abcdefgh"',
        "secret-in-clear",
        '"jwtIssuer"',
        "jwtIssuer",
    ),
    (
        "a secret is a default",
        MAIN,
        "param acsConnectionString string = ''",
        "param acsConnectionString string = 'endpoint=x'",
        "secret-in-clear",
        "param acsConnectionString",
        "acsConnectionString default",
    ),
    (
        "an output lists keys",
        STORAGE,
        "output name",
        "output key string = account.listKeys().keys[0].value\noutput name",
        "secret-output",
        "output key",
        "key listKeys",
    ),
    (
        "an output gives a connection string",
        INSIGHTS,
        "output name",
        "output connection string = insights.properties.ConnectionString\noutput name",
        "telemetry-output",
        "output connection",
        "ConnectionString",
    ),
    (
        "an output gives a key for telemetry through a variable",
        INSIGHTS,
        "output name",
        "var written = { key: insights.properties.InstrumentationKey }\noutput settings object = written\noutput name",
        "telemetry-output",
        "output settings",
        "InstrumentationKey",
    ),
    (
        "an output gives a secret through a variable",
        MAIN,
        "output alertsEnabled",
        "var hidden = 'x${discordBotToken}'\noutput shown string = hidden\noutput alertsEnabled",
        "secret-output",
        "output shown",
        "discordBotToken",
    ),
    (
        "a secret is not marked",
        SITE,
        "@secure()\nparam repositoryToken",
        "param repositoryToken",
        "secure-missing",
        "param repositoryToken",
        "repositoryToken",
    ),
    (
        "a vault has policies",
        VAULT,
        "    enableRbacAuthorization: true\n",
        "    accessPolicies: []\n",
        "vault-access-policies",
        "accessPolicies",
        "vault policies",
    ),
    (
        "a vault does without roles",
        VAULT,
        "    enableRbacAuthorization: true\n",
        "",
        "vault-access-policies",
        "resource vault ",
        "enableRbacAuthorization",
    ),
    (
        "a vault's name is too long",
        MAIN,
        "'${org}-${environmentCodes[environment]}-${project}-kv-${region}'",
        "'${org}-${environmentCodes[environment]}-${project}-keyvault-${region}'",
        "name",
        "name: names.keyVault",
        "mys-stg-mystira-keyvault-san 28 24",
    ),
    (
        "an account's name has hyphens",
        MAIN,
        "toLower('${org}${environment}",
        "toLower('${org}-${environment}",
        "name",
        "name: names.storage",
        "mys-dev",
    ),
    (
        "a project's name makes others too long",
        STAGING,
        '"value": "mystira"',
        '"value": "mystiraworld"',
        "name",
        (MAIN, "name: names.keyVault"),
        "mys-stg-mystiraworld-kv-san",
    ),
    (
        "a short name is too long",
        MAIN,
        "shortName: 'MystiraAlert'",
        "shortName: take('MystiraAlerts', 13)",
        "short-name",
        (module("action-group"), "resource actionGroup"),
        "MystiraAlerts 13 12",
    ),
    (
        "a serverless account gets throughput",
        COSMOS,
        "options: serverless ? {} : {",
        "options: !serverless ? {} : {",
        "cosmos-throughput",
        "resource database ",
        "autoscaleSettings serverless",
    ),
    (
        "an account becomes serverless",
        COSMOS,
        "capabilities: serverless ? [",
        "capabilities: true ? [",
        "cosmos-throughput",
        "resource database ",
        "autoscaleSettings",
    ),
    (
        "records are switched on",
        STAGING,
        '"enableCustomDomain": {\n      "value": false',
        '"enableCustomDomain": {\n      "value": true',
        "dns-in-base",
        (module("dns"), "resource alias "),
        "alias CNAME staging",
    ),
    (
        "a host is bound with its app",
        APP,
        "output id",
        "resource binding 'Microsoft.Web/sites/hostNameBindings@2023-01-01' = {\n  parent: site\n"
        "  name: 'x.example.com'\n}\n\noutput id",
        "dns-in-base",
        "resource binding",
        "binding x.example.com",
    ),
    (
        "two versions of a type",
        APP,
        "Microsoft.KeyVault/vaults@2023-07-01",
        "Microsoft.KeyVault/vaults@2022-07-01",
        "api-version",
        "resource vault ",
        "2022-07-01 2023-07-01",
    ),
]

# The rule it comes near to · what is right · file · old text · new text
NEAR = [
    *bicep_mistakes.NEAR,
    (
        "telemetry-output",
        "an output of what the component is called where it takes telemetry",
        INSIGHTS,
        "output name",
        "output appId string = insights.properties.AppId\n"
        "@secure()\noutput connection string = insights.properties.ConnectionString\noutput name",
    ),
    (
        "undeclared",
        "a name of a lambda",
        MAIN,
        "var makesApps",
        "var doubled = map(containers, item => item.name)\noutput made array = doubled\nvar makesApps",
    ),
    (
        "secret-output",
        "an output of whether there is a secret",
        MAIN,
        "output alertsEnabled",
        "output hasToken bool = !empty(discordBotToken)\noutput alertsEnabled",
    ),
    (
        "secret-output",
        "an output that is secure itself",
        STORAGE,
        "output name",
        "@secure()\noutput key string = account.listKeys().keys[0].value\noutput name",
    ),
    ("undeclared", "a namespace", MAIN, "resourceGroup().location", "az.resourceGroup().location"),
    (
        "name",
        "a name that only Azure knows",
        MAIN,
        "toLower('${org}${environment}",
        "toLower('${org}-${uniqueString(resourceGroup().id)}",
    ),
    (
        "module-missing",
        "a module of a registry",
        MAIN,
        "module budget 'modules/budget.bicep'",
        "module other 'br/public:storage:1.0.0' = {\n  name: 'other'\n}\nmodule budget 'modules/budget.bicep'",
    ),
    (
        "unused",
        "a variable for other templates",
        MAIN,
        "@secure()\nparam discordBotToken string = ''",
        "@secure()\nparam discordBotToken string = ''\n\n@export()\nvar shared = 1",
    ),
    ("syntax", "a comment in a parameter file", DEV, '    "org": {', '    // who\n    "org": {'),
    (
        "secret-in-clear",
        "a reference to a vault",
        DEV,
        '"jwtIssuer": {\n      "value": "MystiraAPI"',
        '"jwtIssuer": {\n      "reference": {"keyVault": {"id": "x"}, "secretName": "issuer"}',
    ),
    (
        "secure-missing",
        "the id of a secret",
        BUDGET,
        "param contactEmails array",
        "param contactEmails array\nparam secretName string = 'x'\noutput said string = secretName",
    ),
    ("syntax", "Windows line ends", MAIN, "\n", "\r\n"),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return laid_out(tmp_path)


def laid_out(root: Path) -> Path:
    """A folder with our Bicep and that of others."""
    shutil.copytree(ROOT / FOLDER, root / FOLDER)
    for file, text in LAYOUTS.items():
        put(root / file, text)
    return root


def put(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode())


def edit(root: Path, file: str, old: str, new: str) -> None:
    path = root / file
    if old == WHOLE:
        put(path, new)
        return
    before = path.read_bytes().decode()
    assert old in before, f"{file} has no {old!r}"
    path.write_bytes(before.replace(old, new).encode())


def line_of(root: Path, file: str, text: str) -> str:
    content = (root / file).read_text()
    place = len(content) if text == "\x04" else content.index(text)
    return f"{file}:{content.count(chr(10), 0, place) + 1}" if text else file


def rules_of(seed: tuple) -> tuple[str, ...]:
    return seed[4] if isinstance(seed[4], tuple) else (seed[4],)


# What each row has given, so that one test can count them all without looking twice: wanted, met, right, beside.
SEEN: dict[str, tuple[int, int, int, int]] = {}


def name_of(row: tuple) -> str:
    return row[0] if len(row) == 7 else f"{row[0]}: {row[1]}"


def judged(root: Path, row: tuple) -> list[str]:
    """All that is found where a row's edit was made; what of it is wanted, met, right and beside is in SEEN.

    Wanted of a seed are its place with its words, and each further rule that must speak, too; of a near miss nothing.
    """
    is_seed = len(row) == 7
    edit(root, *(row[1:4] if is_seed else row[2:]))
    found = bicep.check(Checkout(root)).findings
    rules = [f"bicep/{each}" for each in rules_of(row)] if is_seed else []
    right = [each for each in found if each.rule.id in rules]
    met = 0
    if is_seed:
        place = line_of(root, *(row[5] if isinstance(row[5], tuple) else (row[1], row[5])))
        first = [each for each in right if each.rule.id == rules[0]]
        said = " ".join(each.what for each in first)
        met += place in {each.place for each in first} and all(word in said for word in row[6].split())
        met += sum(rule in {each.rule.id for each in right} for rule in rules[1:])
    SEEN[name_of(row)] = (len(rules), met, len(right), len(found) - len(right))
    return [str(each) for each in found]


@pytest.mark.parametrize("seed", SEEDS, ids=map(name_of, SEEDS))
def test_a_mistake_is_found_by_its_rule_and_nothing_else_is(root: Path, seed: tuple) -> None:
    found = judged(root, seed)
    wanted, met, _, beside = SEEN[name_of(seed)]
    assert (met, beside) == (wanted, 0), found


@pytest.mark.parametrize("miss", NEAR, ids=map(name_of, NEAR))
def test_what_only_looks_like_a_mistake_is_not_found(root: Path, miss: tuple) -> None:
    assert judged(root, miss) == []


def test_precision_and_recall_on_the_corpus_are_both_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, row in enumerate([*SEEDS, *NEAR]):
        if name_of(row) not in SEEN:
            judged(laid_out(tmp_path / str(number)), row)
    wanted, met, right, beside = (sum(each[number] for each in SEEN.values()) for number in range(4))
    precision, recall = right / (right + beside), met / wanted
    with capsys.disabled():
        print(  # noqa: T201
            f"\nBicep rules: {len(bicep.RULES)} rules, {len(SEEDS)} seeds, {len(NEAR)} near misses: "
            f"precision {precision:.3f}, recall {recall:.3f}"
        )
    assert (precision, recall) == (1.0, 1.0)


def test_every_rule_has_two_seeds_and_a_near_miss() -> None:
    rules = sorted(each.id.removeprefix("bicep/") for each in bicep.RULES)
    assert [each for each in rules if sum(rules_of(seed)[0] == each for seed in SEEDS) < 2] == []
    assert [each for each in rules if not any(miss[0] == each for miss in NEAR)] == []
    assert {rule for seed in SEEDS for rule in rules_of(seed)} | {miss[0] for miss in NEAR} == set(rules)
    assert len({name_of(each) for each in [*SEEDS, *NEAR]}) == len(SEEDS) + len(NEAR)


def test_layouts_of_others_have_no_finding(root: Path) -> None:
    report = bicep.check(Checkout(root))
    assert [str(each) for each in report.findings] == []
    assert [each.count for each in report.checked] == [25, 84, 8]


def test_a_finding_says_which_environments_it_is_about(root: Path) -> None:
    edit(root, MAIN, "${environmentCodes[environment]}-${project}-kv", "${environment}-${project}-secret-kv")
    edit(root, MAIN, "var environmentCodes = {\n  dev: 'dev'\n  staging: 'stg'\n  prod: 'prd'\n}\n", "")
    names = bicep.check(Checkout(root)).findings
    assert {each.environments for each in names} == {("dev",), ("staging",), ("prod",)}


def test_our_own_files_have_no_finding() -> None:
    report = bicep.check(Checkout(ROOT))
    assert [str(each) for each in report.findings] == []
    assert [each.count for each in report.checked] == [16, 67, 3]


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", b"param", b"var a = [" * 900, b"var a = '${", b"module m 'x.bicep' = {", b"'\\"]
)
def test_a_file_that_cannot_be_read_is_a_finding(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "main.bicep").write_bytes(content)
    assert [each.rule.id for each in bicep.check(Checkout(tmp_path)).findings] == ["bicep/syntax"]


def test_a_file_may_end_anywhere(root: Path) -> None:
    text = (root / MAIN).read_text()
    for end in range(0, len(text), len(text) // 12):
        (root / MAIN).write_text(text[:end])
        assert bicep.check(Checkout(root)).findings is not None


def test_a_module_that_uses_itself_ends(tmp_path: Path) -> None:
    (tmp_path / "main.bicep").write_text("module a 'main.bicep' = {\n  name: 'a'\n}\n")
    assert bicep.check(Checkout(tmp_path)).checked[0].count == 1


def test_records_alone_are_a_step_of_their_own(tmp_path: Path) -> None:
    shutil.copy(ROOT / module("dns"), tmp_path / "main.bicep")
    assert bicep.check(Checkout(tmp_path)).findings == ()
