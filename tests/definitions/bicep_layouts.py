"""Bicep as others lay it out: the Azure Developer CLI's `infra`, and files of parameters in Bicep's own language."""

AZD = {
    "azd/azure.yaml": "name: shop\ninfra:\n  provider: bicep\n  path: infra\n",
    "azd/infra/abbreviations.json": '{"resourcesResourceGroups": "rg-", "keyVaultVaults": "kv-"}\n',
    "azd/infra/main.bicep": """\
targetScope = 'subscription'

@minLength(1)
@maxLength(64)
@description('Part of the names of all that is made')
param environmentName string

@minLength(1)
@allowed(['eastus2', 'swedencentral'])
@metadata({
  azd: {
    type: 'location'
  }
})
param location string

param createRole bool = true
param replicas int = 1
param principalId string = ''

@secure()
param apiKey string = ''

var abbreviations = loadJsonContent('./abbreviations.json')
var resourceToken = toLower(uniqueString(subscription().id, environmentName, location))
var tags = { 'azd-env-name': environmentName }

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: '${abbreviations.resourcesResourceGroups}${environmentName}'
  location: location
  tags: tags
}

module monitoring 'br/public:avm/ptn/azd/monitoring:0.1.0' = {
  name: 'monitoring'
  scope: group
  params: {
    logAnalyticsName: 'log-${resourceToken}'
    applicationInsightsName: 'appi-${resourceToken}'
  }
}

module vault 'core/vault.bicep' = {
  name: 'vault'
  scope: group
  params: {
    name: '${abbreviations.keyVaultVaults}${resourceToken}'
    location: location
    principalId: createRole ? principalId : ''
  }
}

module web 'app/web.bicep' = {
  name: 'web'
  scope: group
  params: {
    name: 'app-web-${resourceToken}'
    location: location
    tags: union(tags, { 'azd-service-name': 'web' })
    replicas: replicas
    vaultName: vault.outputs.name
    apiKey: apiKey
    insightsId: monitoring.outputs.applicationInsightsResourceId
  }
}

output AZURE_LOCATION string = location
output AZURE_KEY_VAULT_NAME string = vault.outputs.name
output WEB_URI string = web.outputs.uri
""",
    "azd/infra/main.parameters.json": """\
{
  "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#",
  "contentVersion": "1.0.0.0",
  "parameters": {
    "environmentName": {
      "value": "${AZURE_ENV_NAME}"
    },
    "location": {
      "value": "${AZURE_LOCATION}"
    },
    "createRole": {
      "value": "${CREATE_ROLE=true}"
    },
    "replicas": {
      "value": "${WEB_REPLICAS=2}"
    },
    "principalId": {
      "value": "${AZURE_PRINCIPAL_ID}"
    },
    "apiKey": {
      "value": "${API_KEY}"
    }
  }
}
""",
    "azd/infra/main.json": """\
{
  "$schema": "https://schema.management.azure.com/schemas/2018-05-01/subscriptionDeploymentTemplate.json#",
  "contentVersion": "1.0.0.0",
  "parameters": {
    "environmentName": {
      "type": "string"
    }
  },
  "resources": []
}
""",
    "azd/infra/azuredeploy.json": """\
{
  "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
  "contentVersion": "1.0.0.0",
  "parameters": {
    "siteName": {
      "type": "string"
    }
  },
  "resources": []
}
""",
    "azd/infra/app/web.bicep": """\
param name string
param location string = resourceGroup().location
param tags object = {}
param replicas int
param vaultName string
param insightsId string

@secure()
param apiKey string

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' existing = {
  name: vaultName

  resource key 'secrets' = if (!empty(apiKey)) {
    name: 'api-key'
    properties: {
      value: apiKey
    }
  }
}

resource plan 'Microsoft.Web/serverfarms@2023-12-01' = {
  name: 'plan-${name}'
  location: location
  tags: tags
  sku: {
    name: 'B1'
    capacity: replicas
  }
}

resource web 'Microsoft.Web/sites@2023-12-01' = {
  name: name
  location: location
  tags: tags
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
  }

  resource settings 'config' = {
    name: 'appsettings'
    properties: {
      API_KEY: '@Microsoft.KeyVault(SecretUri=${vault.properties.vaultUri}secrets/api-key)'
      APPLICATIONINSIGHTS_ID: insightsId
    }
  }
}

output uri string = 'https://${web.properties.defaultHostName}'
output settingsName string = web::settings.name
output keyId string = vault::key.id
""",
    "azd/infra/core/vault.bicep": """\
param name string
param location string
param principalId string

var reader = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '4633458b-17de-408a-b874-0445c86b69e6')

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' = {
  name: name
  location: location
  properties: {
    tenantId: subscription().tenantId
    enableRbacAuthorization: true
    sku: { family: 'A', name: 'standard' }
  }
}

resource role 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(principalId)) {
  name: guid(vault.id, principalId, reader)
  scope: vault
  properties: {
    principalId: principalId
    roleDefinitionId: reader
  }
}

output name string = vault.name
""",
}

LANDING = {
    "landing/bicepconfig.json": '{"experimentalFeaturesEnabled": {"assertions": true}}\n',
    "landing/shared/types.bicep": """\
@export()
@description('How a storage account keeps its copies')
type Sku =
  | 'Standard_LRS'
  | 'Standard_ZRS'
  | 'Standard_GRS'

@export()
type Plan = {
  name: string
  @minValue(1)
  @maxValue(10)
  capacity: int
  zones: int[]?
}

@export()
@minLength(3)
@maxLength(11)
type Label = string

@export()
@discriminator('kind')
type Source = { kind: 'git', repository: string } | { kind: 'none' }

@export()
@description('The name of one of several')
func numbered(label Label, index int) string => toLower('${label}${padLeft(index, 2, '0')}')

@export()
var retention = 30
""",
    "landing/shared/names.bicep": """\
var separator = '-'

@export()
func joined(parts string[]) string => join(parts, separator)

@export()
type Region = 'westeurope' | 'northeurope'
""",
    "landing/main.bicep": """\
metadata description = 'What one environment stands on'

import { Label, Plan, Sku, Source, numbered, retention as daysKept } from 'shared/types.bicep'
import * as names from 'shared/names.bicep'

param environment 'dev' | 'prod'
param label Label
param plan Plan
param sku Sku = 'Standard_LRS'
param source Source?
param region names.Region
param network Network
param tags object = {}
param copies int = 1

@secure()
param adminPassword string

type Subnet = {
  name: string
  @minLength(9)
  range: string
}

@description('The network of the environment')
type Network = {
  range: string
  subnets: Subnet[]
  dns: [string, string]?
  *: string
}

func suffixed(text string, last int) string => '${text}-${last}'

var purposes = map(range(0, copies), (each, index) => suffixed(label, index))
var everything object = {
  ...tags
  environment: environment
}
var script = '''
echo ${not_a_hole} 'quoted'
'''
var greeting = $'''
Hello ${environment}, $ and {braces} stay.
'''

#disable-next-line BCP334
resource accounts 'Microsoft.Storage/storageAccounts@2023-05-01' = [for (purpose, index) in purposes: {
  name: numbered(label, index)
  location: region
  tags: { ...everything, purpose: purpose }
  sku: { name: sku }
  kind: 'StorageV2'
}]

resource main 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: 'st${label}${environment}'
  location: region
  tags: everything
  sku: { name: sku }
  kind: 'StorageV2'

  resource blobs 'blobServices' = {
    name: 'default'
    properties: {
      deleteRetentionPolicy: { enabled: true, days: daysKept }
    }

    resource media 'containers' = {
      name: 'media'
    }
  }
}

resource virtualNetwork 'Microsoft.Network/virtualNetworks@2024-01-01' = {
  name: names.joined(['vnet', label, environment])
  location: region
  properties: {
    addressSpace: { addressPrefixes: [network.range] }
    dhcpOptions: { dnsServers: network.?dns ?? [] }
    subnets: [
      for each in network.subnets: {
        name: each.name
        properties: { addressPrefix: each.range }
      }
    ]
  }
}

resource shared 'Microsoft.KeyVault/vaults@2023-07-01' existing = {
  name: 'kv-${label}'
  scope: resourceGroup('shared')
}

module server 'modules/server.bicep' = if (environment == 'prod') {
  params: {
    name: names.joined(['psql', label, environment])
    region: region
    password: adminPassword
    token: shared.getSecret('token')
    plan: plan
    settings: {
      script: script
      greeting: greeting
      repository: source.?repository ?? ''
    }
  }
}

assert hasRoom = length(network.subnets) < 10

output container string = main::blobs::media.name
output accountIds array = [for index in range(0, copies): accounts[index].id]
output serverHost string? = server.?outputs.?host
output lastSubnet string = virtualNetwork.properties.subnets[^1].id
""",
    "landing/modules/server.bicep": """\
import { Plan } from '../shared/types.bicep'

param name string
param region string
param plan Plan
param settings { script: string, greeting: string, *: string }

@secure()
param password string

@secure()
param token string

resource server 'Microsoft.DBforPostgreSQL/flexibleServers@2024-08-01' = {
  name: name
  location: region
  tags: { settings: string(settings), zones: string(plan.?zones) }
  sku: { name: plan.name, tier: 'Burstable' }
  properties: {
    administratorLogin: 'keeper'
    administratorLoginPassword: '${password}${token}'
  }
}

output host string = server.properties.fullyQualifiedDomainName
""",
    "landing/environments/base.bicepparam": """\
using none

var owner = 'platform'

param tags = {
  owner: owner
}
param region = 'westeurope'
""",
    "landing/environments/dev.bicepparam": """\
using '../main.bicep'
extends 'base.bicepparam'

param environment = 'dev'
param label = 'shop'
param plan = {
  name: 'B1ms'
  capacity: 1
}
param network = {
  range: '10.1.0.0/16'
  subnets: [
    { name: 'apps', range: '10.1.0.0/24' }
  ]
}
param copies = 2
param adminPassword = readEnvironmentVariable('ADMIN_PASSWORD', '')
""",
    "landing/environments/prod.bicepparam": """\
using '../main.bicep'
extends 'base.bicepparam'

import { retention } from '../shared/types.bicep'

var first = 10
var range = '${first}.2'

param environment = 'prod'
param label = 'shop'
param tags = union(base.tags, { days: retention })
param plan = {
  name: 'B2ms'
  capacity: 3
  zones: [1, 2]
}
param network = {
  range: '${range}.0.0/16'
  subnets: [for number in [0, 1]: { name: 'net${number}', range: '${range}.${number}.0/24' }]
}
param copies = 3
param adminPassword = az.getSecret('00000000-0000-0000-0000-000000000000', 'shared', 'kv-shop', 'admin')
""",
}

_VALUES = """{
  "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#",
  "parameters": {
    "label": {
      "value": "shop"
    },
    "size": {
      "value": 2
    }
  }
}
"""
FOLDERS = {
    "folders/main.bicep": """\
param label string
param stage string
param size int = 1

resource store 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: 'st${label}${size}'
  location: resourceGroup().location
  tags: { stage: stage }
  sku: { name: 'Standard_LRS' }
  kind: 'StorageV2'
}
""",
    "folders/deploy.sh": """\
#!/bin/sh
exec az deployment group create --resource-group "shop-$1" --template-file main.bicep \\
  --parameters "@values/$1/main.parameters.json" --parameters stage="$1"
""",
    "folders/tests/bicepconfig.json": """\
{
  // tests have parameters for all that is tested
  "analyzers": { "core": { "rules": { "no-unused-params": { "level": "off" } } } }
}
""",
    "folders/tests/main.test.bicep": """\
param later string = ''

@sys.description('What is tested')
param description string

module tested '../main.bicep' = {
  name: 'tested-${description}'
  params: { label: toLower(description), stage: 'test' }
}
""",
    "folders/values/dev/main.parameters.json": _VALUES,
    "folders/values/prod/main.parameters.json": _VALUES,
}

LAYOUTS = {**AZD, **LANDING, **FOLDERS}
