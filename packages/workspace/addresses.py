"""Where everything outside is: one value that makes a run real or a rehearsal."""

from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from workspace import blob_address

_PUTS_A_PLUGIN_IN_PLACE = ("TF_REATTACH_PROVIDERS", "TF_CLI_CONFIG_FILE")


class Addresses(BaseModel):
    """The addresses of one target, and the names of its credentials; never a secret itself.

    The defaults are those of Azure in public. A rehearsal writes its own, all on loopback. `{name}` stands for
    the site or vault. Durations are in seconds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    title: str = Field(default="Azure", description="What people see in results: Azure, or a rehearsal and its parts.")
    parts: dict[str, str] = Field(default_factory=dict, description="Which parts are real and which stand in, by name.")
    subscription: str = Field(description="Azure subscription id.")
    tenant: str = Field(default="", description="Microsoft Entra tenant id.")
    resource_manager: str = Field(default="https://management.azure.com")
    scope: str = Field(
        default="https://management.azure.com/.default", description="Token scope of the resource manager."
    )
    authority: str = Field(default="login.microsoftonline.com")
    certificate: Path | None = Field(default=None, description="A CA file to trust instead of the system's.")
    identity: Path | None = Field(
        default=None, description="A 0600 file with client_id and client_secret; none: as az."
    )
    vault: str = Field(default="https://{name}.vault.azure.net")
    kudu: str = Field(default="https://{name}.scm.azurewebsites.net")
    registry: str = Field(default="https://mystiraacr.azurecr.io")
    registry_name: str = Field(default="mystiraacr.azurecr.io", description="The host written in image references.")
    engine: str | None = Field(
        default=None, description="The Docker engine's socket; none: as the docker command finds it."
    )
    resolvers: tuple[str, ...] = Field(default=(), description="host:port of public resolvers; none: the system's.")
    name_servers: tuple[str, ...] = Field(default=(), description="host:port that answer for the zone; none: its own.")
    public_scheme: str = Field(default="https")
    public_certificate: Path | None = Field(
        default=None, description="A CA file for the public hosts, where their issuer is not one the system trusts."
    )
    version_path: str = Field(
        default="",
        description="Where hosts tell what they serve, as JSON; none: what runs is compared at its platform.",
    )
    public_port: int = Field(default=443)
    terraform_backend: dict[str, Any] = Field(
        default_factory=dict, description="Terraform backend type and its settings."
    )
    terraform_environment: dict[str, str] = Field(default_factory=dict, description="Variables Terraform is handed.")
    programs: Path | None = Field(default=None, description="A folder searched before PATH (a rehearsal's bicep).")
    state: Path = Field(description="Ledger and work folders of this machine.")
    ledger: str = Field(
        default="",
        description="A team's ledger and kept definitions: https://ACCOUNT.blob.core.windows.net/CONTAINER, perhaps "
        "with a folder in it; none: the folder state.",
    )
    packages: str = Field(
        default="",
        description="Where packages are kept by content: a folder, or a container as for the ledger; none: beside the "
        "ledger.",
    )
    sources: dict[str, str | dict[str, Any]] = Field(
        default_factory=dict, description="What a rehearsal uses in place of a source: another path, or whole settings."
    )
    secrets: dict[str, Path] = Field(
        default_factory=dict, description="The 0600 file of each secret that a template is handed, by its name."
    )
    poll_seconds: float = Field(default=5.0, description="Longest pause between two looks at a long operation.")

    deadline_seconds: float | None = Field(
        default=None, description="How long a node waits for something, where it does not say; none: as its kind does."
    )
    deadlines: dict[str, float] = Field(default_factory=dict, description="The same for single nodes, by name.")

    @field_validator("ledger")
    @classmethod
    def _is_a_container(cls, ledger: str) -> str:
        if ledger:
            blob_address.parse(ledger)
        return ledger

    @field_validator("packages")
    @classmethod
    def _is_a_folder_or_container(cls, packages: str) -> str:
        if blob_address.is_blob_address(packages):
            blob_address.parse(packages)
        return packages

    @model_validator(mode="after")
    def _keeps_stand_ins_at_home(self) -> Self:
        """A plugin that stands in is for a rehearsal: with Azure's own address it would write states about nothing."""
        found = [name for name in _PUTS_A_PLUGIN_IN_PLACE if name in self.terraform_environment]
        if found and not blob_address.is_loopback(urlsplit(self.resource_manager).hostname or ""):
            raise ValueError(
                f"terraform_environment puts another plugin in azurerm's place ({', '.join(found)}), which only a "
                f"rehearsal may, and {self.resource_manager} is not on this machine; take it out of the addresses"
            )
        return self

    def facts(self) -> dict[str, Any]:
        """What settings may read of the target, as plain values."""
        return self.model_dump(mode="json")
