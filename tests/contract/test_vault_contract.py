"""Our vault client against the vault stand-in, behind the real challenge."""

import pytest
from azure.keyvault.secrets import SecretClient
from azure_here import GROUP, VAULT, Anybody, AzureHere, group_id, shared
from workspace.errors import Broken, Unsettled


@pytest.fixture
def azure() -> AzureHere:
    here = shared()
    here.fail()
    return here


def test_a_secret_reads_back_as_it_was_set(azure: AzureHere) -> None:
    assert azure.vault.set(VAULT, "anthropic-api-key", "one")
    assert azure.vault.get(VAULT, "anthropic-api-key") == "one"


def test_a_secret_that_holds_the_value_is_not_set_again(azure: AzureHere) -> None:
    azure.vault.set(VAULT, "same", "one")
    before = azure.writes

    assert not azure.vault.set(VAULT, "same", "one")
    assert azure.writes == before


def test_a_secret_that_is_not_there_is_none(azure: AzureHere) -> None:
    assert azure.vault.get(VAULT, "nothing") is None


def test_a_secret_that_a_stack_made_is_seen(azure: AzureHere) -> None:
    secret = f"{group_id(GROUP)}/providers/Microsoft.KeyVault/vaults/{VAULT}/secrets/chain-rpc-endpoint"
    azure.put({"id": secret, "_value": "http://mystira-chain:8545"})

    assert azure.vault.get(VAULT, "chain-rpc-endpoint") == "http://mystira-chain:8545"
    assert "chain-rpc-endpoint" in azure.vault.names(VAULT)


def test_a_vault_that_is_not_there_is_broken(azure: AzureHere) -> None:
    with pytest.raises(Broken, match="mystira-none-dev-kv"):
        azure.vault.get("mystira-none-dev-kv", "anything")


def test_a_forbidden_vault_is_broken_and_names_vault_and_role_but_no_value(azure: AzureHere) -> None:
    azure.vault.set(VAULT, "hidden", "the-old-value")
    azure.fail({"point": "vault", "subject": VAULT, "how": "forbidden", "times": 2})

    with pytest.raises(Broken, match=f"{VAULT}.*Key Vault Secrets User"):
        azure.vault.get(VAULT, "hidden")
    with pytest.raises(Broken) as refused:
        azure.vault.set(VAULT, "hidden", "the-new-value")
    assert "value" not in str(refused.value)


def test_a_throttled_vault_is_unsettled(azure: AzureHere) -> None:
    azure.fail({"point": "vault", "subject": VAULT, "how": "throttled", "times": 1})

    with pytest.raises(Unsettled):
        azure.vault.get(VAULT, "same")


def test_a_deleted_secret_keeps_its_name_until_it_is_purged(azure: AzureHere) -> None:
    real = SecretClient(
        f"{azure.served.url}/vault/{VAULT}",
        azure.vault._credential,
        connection_verify=str(azure.tls.certificate),
        verify_challenge_resource=False,
    )
    azure.vault.set(VAULT, "doomed", "one")
    real.begin_delete_secret("doomed", _polling_interval=0.01).wait()

    assert azure.vault.get(VAULT, "doomed") is None
    with pytest.raises(Broken, match="recover or purge"):
        azure.vault.set(VAULT, "doomed", "two")
    real.purge_deleted_secret("doomed")
    assert azure.vault.set(VAULT, "doomed", "two")


def test_every_set_makes_a_version_and_a_disabled_one_is_broken(azure: AzureHere) -> None:
    real = SecretClient(
        f"{azure.served.url}/vault/{VAULT}",
        azure.vault._credential,
        connection_verify=str(azure.tls.certificate),
        verify_challenge_resource=False,
    )
    azure.vault.set(VAULT, "aged", "one")
    azure.vault.set(VAULT, "aged", "two")
    versions = list(real.list_properties_of_secret_versions("aged"))
    real.update_secret_properties("aged", versions[-1].version, enabled=False)

    assert len(versions) == 2
    with pytest.raises(Broken, match="disabled"):
        azure.vault.get(VAULT, "aged")


def test_a_token_somebody_made_up_does_not_open_a_vault(azure: AzureHere) -> None:
    stranger = SecretClient(
        f"{azure.served.url}/vault/{VAULT}",
        Anybody(),
        connection_verify=str(azure.tls.certificate),
        verify_challenge_resource=False,
    )

    with pytest.raises(Exception, match=r"AKV10000|Unauthorized|token"):
        stranger.get_secret("same")
