"""Rules for databases, caches, vaults, logs and messages: sizes, switches and tiers that do not go together."""

from collections.abc import Iterator

from workspace.preflight.azure_assets import Asset, Assets
from workspace.preflight.finding import Finding, Rule, Severity

THROUGHPUT = Rule(
    "azure/serverless-throughput",
    Severity.ERROR,
    "Throughput for a database or container of a serverless Cosmos DB account, in Terraform.",
    "Setting offer throughput or autopilot on container is not supported for serverless accounts "
    "(microsoft/botbuilder-dotnet#5051); dev is serverless and prod is not, so only one of them fails.",
    "Leave the throughput out where the account is serverless.",
)
SERVERLESS_REGIONS = Rule(
    "azure/serverless-regions",
    Severity.ERROR,
    "A serverless Cosmos DB account in more than one region.",
    "A serverless account runs in a single region; Azure refuses the second location "
    "(learn.microsoft.com/azure/cosmos-db/serverless).",
    "Keep one location, or leave EnableServerless out.",
)
STORAGE = Rule(
    "azure/postgresql-storage",
    Severity.ERROR,
    "A PostgreSQL server's storage that is not one of the sizes there are.",
    "Premium SSD comes in doublings from 32 GB to 16 TB, and 4,095 GB and 32,767 GB; anything between is refused, and "
    "storage is never made smaller again (azurerm_postgresql_flexible_server, storage_mb).",
    "Choose the next larger size.",
)
BACKUP = Rule(
    "azure/postgresql-backup",
    Severity.ERROR,
    "Backups of a PostgreSQL server that are kept for fewer than 7 or more than 35 days.",
    "Azure takes 7 to 35 days (azurerm_postgresql_flexible_server, backup_retention_days).",
    "Choose a number between; keep longer ones with Azure Backup.",
)
REDIS_SIZE = Rule(
    "azure/redis-size",
    Severity.ERROR,
    "A cache whose tier, family and capacity do not go together.",
    "Basic and Standard are of the family C with sizes 0 to 6, Premium of P with 1 to 5; Azure refuses the rest after "
    "some minutes (azurerm_redis_cache, family).",
    "Correct the family, or the size.",
)
REDIS_PREMIUM = Rule(
    "azure/redis-premium",
    Severity.ERROR,
    "A Basic or Standard cache with a subnet or shards.",
    "Both are of the Premium tier (azurerm_redis_cache, subnet_id and shard_count). A subnet with an invented "
    "delegation for Redis was among the owners' mistakes.",
    "Use a private endpoint, or take the Premium tier.",
)
VAULT_RETENTION = Rule(
    "azure/vault-retention",
    Severity.ERROR,
    "A vault whose deleted contents are kept for fewer than 7 or more than 90 days.",
    "Azure takes 7 to 90 days, and never changes it again (MicrosoftDocs/azure-docs#47407).",
    "Choose a number between.",
)
VAULT_SWITCH = Rule(
    "azure/vault-switch",
    Severity.ERROR,
    "A vault whose soft delete or purge protection is set to false.",
    "Azure takes true or nothing: a template with false fails, for soft delete (Azure/azure-cli#13247) and for purge "
    "protection (hashicorp/terraform-provider-azurerm#5344), and what was on cannot be switched off.",
    "Leave the property out, as `protects ? true : null` does.",
)
LOGS = Rule(
    "azure/log-retention",
    Severity.ERROR,
    "A Log Analytics workspace that keeps logs for a time its tier does not have.",
    "PerGB2018 keeps them for 30 to 730 days, Free for exactly 7 (azurerm_log_analytics_workspace, retention_in_days).",
    "Choose a number that the tier has.",
)
TOPICS = Rule(
    "azure/topic-tier",
    Severity.ERROR,
    "A topic in a Basic Service Bus namespace.",
    "Basic has queues only (MicrosoftDocs/azure-docs#111485); the owners' change of the tier was destructive.",
    "Take Standard.",
)
CAPACITY = Rule(
    "azure/bus-capacity",
    Severity.ERROR,
    "A Service Bus namespace with a capacity that its tier does not have.",
    "Premium has 1, 2, 4, 8 or 16 units, Basic and Standard none (azurerm_servicebus_namespace, capacity).",
    "Correct the capacity, or leave it out.",
)
RULES = (
    THROUGHPUT,
    SERVERLESS_REGIONS,
    STORAGE,
    BACKUP,
    REDIS_SIZE,
    REDIS_PREMIUM,
    VAULT_RETENTION,
    VAULT_SWITCH,
    LOGS,
    TOPICS,
    CAPACITY,
)

_GIGABYTES = (32, 64, 128, 256, 512, 1024, 2048, 4095, 4096, 8192, 16384, 32767)
_CACHES = {"Basic": ("C", range(7)), "Standard": ("C", range(7)), "Premium": ("P", range(1, 6))}
_UNITS = (1, 2, 4, 8, 16)


def check(assets: Assets) -> Iterator[Finding]:
    """What Azure would refuse of each kind."""
    yield from _cosmos(assets)
    for server in assets.of("postgresql"):
        yield from _postgresql(server)
    for cache in assets.of("redis"):
        yield from _redis(cache)
    for vault in assets.of("vault"):
        yield from _vault(vault)
    for logs in assets.of("logs"):
        yield from _logs(logs)
    yield from _bus(assets)


def _cosmos(assets: Assets) -> Iterator[Finding]:
    for account in assets.of("cosmos"):
        regions = account.get("regions")
        if _is_serverless(account) and isinstance(regions, list) and len(regions) > 1:
            what = f"{account.called} is serverless and has {len(regions)} locations"
            yield account.finding(SERVERLESS_REGIONS, "regions", what)
    for part in assets.of("cosmos part"):
        accounts = assets.linked(part, "account")
        for word in ("throughput", "most throughput"):
            amount = part.number(word)
            if amount and accounts and all(map(_is_serverless, accounts)):
                what = f"{part.called} asks for {amount} request units, and {accounts[0].called} is serverless"
                yield part.finding(THROUGHPUT, word, what)


def _is_serverless(account: Asset) -> bool:
    listed = account.get("capabilities")
    for each in listed if isinstance(listed, list) else ():
        name = each.get("name") if isinstance(each, dict) else each
        if name == "EnableServerless":
            return True
    return False


def _postgresql(server: Asset) -> Iterator[Finding]:
    amount = server.number("storage")
    is_plain = server.read("storage type") is None or server.text("storage type") in ("P", "Premium_LRS")
    if amount is not None and is_plain:
        in_megabytes = server.type.startswith("azurerm_")
        sizes = tuple(each * 1024 for each in _GIGABYTES) if in_megabytes else _GIGABYTES
        if amount not in sizes:
            larger = next((each for each in sizes if each > amount), sizes[-1])
            unit = "MB" if in_megabytes else "GB"
            what = f"{server.called} has {amount} {unit} of storage; the next size is {larger}"
            yield server.finding(STORAGE, "storage", what)
    days = server.number("backup")
    if days is not None and not 7 <= days <= 35:
        yield server.finding(BACKUP, "backup", f"{server.called} keeps backups for {days} days; 7 to 35 are allowed")


def _redis(cache: Asset) -> Iterator[Finding]:
    sku, family, size = cache.text("sku"), cache.text("family"), cache.number("capacity")
    if sku in _CACHES:
        wanted, sizes = _CACHES[sku]
        if family and family != wanted:
            yield cache.finding(REDIS_SIZE, "family", f"{cache.called} is {sku} of the family {family}, not {wanted}")
        elif size is not None and size not in sizes:
            what = f"{cache.called} is {sku} of the size {size}; there are {sizes[0]} to {sizes[-1]}"
            yield cache.finding(REDIS_SIZE, "capacity", what)
    if sku in ("Basic", "Standard"):
        for word, said in (("subnet", "a subnet"), ("shards", "shards")):
            if cache.read(word) is not None and not (word == "shards" and cache.number(word) in (None, 0)):
                yield cache.finding(REDIS_PREMIUM, word, f"{cache.called} is {sku} and has {said}")


def _vault(vault: Asset) -> Iterator[Finding]:
    days = vault.number("retention")
    if days is not None and not 7 <= days <= 90:
        what = f"{vault.called} keeps what is deleted for {days} days; 7 to 90 are allowed"
        yield vault.finding(VAULT_RETENTION, "retention", what)
    for word in ("soft delete", "purge protection"):
        if vault.get(word) is False:
            yield vault.finding(VAULT_SWITCH, word, f"{vault.called} sets {word} to false; Azure takes true or nothing")


def _logs(logs: Asset) -> Iterator[Finding]:
    days = logs.number("retention")
    sku = logs.text("sku") or ("PerGB2018" if logs.read("sku") is None else "")
    if days is None:
        return
    if sku.lower() == "pergb2018" and not 30 <= days <= 730:
        yield logs.finding(LOGS, "retention", f"{logs.called} keeps logs for {days} days; {sku} has 30 to 730")
    if sku.lower() == "free" and days != 7:
        yield logs.finding(LOGS, "retention", f"{logs.called} keeps logs for {days} days; Free has 7")


def _bus(assets: Assets) -> Iterator[Finding]:
    for topic in assets.of("topic"):
        spaces = assets.linked(topic, "bus")
        if spaces and all(each.text("sku") == "Basic" for each in spaces):
            yield topic.finding(TOPICS, "bus", f"{topic.called} is a topic of {spaces[0].called}, which is Basic")
    for bus in assets.of("bus"):
        sku, units = bus.text("sku"), bus.number("capacity")
        wrong = units is not None and (
            (sku == "Premium" and units not in _UNITS) or (sku in ("Basic", "Standard") and units > 0)
        )
        if wrong:
            has = "1, 2, 4, 8 or 16 units" if sku == "Premium" else "none"
            yield bus.finding(CAPACITY, "capacity", f"{bus.called} is {sku} with the capacity {units}; it has {has}")
