// The App's vault. Access is by role: nothing here replaces a list of policies, so a running app never loses access.

@description('Unique in the world, also among deleted vaults.')
@minLength(3)
@maxLength(24)
param name string

param location string
param tags object

@description('Keeps a deleted vault from being purged; cannot be switched off again.')
param purgeProtection bool

@description('Days that a deleted vault or secret can be brought back; fixed when the vault is made.')
@minValue(7)
@maxValue(90)
param softDeleteRetentionInDays int

@description('Object id of a group or person who administers the vault; empty for nobody.')
param adminObjectId string

@description('Id of the Log Analytics workspace for the audit log.')
param workspaceId string

@description('Secrets by name. Only those that were passed are here; the vault keeps any other it has.')
@secure()
param secrets object

var keyVaultAdministrator = '00482a5a-887f-4fb3-b363-3b7fe8e74483'

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: softDeleteRetentionInDays
    enablePurgeProtection: purgeProtection ? true : null
    enabledForTemplateDeployment: true
    publicNetworkAccess: 'Enabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: 'Allow'
    }
  }
}

resource secret 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = [for item in items(secrets): {
  parent: vault
  name: item.key
  properties: {
    value: item.value
  }
}]

resource administrator 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(adminObjectId)) {
  name: guid(vault.id, adminObjectId, keyVaultAdministrator)
  scope: vault
  properties: {
    principalId: adminObjectId
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', keyVaultAdministrator)
  }
}

resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: vault
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'AuditEvent'
        enabled: true
      }
    ]
    metrics: [
      {
        category: 'AllMetrics'
        enabled: true
      }
    ]
  }
}

output id string = vault.id
output name string = vault.name
output uri string = vault.properties.vaultUri
