"""What the real `az` is asked to do against the rehearsal, in order, and what must come of it.

A command line is a template: `{group}`, `{template}` and the like are filled in when it runs. Results are what `az`
prints with the `--query` given, as JSON.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

REGION = "southafricanorth"
PRINCIPAL = "11111111-1111-4111-8111-111111111111"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"

# Azure is asked by `az` every 30 s while something goes on; nothing is waited for where it does not matter.
NOTHING = object()


# how a secure parameter is told
HIDDEN = {"type": "SecureString"}


@dataclass(frozen=True)
class Step:
    """One command: what it must print, or what it must be refused with (a part of its sentence)."""

    line: str
    prints: Any = NOTHING
    refused: str = ""
    before: str = ""

    def __str__(self) -> str:
        return self.line.partition(" --query")[0]

    def words(self, known: Mapping[str, str]) -> list[str]:
        """The command as arguments; what is filled in may hold spaces."""
        return [word.format(**known) for word in shlex.split(self.line)]

    def option(self, name: str, known: Mapping[str, str]) -> str:
        """What stands behind an option; empty where it is not given."""
        words = self.words(known)
        return words[words.index(name) + 1] if name in words else ""


def step(line: str, prints: Any = NOTHING, *, before: str = "") -> Step:
    return Step(line, prints, before=before)


def refused(line: str, says: str) -> Step:
    return Step(line, refused=says)


class Holds(list[Any]):
    """What a list must hold, or which names an object must have, at least."""


def holds(*wanted: Any) -> Holds:
    return Holds(wanted)


SIGNING_IN = (
    step("cloud register -n Rehearsal --endpoint-resource-manager {address}"),
    step("cloud set -n Rehearsal"),
    step("cloud show --query endpoints.resourceManager", "{address}"),
    refused("login --service-principal -u rehearsal -p wrong --tenant {tenant}", "AADSTS7000215"),
    refused("login --service-principal -u nobody -p wrong --tenant {tenant}", "AADSTS700016"),
    step("login --service-principal -u rehearsal -p @{secret} --tenant {tenant} --query [].id", ["{subscription}"]),
    step("account show --query [id,tenantId,user.type]", ["{subscription}", "{tenant}", "servicePrincipal"]),
    step("account list-locations --query [].name", holds(REGION)),
    step("provider show -n Microsoft.Web --query registrationState", "Registered"),
    step("provider register -n Microsoft.ContainerService"),
)

GROUPS = (
    step(
        f"group create -n {{group}} -l {REGION} --tags env=dev --query [name,location,properties.provisioningState]",
        ["{group}", REGION, "Succeeded"],
    ),
    refused("group create -n {group} -l eastus", "InvalidResourceGroupLocation"),
    step("group show -n {group} --query tags", {"env": "dev"}),
    step("group update -n {group} --tags env=dev owner=team --query tags", {"env": "dev", "owner": "team"}),
    step("group exists -n {group}", True),
    step("group exists -n nowhere", False),
    step("group list --query [].name", holds("{group}")),
    refused("group show -n nowhere", "ResourceGroupNotFound"),
    step("provider list --query [].namespace", holds("Microsoft.Resources")),
)

# a template with comments, a nested deployment and a secure parameter, sent by az as the text of its file
DEPLOYMENTS = (
    step(
        "deployment group validate -g {group} -n small -f {small} -p secret=whisper "
        "--query [properties.provisioningState,length(properties.validatedResources)]",
        ["Succeeded", 3],
    ),
    refused("deployment group validate -g {group} -n wrong -f {wrong}", "InvalidTemplate"),
    step(
        "deployment group what-if -g {group} -n small -f {small} -p secret=whisper --no-pretty-print "
        "--query changes[].changeType",
        ["Create", "Create", "Create"],
    ),
    step("deployment group create -g {group} -n small -f {small} -p secret=whisper --no-wait"),
    step("deployment group wait -g {group} -n small --created --interval 1"),
    step(
        "deployment group show -g {group} -n small --query "
        "properties.[provisioningState,outputs.planName.value,parameters.plan.value,parameters.secret.type]",
        ["Succeeded", "small-plan", "small-plan", "SecureString"],
    ),
    step("deployment group show -g {group} -n inner --query properties.provisioningState", "Succeeded"),
    step("deployment group list -g {group} --query [].name", holds("small", "inner")),
    step("deployment group export -g {group} -n small", holds("parameters", "resources", "outputs")),
    step(
        "deployment operation group list -g {group} -n small "
        "--query [].properties.[provisioningState,targetResource.resourceName]",
        holds(["Succeeded", "small-plan"], ["Succeeded", "small-site"], ["Succeeded", "inner"]),
    ),
    step("resource list -g {group} --query [].name", holds("small-plan", "small-site", "smallinnerstore")),
    step("deployment group create -g {group} -n endless -f {empty} --no-wait", before="endless"),
    step("deployment group cancel -g {group} -n endless", before="endless"),
    step("deployment group show -g {group} -n endless --query properties.provisioningState", "Canceled"),
    refused("deployment group cancel -g {group} -n endless", "DeploymentCannotBeCancelled"),
    step("deployment group create -g {group} -n hopeless -f {empty} --no-wait", before="hopeless"),
    step(
        "deployment group show -g {group} -n hopeless --query properties.[provisioningState,error.code]",
        ["Failed", "DeploymentFailed"],
    ),
    refused("deployment group show -g {group} -n nobody", "DeploymentNotFound"),
)

# the App's own definitions: our Bicep, compiled by the program of the rehearsal when az calls it
_DEFINED = "-g {group} -n app -f {bicep} -p @{parameters} -p jwtRsaPrivateKey=@{secret} -p jwtRsaPublicKey=@{secret}"
APP = (
    step(f"deployment group validate {_DEFINED} --query properties.provisioningState", "Succeeded"),
    step(f"deployment group create {_DEFINED} --no-wait"),
    step("deployment group wait -g {group} -n app --created --interval 1"),
    step(
        "deployment group show -g {group} -n app --query properties.outputs.apiAppServiceName.value",
        "mys-dev-mystira-api-san",
    ),
    step("deployment group show -g {group} -n app --query properties.parameters.jwtRsaPrivateKey", HIDDEN),
    step(
        f"deployment group what-if {_DEFINED} --no-pretty-print --query \"changes[?changeType=='Create'].resourceId\"",
        [],
    ),
)

RESOURCES = (
    step("resource list --resource-type Microsoft.Web/sites --query [].name", holds("small-site")),
    step(
        "resource show -g {group} -n small-plan --resource-type Microsoft.Web/serverfarms --api-version 2023-12-01 "
        "--query sku.name",
        "S1",
    ),
    step(
        "resource tag -g {group} -n smallinnerstore --resource-type Microsoft.Storage/storageAccounts "
        "--api-version 2023-01-01 --tags a=b --query tags",
        {"a": "b"},
    ),
    refused("resource show -g {group} -n none --resource-type Microsoft.Web/sites", "ResourceNotFound"),
)

SITES = (
    step("appservice plan list -g {group} --query [].name", holds("small-plan")),
    step("webapp list -g {group} --query [].[name,state]", holds(["small-site", "Running"])),
    step(
        "webapp show -g {group} -n small-site --query [defaultHostName,sku,siteConfig.minTlsVersion]",
        ["small-site.azurewebsites.net", "Standard", "1.2"],
    ),
    refused("webapp show -g {group} -n none", "ResourceNotFound"),
    step("webapp config show -g {group} -n small-site --query httpVersion20Enabled", NOTHING),
    step("webapp config appsettings set -g {group} -n small-site --settings A=1 --query [].name", ["A"]),
    step("webapp config appsettings list -g {group} -n small-site --query [].[name,value]", [["A", "1"]]),
    step("webapp deployment slot create -g {group} -n small-site --slot staging --query name", "staging"),
    step("webapp deployment slot list -g {group} -n small-site --query [].name", ["staging"]),
    step(
        "webapp config hostname list -g {group} --webapp-name small-site --query [].name",
        ["small-site.azurewebsites.net"],
    ),
)

NAMES = (
    step("network dns zone create -g {group} -n rehearsed.example --query length(nameServers)", 4),
    step("network dns zone list --query [].name", holds("rehearsed.example")),
    step("network dns zone show -g {group} -n rehearsed.example --query numberOfRecordSets", 2),
    step("network dns record-set a add-record -g {group} -z rehearsed.example -n www -a 192.0.2.1 --query TTL", 3600),
    step(
        "network dns record-set a show -g {group} -z rehearsed.example -n www --query ARecords[].ipv4Address",
        ["192.0.2.1"],
    ),
    step("network dns record-set cname set-record -g {group} -z rehearsed.example -n alias -c www.rehearsed.example"),
    step("network dns record-set txt add-record -g {group} -z rehearsed.example -n asuid.www -v proof"),
    step(
        "network dns record-set list -g {group} -z rehearsed.example --query [].name",
        holds("www", "alias", "asuid.www", "@"),
    ),
    step("network dns record-set a list -g {group} -z rehearsed.example --query [].fqdn", ["www.rehearsed.example."]),
    step("network dns record-set a delete -g {group} -z rehearsed.example -n www -y"),
    step("network dns record-set a list -g {group} -z rehearsed.example", []),
)

REGISTRIES_AND_VAULTS = (
    step(
        "acr create -g {group} -n rehearsedacr --sku Basic --query [loginServer,sku.name]",
        ["rehearsedacr.azurecr.io", "Basic"],
    ),
    step("acr list --query [].name", holds("rehearsedacr")),
    step("acr show -n rehearsedacr --query provisioningState", "Succeeded"),
    step(f"keyvault create -g {{group}} -n rehearsed-kv -l {REGION} --no-wait"),
    step("keyvault list --query [].name", holds("rehearsed-kv")),
    step("keyvault show -n rehearsed-kv --query properties.vaultUri", "https://rehearsed-kv.vault.azure.net/"),
)

CLUSTERS = (
    step("aks create -g {group} -n rehearsed-aks --no-wait --no-ssh-key --node-count 1"),
    step("aks list --query [].name", holds("rehearsed-aks")),
    step(
        "aks show -g {group} -n rehearsed-aks --query [provisioningState,powerState.code,kubernetesVersion]",
        ["Succeeded", "Running", "1.35"],
    ),
    step("aks nodepool list -g {group} --cluster-name rehearsed-aks --query [].[name,count]", [["nodepool1", 1]]),
    step("aks get-credentials -g {group} -n rehearsed-aks -f {kubeconfig}"),
    step("aks get-credentials -g {group} -n rehearsed-aks -f {kubeconfig}.admin --admin"),
    refused("aks get-credentials -g {group} -n none -f {kubeconfig}.none", "ResourceNotFound"),
)

_ASSIGNEE = f"--assignee-object-id {PRINCIPAL}"
_SCOPE = "--scope /subscriptions/{subscription}/resourceGroups/{group}"

ROLES = (
    step("role definition list --name AcrPull --query [].roleName", ["AcrPull"]),
    step(
        f"role assignment create {_ASSIGNEE} --assignee-principal-type ServicePrincipal --role Contributor {_SCOPE} "
        "--query principalId",
        PRINCIPAL,
    ),
    step(
        f"role assignment list {_SCOPE} --fill-principal-name false --query [].[principalId,roleDefinitionName]",
        [[PRINCIPAL, "Contributor"]],
    ),
    step(f"role assignment delete {_ASSIGNEE} --role Contributor {_SCOPE}"),
    step(f"role assignment list {_SCOPE} --fill-principal-name false", []),
)

LEAVING = (
    step("group delete -n {group} -y --no-wait"),
    step("group wait -n {group} --deleted --interval 1"),
    step("group exists -n {group}", False),
    step("resource list --query [].name", []),
    step("logout"),
    refused("group list", "az login"),
)

COMMANDS = (
    *SIGNING_IN,
    *GROUPS,
    *DEPLOYMENTS,
    *APP,
    *RESOURCES,
    *SITES,
    *NAMES,
    *REGISTRIES_AND_VAULTS,
    *CLUSTERS,
    *ROLES,
    *LEAVING,
)
