// One Linux web app on a shared plan, with its identity, its access to the vault and its settings. Where the plan has
// slots there is a second one, named staging, that is deployed to, warmed up and swapped. Custom domains, certificates
// and bindings are not here: they need DNS to be live and are made one by one after the records.

@description('Unique in the world: it becomes a host name.')
@minLength(2)
@maxLength(60)
param name string

param location string
param tags object

@minLength(1)
@maxLength(40)
param planName string

@description('True for the app that makes the plan, false for those that share it.')
param createPlan bool

param sku string

@description('Runtime, as in DOTNETCORE|10.0.')
param linuxFxVersion string

@description('Path that says whether the app is well.')
param healthCheckPath string

@description('True where the plan has deployment slots.')
param slotsEnabled bool

@description('Settings by name; secrets only as references to the vault.')
param settings object

@description('Origins that may call the app from a browser.')
param allowedOrigins array

param keyVaultName string
param applicationInsightsName string

@description('Id of the Log Analytics workspace for diagnostics.')
param workspaceId string

var keyVaultSecretsUser = '4633458b-17de-408a-b874-0445c86b69e6'
var siteConfig = {
  linuxFxVersion: linuxFxVersion
  alwaysOn: true
  ftpsState: 'Disabled'
  minTlsVersion: '1.2'
  http20Enabled: true
  healthCheckPath: healthCheckPath
  cors: {
    allowedOrigins: allowedOrigins
    supportCredentials: true
  }
}

resource plan 'Microsoft.Web/serverfarms@2023-01-01' = if (createPlan) {
  name: planName
  location: location
  tags: tags
  kind: 'linux'
  sku: {
    name: sku
  }
  properties: {
    reserved: true
  }
}

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' existing = {
  name: keyVaultName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: applicationInsightsName
}

resource site 'Microsoft.Web/sites@2023-01-01' = {
  name: name
  location: location
  tags: tags
  kind: 'app,linux'
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    keyVaultReferenceIdentity: 'SystemAssigned'
    siteConfig: siteConfig
  }
}

resource siteAccess 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, site.id, keyVaultSecretsUser)
  scope: vault
  properties: {
    principalId: site.identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', keyVaultSecretsUser)
  }
}

// After the access, so that the first look at a reference succeeds.
resource siteSettings 'Microsoft.Web/sites/config@2023-01-01' = {
  parent: site
  name: 'appsettings'
  properties: union(settings, {
    APPINSIGHTS_INSTRUMENTATIONKEY: insights.properties.InstrumentationKey
    APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
    ApplicationInsightsAgent_EXTENSION_VERSION: '~3'
  })
  dependsOn: [
    siteAccess
  ]
}

resource slot 'Microsoft.Web/sites/slots@2023-01-01' = if (slotsEnabled) {
  parent: site
  name: 'staging'
  location: location
  tags: tags
  kind: 'app,linux'
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    keyVaultReferenceIdentity: 'SystemAssigned'
    siteConfig: siteConfig
  }
  dependsOn: [
    siteSettings // one change to a site at a time: a second one may be turned away
  ]
}

resource slotAccess 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (slotsEnabled) {
  name: guid(vault.id, slot.id, keyVaultSecretsUser)
  scope: vault
  properties: {
    principalId: slot.identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', keyVaultSecretsUser)
  }
}

resource slotSettings 'Microsoft.Web/sites/slots/config@2023-01-01' = if (slotsEnabled) {
  parent: slot
  name: 'appsettings'
  properties: union(settings, {
    APPINSIGHTS_INSTRUMENTATIONKEY: insights.properties.InstrumentationKey
    APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
    ApplicationInsightsAgent_EXTENSION_VERSION: '~3'
  })
  dependsOn: [
    slotAccess
  ]
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: site
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'AppServiceHTTPLogs'
        enabled: true
      }
      {
        category: 'AppServiceConsoleLogs'
        enabled: true
      }
      {
        category: 'AppServicePlatformLogs'
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

output id string = site.id
output name string = site.name
output defaultHostName string = site.properties.defaultHostName
output customDomainVerificationId string = site.properties.customDomainVerificationId
output principalId string = site.identity.principalId
