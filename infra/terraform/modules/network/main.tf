# The environment's group, its network, and the way out of it.

locals {
  # What each subnet is for is the same everywhere; only the prefixes are data.
  subnets = {
    aks = {
      has_egress        = true
      service_endpoints = ["Microsoft.KeyVault", "Microsoft.Storage"]
      delegations       = {}
      endpoint_policies = "Disabled"
    }
    chain = {
      has_egress        = true
      service_endpoints = ["Microsoft.Storage"]
      delegations       = {}
      endpoint_policies = "Disabled"
    }
    publisher = {
      has_egress        = true
      service_endpoints = []
      delegations       = {}
      endpoint_policies = "Disabled"
    }
    story-generator = {
      has_egress        = true
      service_endpoints = []
      delegations       = {}
      endpoint_policies = "Disabled"
    }
    postgresql = {
      has_egress        = false
      service_endpoints = []
      delegations = {
        "Microsoft.DBforPostgreSQL/flexibleServers" = ["Microsoft.Network/virtualNetworks/subnets/join/action"]
      }
      endpoint_policies = "Disabled"
    }
    # No delegation: Azure has none for Redis. The cache is reached through a private endpoint in this subnet.
    redis = {
      has_egress        = false
      service_endpoints = []
      delegations       = {}
      endpoint_policies = "NetworkSecurityGroupEnabled"
    }
  }

  vnet_bits = tonumber(split("/", var.address_space)[1])
}

data "azurerm_client_config" "current" {}

resource "azurerm_resource_group" "this" {
  name     = var.resource_group_name
  location = var.location
  tags     = var.tags
}

# Whoever deploys writes secrets into the vaults of the stacks that follow. The role stands here, at the group, because a
# fresh role needs minutes to reach the vault: by the time a vault exists, this one has.
resource "azurerm_role_assignment" "deployer_writes_secrets" {
  scope                = azurerm_resource_group.this.id
  role_definition_name = "Key Vault Secrets Officer"
  principal_id         = coalesce(var.deployer_principal_id, data.azurerm_client_config.current.object_id)
  description          = "The pipeline writes connection strings into the vaults of this environment."
}

resource "azurerm_virtual_network" "this" {
  name                = var.vnet_name
  location            = azurerm_resource_group.this.location
  resource_group_name = azurerm_resource_group.this.name
  address_space       = [var.address_space]
  tags                = var.tags
}

resource "azurerm_subnet" "this" {
  for_each = local.subnets

  name                              = "${each.key}-subnet"
  resource_group_name               = azurerm_resource_group.this.name
  virtual_network_name              = azurerm_virtual_network.this.name
  address_prefixes                  = [var.subnet_prefixes[each.key]]
  default_outbound_access_enabled   = false
  private_endpoint_network_policies = each.value.endpoint_policies

  dynamic "service_endpoint" {
    for_each = each.value.service_endpoints

    content {
      service = service_endpoint.value
    }
  }

  dynamic "delegation" {
    for_each = each.value.delegations

    content {
      name = "flexible-servers"

      service_delegation {
        name    = delegation.key
        actions = delegation.value
      }
    }
  }

  lifecycle {
    precondition {
      condition = cidrsubnet(
        "${split("/", var.subnet_prefixes[each.key])[0]}/${local.vnet_bits}", 0, 0
      ) == cidrsubnet(var.address_space, 0, 0)
      error_message = "The prefix ${var.subnet_prefixes[each.key]} of ${each.key}-subnet is not inside ${var.address_space}."
    }
  }
}

# New networks have no way out of their own: everything leaves through this one address.
resource "azurerm_public_ip" "egress" {
  name                = "${var.vnet_name}-egress-ip"
  location            = azurerm_resource_group.this.location
  resource_group_name = azurerm_resource_group.this.name
  allocation_method   = "Static"
  sku                 = "Standard"
  zones               = var.nat_zones
  tags                = var.tags

  lifecycle {
    precondition {
      condition     = !contains(["westus", "southafricawest"], var.location) || length(var.nat_zones) == 0
      error_message = "${var.location} has no availability zones: leave nat_zones empty."
    }
  }
}

resource "azurerm_nat_gateway" "egress" {
  name                    = "${var.vnet_name}-nat"
  location                = azurerm_resource_group.this.location
  resource_group_name     = azurerm_resource_group.this.name
  sku_name                = "Standard"
  idle_timeout_in_minutes = 10
  zones                   = var.nat_zones
  tags                    = var.tags
}

resource "azurerm_nat_gateway_public_ip_association" "egress" {
  nat_gateway_id       = azurerm_nat_gateway.egress.id
  public_ip_address_id = azurerm_public_ip.egress.id
}

resource "azurerm_subnet_nat_gateway_association" "egress" {
  for_each = { for name, subnet in local.subnets : name => subnet if subnet.has_egress }

  subnet_id      = azurerm_subnet.this[each.key].id
  nat_gateway_id = azurerm_nat_gateway.egress.id

  depends_on = [azurerm_nat_gateway_public_ip_association.egress]
}

# The subnets of chain, publisher and story-generator get their groups from the stacks of those services, which know
# their ports.
resource "azurerm_network_security_group" "aks" {
  name                = "${var.vnet_name}-aks-nsg"
  location            = azurerm_resource_group.this.location
  resource_group_name = azurerm_resource_group.this.name
  tags                = var.tags

  security_rule {
    name                       = "allow-web"
    description                = "The gateway's public address: names are proven and redirected on 80, served on 443."
    priority                   = 100
    direction                  = "Inbound"
    access                     = "Allow"
    protocol                   = "Tcp"
    source_port_range          = "*"
    source_address_prefix      = "Internet"
    destination_port_ranges    = ["80", "443"]
    destination_address_prefix = "*"
  }
}

resource "azurerm_network_security_group" "postgresql" {
  name                = "${var.vnet_name}-postgresql-nsg"
  location            = azurerm_resource_group.this.location
  resource_group_name = azurerm_resource_group.this.name
  tags                = var.tags

  security_rule {
    name                       = "allow-postgresql"
    description                = "Pods, and the servers of the subnet among themselves (replicas, failover)."
    priority                   = 100
    direction                  = "Inbound"
    access                     = "Allow"
    protocol                   = "Tcp"
    source_port_range          = "*"
    source_address_prefixes    = [var.subnet_prefixes.aks, var.subnet_prefixes.postgresql]
    destination_port_ranges    = ["5432", "6432"]
    destination_address_prefix = var.subnet_prefixes.postgresql
  }

  security_rule {
    name                       = "deny-the-rest"
    description                = "Nothing else in the network needs the databases."
    priority                   = 4096
    direction                  = "Inbound"
    access                     = "Deny"
    protocol                   = "*"
    source_port_range          = "*"
    source_address_prefix      = "*"
    destination_port_range     = "*"
    destination_address_prefix = "*"
  }
}

resource "azurerm_network_security_group" "redis" {
  name                = "${var.vnet_name}-redis-nsg"
  location            = azurerm_resource_group.this.location
  resource_group_name = azurerm_resource_group.this.name
  tags                = var.tags

  security_rule {
    name                       = "allow-redis-over-tls"
    description                = "Managed Redis listens on 10000, the legacy cache on 6380; the plain port 6379 stays shut."
    priority                   = 100
    direction                  = "Inbound"
    access                     = "Allow"
    protocol                   = "Tcp"
    source_port_range          = "*"
    source_address_prefix      = var.subnet_prefixes.aks
    destination_port_ranges    = ["6380", "10000"]
    destination_address_prefix = var.subnet_prefixes.redis
  }

  security_rule {
    name                       = "deny-the-rest"
    description                = "Nothing else in the network needs the cache."
    priority                   = 4096
    direction                  = "Inbound"
    access                     = "Deny"
    protocol                   = "*"
    source_port_range          = "*"
    source_address_prefix      = "*"
    destination_port_range     = "*"
    destination_address_prefix = "*"
  }
}

resource "azurerm_subnet_network_security_group_association" "aks" {
  subnet_id                 = azurerm_subnet.this["aks"].id
  network_security_group_id = azurerm_network_security_group.aks.id
}

resource "azurerm_subnet_network_security_group_association" "postgresql" {
  subnet_id                 = azurerm_subnet.this["postgresql"].id
  network_security_group_id = azurerm_network_security_group.postgresql.id
}

resource "azurerm_subnet_network_security_group_association" "redis" {
  subnet_id                 = azurerm_subnet.this["redis"].id
  network_security_group_id = azurerm_network_security_group.redis.id
}
