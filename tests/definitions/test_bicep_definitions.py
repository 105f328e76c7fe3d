"""The App's Bicep: it compiles, fits its parameter files, keeps Azure's rules of naming, and gives away no secret."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import tree_sitter_bicep
from tree_sitter import Language, Node, Parser
from workspace.rehearsal import bicep
from workspace.rehearsal.template import Evaluator, Planned

FOLDER = Path(__file__).resolve().parents[2] / "packages" / "app" / "infrastructure"
FILES = sorted(FOLDER.rglob("*.bicep"))
ENVIRONMENTS = ("dev", "staging", "prod")
SUBSCRIPTION = "00000000-0000-4000-8000-000000000001"
NOT_IN_FILES = {"jwtRsaPrivateKey", "jwtRsaPublicKey"}
Json = dict[str, Any]

# What Azure allows, by type: shortest, longest, characters.
NAMES = {
    "Microsoft.OperationalInsights/workspaces": (4, 63, r"[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]"),
    "Microsoft.Insights/components": (1, 260, r"[^%&\\?/]+[^%&\\?/ .]"),
    "Microsoft.Insights/actionGroups": (1, 260, r"[^:<>+/&%\\?|]+[^:<>+/&%\\?| .]"),
    "Microsoft.Insights/metricAlerts": (1, 260, r"[^*#&+:<>?@%{}\\/|]+[^*#&+:<>?@%{}\\/|. ]"),
    "Microsoft.Insights/scheduledQueryRules": (1, 260, r"[^*<>%{}&:\\?/#|]+[^*<>%{}&:\\?/#|. ]"),
    "Microsoft.Insights/webtests": (1, 260, r"[A-Za-z0-9_.-]+"),
    "Microsoft.Portal/dashboards": (3, 160, r"[A-Za-z0-9-]+"),
    "Microsoft.Consumption/budgets": (1, 63, r"[A-Za-z0-9_-]+"),
    "Microsoft.KeyVault/vaults": (3, 24, r"[A-Za-z](?:-?[A-Za-z0-9])*"),
    "Microsoft.KeyVault/vaults/secrets": (1, 127, r"[A-Za-z0-9-]+"),
    "Microsoft.Communication/communicationServices": (1, 63, r"[A-Za-z0-9-]+"),
    "Microsoft.Communication/emailServices": (1, 63, r"[A-Za-z0-9-]+"),
    "Microsoft.Communication/emailServices/domains": (1, 253, r"[a-z0-9.-]+"),
    "Microsoft.Communication/emailServices/domains/senderUsernames": (1, 63, r"[A-Za-z0-9_.-]+"),
    "Microsoft.BotService/botServices": (2, 64, r"[A-Za-z0-9][A-Za-z0-9_.-]*"),
    "Microsoft.BotService/botServices/channels": (1, 64, r"[A-Za-z]+"),
    "Microsoft.Storage/storageAccounts": (3, 24, r"[a-z0-9]+"),
    "Microsoft.Storage/storageAccounts/blobServices": (7, 7, r"default"),
    "Microsoft.Storage/storageAccounts/blobServices/containers": (3, 63, r"[a-z0-9](?:-?[a-z0-9])*"),
    "Microsoft.DocumentDB/databaseAccounts": (3, 44, r"[a-z0-9][a-z0-9-]*[a-z0-9]"),
    "Microsoft.DocumentDB/databaseAccounts/sqlDatabases": (1, 255, r"[^/\\#?]*[^/\\#? ]"),
    "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers": (1, 255, r"[^/\\#?]*[^/\\#? ]"),
    "Microsoft.Web/serverfarms": (1, 40, r"[A-Za-z0-9-]+"),
    "Microsoft.Web/sites": (2, 60, r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])"),
    "Microsoft.Web/sites/slots": (2, 59, r"[A-Za-z0-9-]+"),
    "Microsoft.Web/sites/config": (1, 60, r"appsettings"),
    "Microsoft.Web/sites/slots/config": (1, 60, r"appsettings"),
    "Microsoft.Web/staticSites": (1, 60, r"[A-Za-z0-9-]+"),
    "Microsoft.Network/dnsZones/CNAME": (1, 253, r"[a-z0-9.-]+"),
    "Microsoft.Network/dnsZones/TXT": (1, 253, r"[a-z0-9.-]+"),
    "Microsoft.Network/dnsZones/A": (1, 253, r"@|[a-z0-9.-]+"),
    "Microsoft.Authorization/roleAssignments": (36, 36, r"[0-9a-f-]{36}"),
    "Microsoft.Insights/diagnosticSettings": (1, 260, r"[a-z-]+"),
}

OUTPUTS = {
    "apiAppServiceName",
    "apiAppServiceDefaultHostName",
    "apiAppServiceUrl",
    "adminApiAppServiceName",
    "adminApiAppServiceDefaultHostName",
    "adminApiAppServiceUrl",
    "customDomainVerificationId",
    "slotsEnabled",
    "staticWebAppName",
    "staticWebAppDefaultHostname",
    "staticWebAppUrl",
    "keyVaultName",
    "keyVaultUri",
    "storageAccountName",
    "cosmosAccountName",
}

SETTINGS = {
    "ASPNETCORE_ENVIRONMENT",
    "ConnectionStrings__CosmosDb",
    "ConnectionStrings__AzureStorage",
    "CorsSettings__AllowedOrigins",
    "Azure__BlobStorage__ContainerName",
    "Azure__CosmosDb__DatabaseName",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "JwtSettings__RsaPrivateKey",
    "JwtSettings__RsaPublicKey",
    "JwtSettings__Issuer",
    "JwtSettings__Audience",
    "AzureCommunicationServices__ConnectionString",
    "AzureCommunicationServices__SenderEmail",
}


@cache
def main() -> Json:
    """The compiled template."""
    return bicep.compile(FOLDER / "main.bicep")


def given(environment: str, **more: Any) -> Json:
    """An environment's parameters with keys to sign with, and what a test adds."""
    file = json.loads((FOLDER / f"params.{environment}.json").read_text())
    keys = {name: {"value": f"a secret of {environment}: {name}"} for name in NOT_IN_FILES}
    return {**file["parameters"], **keys, **{name: {"value": value} for name, value in more.items()}}


class Deployed:
    """A deployment of the template into nothing, resource by resource, with what Azure would fill in."""

    def __init__(self, environment: str, **more: Any) -> None:
        self.resources: dict[str, Json] = {}
        self._known: dict[str, Json] = {}
        self.group = f"mys-{environment}-mystira-rg-san"
        self.outputs = self._deploy(main(), given(environment, **more), self.group, "app-base", "southafricanorth")

    def of(self, kind: str) -> list[Json]:
        """The resources of a type."""
        return [each for each in self.resources.values() if each["type"] == kind]

    def _deploy(self, template: Json, parameters: Json, group: str, name: str, location: str) -> Json:
        place: Json = {"subscription": SUBSCRIPTION, "group": group, "location": location, "deployment": name}
        evaluator = Evaluator(template, parameters, lookup=self._lookup, **place)
        for planned in evaluator.resources():
            self._make(planned)
        return evaluator.outputs()

    def _make(self, planned: Planned) -> None:
        nested = planned.deployment
        if nested:
            outputs = self._deploy(nested.template, nested.parameters, nested.group, nested.name, nested.location)
            self._known[planned.id.lower()] = {"type": planned.type, "properties": {"outputs": outputs}}
            return
        assert planned.id not in self.resources, "two owners of one resource"
        self.resources[planned.id] = {**planned.body(), "id": planned.id, "apiVersion": planned.api_version}
        self._known[planned.id.lower()] = _completed(self.resources[planned.id])

    def _lookup(self, resource_id: str) -> Json | None:
        owner, _, action = resource_id.rpartition("/")
        if action == "listKeys" and owner.lower() in self._known:
            return {"keys": [{"value": "made-up"}], "primaryConnectionString": "endpoint=made-up"}
        if action == "listConnectionStrings" and owner.lower() in self._known:
            return {"connectionStrings": [{"connectionString": "AccountEndpoint=made-up"}]}
        return self._known.get(resource_id.lower())


def _completed(resource: Json) -> Json:
    name = resource["name"]
    filled = {
        "defaultHostName": f"{name}.azurewebsites.net",
        "defaultHostname": f"{name}.azurestaticapps.net",
        "customDomainVerificationId": "ABC",
        "vaultUri": f"https://{name}.vault.azure.net/",
        "documentEndpoint": f"https://{name}.documents.azure.com:443/",
        "InstrumentationKey": "key",
        "ConnectionString": "InstrumentationKey=key",
    }
    identity = {"principalId": "11111111-0000-4000-8000-000000000000"}
    return {**resource, "properties": {**filled, **(resource.get("properties") or {})}, "identity": identity}


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def deployed(request: pytest.FixtureRequest) -> Deployed:
    """The template, deployed to each environment."""
    return Deployed(request.param)


def settings(deployed: Deployed, app: str = "api") -> Json:
    """The settings of an app."""
    name = next(each["name"] for each in deployed.of("Microsoft.Web/sites") if f"-{app}-" in each["name"])
    found = next(each for each in deployed.of("Microsoft.Web/sites/config") if f"/{name}/" in each["id"])
    properties: Json = found["properties"]
    return properties


# --- the files


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_parses_without_a_mistake(file: Path) -> None:
    tree = Parser(Language(tree_sitter_bicep.language())).parse(file.read_bytes())
    assert [f"{node.start_point}" for node in _mistakes(tree.root_node)] == []


def _mistakes(node: Node) -> Iterator[Node]:
    if node.is_error or node.is_missing:
        yield node
    for child in node.children:
        yield from _mistakes(child)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_compiles_by_itself(file: Path) -> None:
    assert bicep.compile(file)["contentVersion"] == "1.0.0.0"


def test_the_real_compiler_takes_the_template_where_there_is_one() -> None:
    program = shutil.which("bicep")
    if program is None:
        pytest.skip("bicep is not on PATH; the stand-in compiles it")
    main = FOLDER / "main.bicep"
    done = subprocess.run([program, "build", "--stdout", str(main)], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    real, ours = json.loads(done.stdout), bicep.compile(main)
    for part in ("parameters", "outputs"):
        assert set(real[part]) == set(ours[part])


def test_every_module_is_used_and_every_use_resolves() -> None:
    used = {Path(path).name for path in re.findall(r"^module \w+ '([^']+)'", (FOLDER / "main.bicep").read_text(), re.M)}
    assert used == {file.name for file in FILES if file.parent.name == "modules"}
    assert len(used) == 15


def test_every_parameter_and_variable_is_used() -> None:
    for file in FILES:
        text = re.sub(r"(?<!:)//.*", "", file.read_text())
        for name in re.findall(r"^(?:param|var) (\w+)", text, re.M):
            assert len(re.findall(rf"\b{name}\b", text)) > 1, f"{file.name}: {name} is declared and never used"


def test_the_two_forms_of_the_template_want_the_same_resources() -> None:
    place: Json = {"subscription": SUBSCRIPTION, "group": "g", "location": "x", "deployment": "d"}
    forms = [main(), bicep.compile(FOLDER / "main.bicep", symbolic=True)]
    made = [Evaluator(form, given("prod"), lookup=lambda _: None, **place).resources() for form in forms]
    assert {each.id for each in made[0]} == {each.id for each in made[1]}


# --- the parameters


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_parameter_file_fits_the_template(environment: str) -> None:
    file = json.loads((FOLDER / f"params.{environment}.json").read_text())
    assert set(file) == {"$schema", "contentVersion", "parameters"}
    assert file["parameters"]["environment"]["value"] == environment
    secure = {name for name, each in main()["parameters"].items() if each["type"].startswith("secure")}
    assert secure >= NOT_IN_FILES
    assert set(main()["parameters"]) - set(file["parameters"]) == secure | {"budgetStartDate"}


def test_the_parameter_files_have_the_same_keys_in_the_same_order() -> None:
    keys = [list(json.loads((FOLDER / f"params.{each}.json").read_text())["parameters"]) for each in ENVIRONMENTS]
    assert keys[0] == keys[1] == keys[2]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("appServiceSku", ("B1", "B1", "P1v3")),
        ("storageSku", ("Standard_LRS", "Standard_GRS", "Standard_RAGRS")),
        ("cosmosServerless", (True, True, False)),
        ("logRetentionDays", (30, 60, 90)),
        ("logDailyQuotaGb", (1, 5, -1)),
        ("staticWebAppSku", ("Free", "Free", "Standard")),
        ("staticWebAppBranch", ("dev", "staging", "main")),
        ("customDomainSubdomain", ("dev", "staging", "")),
        ("enableAlerts", (False, True, True)),
        ("enableAvailabilityTests", (False, True, True)),
        ("monthlyBudget", (50, 100, 500)),
        ("deployAzureBot", (False, False, True)),
        ("enableCustomDomain", (False, False, False)),
        ("dnsZoneResourceGroup", ("mys-prod-mystira-rg-glob",) * 3),
        ("linuxFxVersion", ("DOTNETCORE|10.0",) * 3),
    ],
)
def test_the_environments_differ_as_the_workspace_says(name: str, values: tuple[Any, ...]) -> None:
    assert tuple(given(each)[name]["value"] for each in ENVIRONMENTS) == values


# --- what is deployed


def test_names_keep_the_rules_of_their_type(deployed: Deployed) -> None:
    for each in deployed.resources.values():
        shortest, longest, pattern = NAMES[each["type"]]
        assert shortest <= len(each["name"]) <= longest, f"{each['name']} has {len(each['name'])} characters"
        assert re.fullmatch(pattern, each["name"]), f"{each['type']} may not be called {each['name']}"


def test_the_short_name_of_the_action_group_fits_in_12_characters() -> None:
    group = Deployed("prod").of("Microsoft.Insights/actionGroups")[0]
    assert len(group["properties"]["groupShortName"]) <= 12


def test_what_the_pipeline_needs_is_given_and_nothing_is_empty(deployed: Deployed) -> None:
    assert set(deployed.outputs) >= OUTPUTS
    assert [name for name in OUTPUTS if deployed.outputs[name]["value"] in ("", None)] == []


def test_no_output_gives_a_secret_away(deployed: Deployed) -> None:
    told = json.dumps(deployed.outputs).lower()
    for word in ("connectionstring", "accountkey", "instrumentationkey", "made-up", "a secret of", "password", "token"):
        assert word not in told


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_template_has_a_secret_in_an_output(file: Path) -> None:
    template = bicep.compile(file)
    outputs = json.dumps(template.get("outputs", {})).lower()
    assert not re.search(r"list\w*\(|connectionstring|instrumentationkey", outputs)
    secure = [
        name for name, each in template.get("parameters", {}).items() if each["type"].lower().startswith("secure")
    ]
    assert [name for name in secure if f"parameters('{name.lower()}')" in outputs] == []


def test_secrets_reach_the_apps_through_the_vault_only(deployed: Deployed) -> None:
    found = settings(deployed)
    assert set(found) >= SETTINGS
    vault = deployed.outputs["keyVaultName"]["value"]
    kept = {each["name"] for each in deployed.of("Microsoft.KeyVault/vaults/secrets")}
    referred = {
        match[1]
        for value in found.values()
        if (match := re.fullmatch(rf"@Microsoft\.KeyVault\(VaultName={vault};SecretName=([A-Za-z0-9-]+)\)", value))
    }
    assert referred == kept
    assert not [value for value in found.values() if "made-up" in value or "a secret of" in value]


def test_only_secrets_that_are_passed_are_referred_to() -> None:
    without = set(settings(Deployed("prod")))
    passed = {"discordBotToken": "d", "whatsAppWebhookVerifyToken": "w", "botMicrosoftAppId": "b"}
    added = set(settings(Deployed("prod", **passed))) - without
    assert added == {"Discord__BotToken", "WhatsApp__WebhookVerifyToken", "Bot__MicrosoftAppId"}


def test_the_vault_is_opened_by_roles_and_every_identity_has_one(deployed: Deployed) -> None:
    vault = deployed.of("Microsoft.KeyVault/vaults")[0]
    assert vault["properties"]["enableRbacAuthorization"] is True
    assert "accessPolicies" not in vault["properties"]
    identities = deployed.of("Microsoft.Web/sites") + deployed.of("Microsoft.Web/sites/slots")
    roles = deployed.of("Microsoft.Authorization/roleAssignments")
    assert len(roles) == len(identities)
    assert all(each["id"].startswith(f"{vault['id']}/providers/") for each in roles)
    assert all(
        each["properties"]["roleDefinitionId"].endswith("4633458b-17de-408a-b874-0445c86b69e6") for each in roles
    )


def test_slots_exist_where_the_plan_has_them() -> None:
    found = {each: Deployed(each) for each in ("dev", "prod")}
    slots = {each: len(found[each].of("Microsoft.Web/sites/slots")) for each in found}
    told = {each: found[each].outputs["slotsEnabled"]["value"] for each in found}
    assert (slots, told) == ({"dev": 0, "prod": 2}, {"dev": False, "prod": True})


def test_a_slot_has_the_same_settings_as_its_app() -> None:
    deployed = Deployed("prod")
    slots = deployed.of("Microsoft.Web/sites/slots/config")
    assert [each["properties"] for each in slots] == [settings(deployed), settings(deployed)]


def test_a_database_is_serverless_or_provisioned_never_both() -> None:
    for environment, serverless in (("dev", True), ("prod", False)):
        deployed = Deployed(environment)
        account = deployed.of("Microsoft.DocumentDB/databaseAccounts")[0]["properties"]
        database = deployed.of("Microsoft.DocumentDB/databaseAccounts/sqlDatabases")[0]["properties"]
        assert (account["capabilities"] == [{"name": "EnableServerless"}]) is serverless
        assert (database["options"] == {}) is serverless


def test_the_database_has_its_containers(deployed: Deployed) -> None:
    found = deployed.of("Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers")
    assert {each["name"]: each["properties"]["resource"]["partitionKey"]["paths"][0] for each in found} == {
        "UserProfiles": "/accountId",
        "Accounts": "/id",
        "Scenarios": "/id",
        "GameSessions": "/accountId",
        "ContentBundles": "/id",
        "PendingSignups": "/email",
        "CompassTrackings": "/Axis",
    }


def test_the_pipelines_template_writes_no_record_and_binds_no_host(deployed: Deployed) -> None:
    kinds = {each["type"] for each in deployed.resources.values()}
    assert not [kind for kind in kinds if "dnsZones" in kind or "hostNameBindings" in kind or "customDomains" in kind]
    assert all(f"/resourceGroups/{deployed.group}/" in each["id"] for each in deployed.resources.values())


@pytest.mark.parametrize(
    ("environment", "records"),
    [
        ("dev", {"CNAME dev", "CNAME api.dev", "CNAME admin.dev", "TXT asuid.api.dev", "TXT asuid.admin.dev"}),
        ("prod", {"A @", "CNAME api", "CNAME admin", "TXT asuid.api", "TXT asuid.admin"}),
    ],
)
def test_by_hand_the_records_can_be_written_into_the_zones_group(environment: str, records: set[str]) -> None:
    deployed = Deployed(environment, enableCustomDomain=True, enableApiCustomDomain=True)
    found = [each for each in deployed.resources.values() if "dnsZones" in each["type"]]
    assert {f"{each['type'].rsplit('/', 1)[1]} {each['name']}" for each in found} == records
    assert all("/resourceGroups/mys-prod-mystira-rg-glob/" in each["id"] for each in found)
    for each in found:
        assert re.fullmatch(NAMES[each["type"]][2], each["name"])


def test_parts_that_exist_already_are_not_made() -> None:
    skipped = {
        "skipStorageCreation": True,
        "existingStorageAccountName": "theirs",
        "existingStorageConnectionString": "s",
        "skipCosmosCreation": True,
        "existingCosmosAccountName": "theirs-too",
        "skipCommServiceCreation": True,
        "deployStaticWebApp": False,
        "deployDashboard": False,
    }
    deployed = Deployed("dev", **skipped)
    kinds = {each["type"].split("/")[0] for each in deployed.resources.values()}
    assert kinds.isdisjoint(
        {"Microsoft.Storage", "Microsoft.DocumentDB", "Microsoft.Communication", "Microsoft.Portal"}
    )
    assert deployed.outputs["storageAccountName"]["value"] == "theirs"
    assert deployed.outputs["cosmosAccountName"]["value"] == "theirs-too"
    found = settings(deployed)
    assert "ConnectionStrings__AzureStorage" in found
    assert "ConnectionStrings__CosmosDb" not in found


def test_the_bot_is_made_when_its_application_is_known() -> None:
    assert Deployed("prod").of("Microsoft.BotService/botServices") == []
    deployed = Deployed("prod", botMicrosoftAppId="11111111-2222-4333-8444-555555555555")
    assert deployed.of("Microsoft.BotService/botServices")[0]["properties"]["msaAppType"] == "SingleTenant"
    assert len(deployed.of("Microsoft.BotService/botServices/channels")) == 3
    assert deployed.outputs["botEndpoint"]["value"] == "https://api.mystira.app/api/messages"


def test_alerts_and_tests_exist_where_they_are_wanted() -> None:
    counted = {
        environment: tuple(
            len(Deployed(environment).of(f"Microsoft.Insights/{kind}"))
            for kind in ("actionGroups", "metricAlerts", "scheduledQueryRules", "webtests")
        )
        for environment in ENVIRONMENTS
    }
    assert counted == {"dev": (0, 0, 0, 0), "staging": (1, 10, 3, 3), "prod": (1, 10, 3, 3)}


def test_every_resource_that_has_tags_says_whose_it_is(deployed: Deployed) -> None:
    for each in deployed.resources.values():
        if "tags" in each:
            assert {"Organization", "Environment", "Project", "CostCenter"} <= set(each["tags"])


@pytest.mark.parametrize(
    ("kind", "version"),
    [
        ("Microsoft.OperationalInsights/workspaces", "2022-10-01"),
        ("Microsoft.Insights/components", "2020-02-02"),
        ("Microsoft.Insights/actionGroups", "2023-01-01"),
        ("Microsoft.Insights/metricAlerts", "2018-03-01"),
        ("Microsoft.Insights/scheduledQueryRules", "2023-03-15-preview"),
        ("Microsoft.Insights/webtests", "2022-06-15"),
        ("Microsoft.Portal/dashboards", "2020-09-01-preview"),
        ("Microsoft.Consumption/budgets", "2023-05-01"),
        ("Microsoft.KeyVault/vaults", "2023-07-01"),
        ("Microsoft.KeyVault/vaults/secrets", "2023-07-01"),
        ("Microsoft.Communication/communicationServices", "2023-04-01"),
        ("Microsoft.Communication/emailServices/domains", "2023-04-01"),
        ("Microsoft.Storage/storageAccounts", "2023-01-01"),
        ("Microsoft.DocumentDB/databaseAccounts", "2024-05-15"),
        ("Microsoft.Web/serverfarms", "2023-01-01"),
        ("Microsoft.Web/sites", "2023-01-01"),
        ("Microsoft.Web/staticSites", "2023-01-01"),
        ("Microsoft.Insights/diagnosticSettings", "2021-05-01-preview"),
    ],
)
def test_a_type_is_asked_for_in_the_version_that_the_workspace_names(kind: str, version: str) -> None:
    assert {each["apiVersion"] for each in _everything().of(kind)} == {version}


@cache
def _everything() -> Deployed:
    return Deployed("prod")
