"""Mistakes put into our Bicep on purpose: each is found by its rule, at its place, and nothing else is."""

import shutil
from pathlib import Path

import pytest
from workspace.preflight import bicep
from workspace.preflight.checkout import Checkout

ROOT = Path(__file__).resolve().parents[2]
FOLDER = "packages/app/infrastructure"
MAIN = f"{FOLDER}/main.bicep"
DEV, STAGING, PROD = (f"{FOLDER}/params.{each}.json" for each in ("dev", "staging", "prod"))
EVERYTHING = "\x00"


def module(name: str) -> str:
    return f"{FOLDER}/modules/{name}.bicep"


BUDGET, BOT, COSMOS, VAULT, STORAGE = map(module, ("budget", "azure-bot", "cosmos-db", "key-vault", "storage"))
INSIGHTS, APP, SITE = map(module, ("application-insights", "app-service", "static-web-app"))

# what is wrong · file · old text · new text · rule · file and text where it is found · words of the finding
SEEDS = [
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
    ("a type of one's own", BUDGET, "output id", "type thing = string\noutput id", "not-read", "type thing", "type"),
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
        EVERYTHING,
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
        "secret-output",
        "output connection",
        "ConnectionString",
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

# what is right, though it looks like one of the mistakes
HARMLESS = [
    (
        "a name of a lambda",
        MAIN,
        "var makesApps",
        "var doubled = map(containers, item => item.name)\noutput made array = doubled\nvar makesApps",
    ),
    (
        "an output of whether there is a secret",
        MAIN,
        "output alertsEnabled",
        "output hasToken bool = !empty(discordBotToken)\noutput alertsEnabled",
    ),
    (
        "an output that is secure itself",
        STORAGE,
        "output name",
        "@secure()\noutput key string = account.listKeys().keys[0].value\noutput name",
    ),
    ("a namespace", MAIN, "resourceGroup().location", "az.resourceGroup().location"),
    (
        "a name that only Azure knows",
        MAIN,
        "toLower('${org}${environment}",
        "toLower('${org}-${uniqueString(resourceGroup().id)}",
    ),
    (
        "a module of a registry",
        MAIN,
        "module budget 'modules/budget.bicep'",
        "module other 'br/public:storage:1.0.0' = {\n  name: 'other'\n}\nmodule budget 'modules/budget.bicep'",
    ),
    (
        "a variable for other templates",
        MAIN,
        "@secure()\nparam discordBotToken string = ''",
        "@secure()\nparam discordBotToken string = ''\n\n@export()\nvar shared = 1",
    ),
    ("a comment in a parameter file", DEV, '    "org": {', '    // who\n    "org": {'),
    (
        "a reference to a vault",
        DEV,
        '"jwtIssuer": {\n      "value": "MystiraAPI"',
        '"jwtIssuer": {\n      "reference": {"keyVault": {"id": "x"}, "secretName": "issuer"}',
    ),
    (
        "the id of a secret",
        BUDGET,
        "param contactEmails array",
        "param contactEmails array\nparam secretName string = 'x'\noutput said string = secretName",
    ),
    ("Windows line ends", MAIN, "\n", "\r\n"),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / FOLDER, tmp_path / FOLDER)
    return tmp_path


def edit(root: Path, file: str, old: str, new: str) -> None:
    path = root / file
    if old == EVERYTHING:
        path.write_text(new)
        return
    before = path.read_bytes().decode()
    assert old in before, f"{file} has no {old!r}"
    path.write_bytes(before.replace(old, new).encode())


@pytest.mark.parametrize(
    ("file", "old", "new", "rules", "where", "words"), [each[1:] for each in SEEDS], ids=[each[0] for each in SEEDS]
)
def test_a_mistake_is_found_by_its_rule(root, file, old, new, rules, where, words) -> None:
    edit(root, file, old, new)
    found = bicep.check(Checkout(root)).findings
    rules = rules if isinstance(rules, tuple) else (rules,)
    assert {each.rule.id for each in found} == {f"bicep/{rule}" for rule in rules}, [str(each) for each in found]
    named = [each for each in found if each.rule.id == f"bicep/{rules[0]}"]
    assert line_of(root, *(where if isinstance(where, tuple) else (file, where))) in {each.place for each in named}
    said = " ".join(each.what for each in named)
    assert [word for word in words.split() if word not in said] == [], said


def line_of(root: Path, file: str, text: str) -> str:
    content = (root / file).read_text()
    place = len(content) if text == "\x04" else content.index(text)
    return f"{file}:{content.count(chr(10), 0, place) + 1}" if text else file


@pytest.mark.parametrize(("file", "old", "new"), [each[1:] for each in HARMLESS], ids=[each[0] for each in HARMLESS])
def test_what_only_looks_like_a_mistake_is_not_found(root: Path, file: str, old: str, new: str) -> None:
    edit(root, file, old, new)
    assert [str(each) for each in bicep.check(Checkout(root)).findings] == []


def test_a_finding_says_which_environments_it_is_about(root: Path) -> None:
    edit(root, MAIN, "${environmentCodes[environment]}-${project}-kv", "${environment}-${project}-secret-kv")
    edit(root, MAIN, "var environmentCodes = {\n  dev: 'dev'\n  staging: 'stg'\n  prod: 'prd'\n}\n", "")
    names = bicep.check(Checkout(root)).findings
    assert {each.environments for each in names} == {("dev",), ("staging",), ("prod",)}


def test_our_own_files_have_no_finding() -> None:
    report = bicep.check(Checkout(ROOT))
    assert [str(each) for each in report.findings] == []
    assert [each.count for each in report.checked] == [16, 67, 3]


def test_every_rule_has_a_seed() -> None:
    seeded = {rule for seed in SEEDS for rule in (seed[4] if isinstance(seed[4], tuple) else (seed[4],))}
    assert {rule.id for rule in bicep.RULES} == {f"bicep/{rule}" for rule in seeded}


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


def test_parameters_of_another_kind_are_not_passed_over_in_silence(tmp_path: Path) -> None:
    (tmp_path / "main.bicepparam").write_text("using './main.bicep'\n")
    assert [each.rule.id for each in bicep.check(Checkout(tmp_path)).findings] == ["bicep/not-read"]


def test_records_alone_are_a_step_of_their_own(tmp_path: Path) -> None:
    shutil.copy(ROOT / module("dns"), tmp_path / "main.bicep")
    assert bicep.check(Checkout(tmp_path)).findings == ()
