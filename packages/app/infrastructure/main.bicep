// Everything the Mystira App needs in one environment: API, Admin API, PWA and what they stand on. One resource group,
// incremental, safe to run again. Not here, on purpose: DNS records, domain bindings and certificates (each is a step of
// its own in the pipeline, after its target exists) and any secret in an output.

targetScope = 'resourceGroup'

// --- naming

@description('Organisation, the first part of every name.')
@allowed([
  'mys'
  'nl'
  'pvc'
  'tws'
])
param org string = 'mys'

@description('Environment, the second part of every name.')
@allowed([
  'dev'
  'staging'
  'prod'
])
param environment string

@description('Project, the third part of every name.')
@minLength(2)
@maxLength(12)
param project string = 'mystira'

@description('Code of the region, the last part of most names.')
@minLength(2)
@maxLength(4)
param region string = 'san'

@description('Region of everything that has one.')
param location string = resourceGroup().location

@description('Region of the Static Web App: few regions offer it.')
@allowed([
  'centralus'
  'eastus2'
  'eastasia'
  'westeurope'
  'westus2'
])
param fallbackRegion string = 'eastus2'

@description('Code of the fallback region.')
@minLength(2)
@maxLength(4)
param fallbackRegionCode string = 'eus2'

@description('Tags in addition to those that every resource gets.')
param tags object = {}

// --- sizes

@description('Size of the plan. B1 is the smallest that takes custom domains.')
@allowed([
  'B1'
  'B2'
  'B3'
  'S1'
  'S2'
  'S3'
  'P0v3'
  'P1v3'
  'P2v3'
  'P3v3'
])
param appServiceSku string = 'B1'

@description('Runtime of both APIs.')
param linuxFxVersion string = 'DOTNETCORE|10.0'

@description('What ASP.NET calls the environment.')
@allowed([
  'Development'
  'Staging'
  'Production'
])
param aspNetCoreEnvironment string

@allowed([
  'Standard_LRS'
  'Standard_ZRS'
  'Standard_GRS'
  'Standard_RAGRS'
])
param storageSku string = 'Standard_LRS'

@description('Serverless or provisioned; cannot be changed later.')
param cosmosServerless bool = true

@description('Days that logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 30

@description('Most log data per day in GB; -1 for no limit.')
@minValue(-1)
param logDailyQuotaGb int = 1

@description('Keeps a deleted vault from being purged; cannot be switched off again.')
param keyVaultPurgeProtection bool = false

@description('Days that a deleted vault can be brought back; fixed when the vault is made.')
@minValue(7)
@maxValue(90)
param keyVaultSoftDeleteDays int = 7

@description('Object id of a group or person who administers the vault; empty for nobody.')
param adminObjectId string = ''

// --- signing in

@description('Private key that signs tokens.')
@secure()
param jwtRsaPrivateKey string

@description('Public key that proves tokens.')
@secure()
param jwtRsaPublicKey string

param jwtIssuer string = 'MystiraAPI'
param jwtAudience string = 'MystiraPWA'

@description('Origins that may call the APIs from a browser.')
@minLength(1)
param corsAllowedOrigins array

// --- mail

@description('Connection string of a communication service that exists; ours is made when this is empty.')
@secure()
param acsConnectionString string = ''

param acsSenderEmail string = 'donotreply@mystira.app'
param emailDomainName string = 'mystira.app'

@description('True once the mail records are in the zone and Azure has verified the domain.')
param emailDomainVerified bool = false

// --- parts that exist already

param skipStorageCreation bool = false
param existingStorageAccountName string = ''

@secure()
param existingStorageConnectionString string = ''

param skipCosmosCreation bool = false
param existingCosmosAccountName string = ''

@secure()
param existingCosmosConnectionString string = ''

param skipCommServiceCreation bool = false
param skipAppServiceCreation bool = false
param existingApiAppServiceName string = ''
param existingAdminApiAppServiceName string = ''

// --- bot, WhatsApp, Discord: only what is passed is kept and referred to

@description('The bot is made only when its application id is passed too.')
param deployAzureBot bool = false

param botMicrosoftAppId string = ''

@secure()
param botMicrosoftAppPassword string = ''

@description('Address for messages; empty for /api/messages of the API.')
param botEndpoint string = ''

@allowed([
  'F0'
  'S1'
])
param botSku string = 'F0'

param enableWhatsApp bool = false
param whatsAppChannelRegistrationId string = ''
param whatsAppPhoneNumberId string = ''
param whatsAppBusinessAccountId string = ''

@secure()
param whatsAppWebhookVerifyToken string = ''

@secure()
param discordBotToken string = ''

// --- PWA

param deployStaticWebApp bool = true

@allowed([
  'Free'
  'Standard'
])
param staticWebAppSku string = 'Free'

@description('Repository to build from; used only with a token. The pipeline uploads instead.')
param staticWebAppRepositoryUrl string = ''

param staticWebAppBranch string = 'dev'

@secure()
param staticWebAppRepositoryToken string = ''

// --- names in DNS, for use by hand: the pipeline makes each record and binding itself

@description('True to write the records from here. Leave it false where the pipeline runs, or records have two owners.')
param enableCustomDomain bool = false

param dnsZoneName string = 'mystira.app'
param dnsZoneResourceGroup string = 'mys-prod-mystira-rg-glob'

@description('Host of the PWA in the zone; empty for the apex.')
param customDomainSubdomain string = ''

@description('True when the APIs are reached through hosts of the zone.')
param enableApiCustomDomain bool = false

param apiSubdomainPrefix string = 'api'
param adminApiSubdomainPrefix string = 'admin'

@description('True when bindings are to get certificates that Azure manages.')
param enableManagedCert bool = true

// --- watching

param enableAlerts bool = false
param enableAvailabilityTests bool = false

@description('Receivers of alerts by mail: objects with name and emailAddress.')
param alertEmailReceivers array = []

@description('Receivers of alerts by web hook: objects with name and serviceUri.')
param alertWebhookReceivers array = []

param deployDashboard bool = true
param deployBudget bool = false

@minValue(1)
param monthlyBudget int = 50

@description('First day of the month that a new budget begins with.')
param budgetStartDate string = utcNow('yyyy-MM-01')

// --- what follows from them

var prefix = '${org}-${environment}-${project}'
var environmentCodes = {
  dev: 'dev'
  staging: 'stg'
  prod: 'prd'
}
var names = {
  logAnalytics: '${prefix}-log-${region}'
  applicationInsights: '${prefix}-appins-${region}'
  actionGroup: '${prefix}-alerts-${region}'
  dashboard: '${prefix}-dashboard-${region}'
  budget: '${prefix}-budget-${region}'
  cosmos: '${prefix}-cosmos-${region}'
  plan: '${prefix}-plan-${region}'
  api: '${prefix}-api-${region}'
  adminApi: '${prefix}-adminapi-${region}'
  communication: '${prefix}-acs-glob'
  email: '${prefix}-email-glob'
  bot: '${prefix}-bot-glob'
  staticWebApp: '${prefix}-swa-${fallbackRegionCode}'
  storage: toLower('${org}${environment}${project}st${region}')
  keyVault: '${org}-${environmentCodes[environment]}-${project}-kv-${region}'
}
var allTags = union({
  Organization: org
  Environment: environment
  Project: project
  ManagedBy: 'bicep'
}, tags)

// Basic plans have no deployment slots; Standard and Premium have.
var slotsEnabled = !startsWith(appServiceSku, 'B')

var makesApps = !skipAppServiceCreation
var makesStorage = !skipStorageCreation
var makesCosmos = !skipCosmosCreation
var makesMail = !skipCommServiceCreation && empty(acsConnectionString)
var makesBot = deployAzureBot && !empty(botMicrosoftAppId)

var databaseName = 'MystiraAppDb'
var mediaContainerName = 'mystira-app-media'
var containers = [
  {
    name: 'UserProfiles'
    partitionKey: '/accountId'
  }
  {
    name: 'Accounts'
    partitionKey: '/id'
  }
  {
    name: 'Scenarios'
    partitionKey: '/id'
  }
  {
    name: 'GameSessions'
    partitionKey: '/accountId'
  }
  {
    name: 'ContentBundles'
    partitionKey: '/id'
  }
  {
    name: 'PendingSignups'
    partitionKey: '/email'
  }
  {
    name: 'CompassTrackings'
    partitionKey: '/Axis'
  }
]

// --- secrets: by their name in the vault and the setting that refers to them, and only those that are there

var hasCosmosSecret = makesCosmos || !empty(existingCosmosConnectionString)
var hasStorageSecret = makesStorage || !empty(existingStorageConnectionString)
var hasMailSecret = makesMail || !empty(acsConnectionString)
var hasBotId = !empty(botMicrosoftAppId)
var hasBotPassword = !empty(botMicrosoftAppPassword)
var hasDiscord = !empty(discordBotToken)
var hasWhatsAppChannel = enableWhatsApp && !empty(whatsAppChannelRegistrationId)
var hasWhatsAppPhone = enableWhatsApp && !empty(whatsAppPhoneNumberId)
var hasWhatsAppBusiness = enableWhatsApp && !empty(whatsAppBusinessAccountId)
var hasWhatsAppToken = enableWhatsApp && !empty(whatsAppWebhookVerifyToken)

var inVault = '@Microsoft.KeyVault(VaultName=${names.keyVault};SecretName='
var plainSettings = {
  ASPNETCORE_ENVIRONMENT: aspNetCoreEnvironment
  Azure__BlobStorage__ContainerName: mediaContainerName
  Azure__CosmosDb__DatabaseName: databaseName
  AzureCommunicationServices__SenderEmail: acsSenderEmail
  CorsSettings__AllowedOrigins: join(corsAllowedOrigins, ',')
  JwtSettings__RsaPrivateKey: '${inVault}JwtSettings--RsaPrivateKey)'
  JwtSettings__RsaPublicKey: '${inVault}JwtSettings--RsaPublicKey)'
  JwtSettings__Issuer: '${inVault}JwtSettings--Issuer)'
  JwtSettings__Audience: '${inVault}JwtSettings--Audience)'
}
var cosmosSettings = hasCosmosSecret ? {
  ConnectionStrings__CosmosDb: '${inVault}ConnectionStrings--CosmosDb)'
} : {}
var storageSettings = hasStorageSecret ? {
  ConnectionStrings__AzureStorage: '${inVault}ConnectionStrings--AzureStorage)'
} : {}
var mailSettings = hasMailSecret ? {
  AzureCommunicationServices__ConnectionString: '${inVault}AzureCommunicationServices--ConnectionString)'
} : {}
var botIdSettings = hasBotId ? {
  Bot__MicrosoftAppId: '${inVault}Bot--MicrosoftAppId)'
} : {}
var botPasswordSettings = hasBotPassword ? {
  Bot__MicrosoftAppPassword: '${inVault}Bot--MicrosoftAppPassword)'
} : {}
var discordSettings = hasDiscord ? {
  Discord__BotToken: '${inVault}Discord--BotToken)'
} : {}
var whatsAppSettings = union(hasWhatsAppChannel ? {
  WhatsApp__ChannelRegistrationId: '${inVault}WhatsApp--ChannelRegistrationId)'
} : {}, hasWhatsAppPhone ? {
  WhatsApp__PhoneNumberId: '${inVault}WhatsApp--PhoneNumberId)'
} : {}, hasWhatsAppBusiness ? {
  WhatsApp__BusinessAccountId: '${inVault}WhatsApp--BusinessAccountId)'
} : {}, hasWhatsAppToken ? {
  WhatsApp__WebhookVerifyToken: '${inVault}WhatsApp--WebhookVerifyToken)'
} : {})
var settings = union(plainSettings, cosmosSettings, storageSettings, mailSettings, botIdSettings, botPasswordSettings, discordSettings, whatsAppSettings)

// --- hosts

var subdomainSuffix = empty(customDomainSubdomain) ? dnsZoneName : '${customDomainSubdomain}.${dnsZoneName}'
var staticWebAppHost = subdomainSuffix
var apiHost = '${apiSubdomainPrefix}.${subdomainSuffix}'
var adminApiHost = '${adminApiSubdomainPrefix}.${subdomainSuffix}'
var recordSuffix = empty(customDomainSubdomain) ? '' : '.${customDomainSubdomain}'

// --- modules

module logAnalytics 'modules/log-analytics.bicep' = {
  name: 'log-analytics'
  params: {
    name: names.logAnalytics
    location: location
    tags: allTags
    retentionInDays: logRetentionDays
    dailyQuotaGb: logDailyQuotaGb
  }
}

module applicationInsights 'modules/application-insights.bicep' = {
  name: 'application-insights'
  params: {
    name: names.applicationInsights
    location: location
    tags: allTags
    workspaceId: logAnalytics.outputs.id
  }
}

module keyVault 'modules/key-vault.bicep' = {
  name: 'key-vault'
  params: {
    name: names.keyVault
    location: location
    tags: allTags
    purgeProtection: keyVaultPurgeProtection
    softDeleteRetentionInDays: keyVaultSoftDeleteDays
    adminObjectId: adminObjectId
    workspaceId: logAnalytics.outputs.id
    secrets: union({
      'JwtSettings--RsaPrivateKey': jwtRsaPrivateKey
      'JwtSettings--RsaPublicKey': jwtRsaPublicKey
      'JwtSettings--Issuer': jwtIssuer
      'JwtSettings--Audience': jwtAudience
    }, skipCosmosCreation && hasCosmosSecret ? {
      'ConnectionStrings--CosmosDb': existingCosmosConnectionString
    } : {}, skipStorageCreation && hasStorageSecret ? {
      'ConnectionStrings--AzureStorage': existingStorageConnectionString
    } : {}, !empty(acsConnectionString) ? {
      'AzureCommunicationServices--ConnectionString': acsConnectionString
    } : {}, hasBotId ? {
      'Bot--MicrosoftAppId': botMicrosoftAppId
    } : {}, hasBotPassword ? {
      'Bot--MicrosoftAppPassword': botMicrosoftAppPassword
    } : {}, hasDiscord ? {
      'Discord--BotToken': discordBotToken
    } : {}, hasWhatsAppChannel ? {
      'WhatsApp--ChannelRegistrationId': whatsAppChannelRegistrationId
    } : {}, hasWhatsAppPhone ? {
      'WhatsApp--PhoneNumberId': whatsAppPhoneNumberId
    } : {}, hasWhatsAppBusiness ? {
      'WhatsApp--BusinessAccountId': whatsAppBusinessAccountId
    } : {}, hasWhatsAppToken ? {
      'WhatsApp--WebhookVerifyToken': whatsAppWebhookVerifyToken
    } : {})
  }
}

module storage 'modules/storage.bicep' = if (makesStorage) {
  name: 'storage'
  params: {
    name: names.storage
    location: location
    tags: allTags
    sku: storageSku
    mediaContainerName: mediaContainerName
    allowedOrigins: corsAllowedOrigins
    keyVaultName: names.keyVault
  }
  dependsOn: [
    keyVault
  ]
}

module cosmosDb 'modules/cosmos-db.bicep' = if (makesCosmos) {
  name: 'cosmos-db'
  params: {
    name: names.cosmos
    location: location
    tags: allTags
    serverless: cosmosServerless
    databaseName: databaseName
    containers: containers
    keyVaultName: names.keyVault
    workspaceId: logAnalytics.outputs.id
  }
  dependsOn: [
    keyVault
  ]
}

module communicationServices 'modules/communication-services.bicep' = if (makesMail) {
  name: 'communication-services'
  params: {
    name: names.communication
    emailServiceName: names.email
    tags: allTags
    domainName: emailDomainName
    domainVerified: emailDomainVerified
    senderUsername: split(acsSenderEmail, '@')[0]
    keyVaultName: names.keyVault
  }
  dependsOn: [
    keyVault
  ]
}

module api 'modules/app-service.bicep' = if (makesApps) {
  name: 'api'
  params: {
    name: names.api
    location: location
    tags: allTags
    planName: names.plan
    createPlan: true
    sku: appServiceSku
    linuxFxVersion: linuxFxVersion
    healthCheckPath: '/health'
    slotsEnabled: slotsEnabled
    settings: settings
    allowedOrigins: corsAllowedOrigins
    keyVaultName: names.keyVault
    applicationInsightsName: names.applicationInsights
    workspaceId: logAnalytics.outputs.id
  }
  dependsOn: [
    applicationInsights
    communicationServices
    cosmosDb
    keyVault
    storage
  ]
}

module adminApi 'modules/app-service.bicep' = if (makesApps) {
  name: 'admin-api'
  params: {
    name: names.adminApi
    location: location
    tags: allTags
    planName: names.plan
    createPlan: false
    sku: appServiceSku
    linuxFxVersion: linuxFxVersion
    healthCheckPath: '/health'
    slotsEnabled: slotsEnabled
    settings: settings
    allowedOrigins: corsAllowedOrigins
    keyVaultName: names.keyVault
    applicationInsightsName: names.applicationInsights
    workspaceId: logAnalytics.outputs.id
  }
  dependsOn: [
    api // makes the plan that both share
  ]
}

module staticWebApp 'modules/static-web-app.bicep' = if (deployStaticWebApp) {
  name: 'static-web-app'
  params: {
    name: names.staticWebApp
    location: fallbackRegion
    tags: allTags
    sku: staticWebAppSku
    repositoryUrl: staticWebAppRepositoryUrl
    branch: staticWebAppBranch
    repositoryToken: staticWebAppRepositoryToken
  }
}

module azureBot 'modules/azure-bot.bicep' = if (makesBot) {
  name: 'azure-bot'
  params: {
    name: names.bot
    tags: allTags
    sku: botSku
    displayName: 'Mystira (${environment})'
    endpoint: empty(botEndpoint) ? 'https://${apiHost}/api/messages' : botEndpoint
    microsoftAppId: botMicrosoftAppId
  }
}

module actionGroup 'modules/action-group.bicep' = if (enableAlerts) {
  name: 'action-group'
  params: {
    name: names.actionGroup
    shortName: 'MystiraAlert'
    tags: allTags
    emailReceivers: alertEmailReceivers
    webhookReceivers: alertWebhookReceivers
  }
}

module alerts 'modules/alerts.bicep' = if (enableAlerts) {
  name: 'alerts'
  params: {
    namePrefix: prefix
    location: location
    tags: allTags
    actionGroupId: resourceId('Microsoft.Insights/actionGroups', names.actionGroup)
    workspaceId: logAnalytics.outputs.id
    sites: makesApps ? [
      {
        name: names.api
        id: resourceId('Microsoft.Web/sites', names.api)
      }
      {
        name: names.adminApi
        id: resourceId('Microsoft.Web/sites', names.adminApi)
      }
    ] : []
    planId: makesApps ? resourceId('Microsoft.Web/serverfarms', names.plan) : ''
    cosmosAccountId: makesCosmos ? resourceId('Microsoft.DocumentDB/databaseAccounts', names.cosmos) : ''
  }
  dependsOn: [
    actionGroup
    adminApi
    cosmosDb
  ]
}

module availabilityTests 'modules/availability-tests.bicep' = if (enableAvailabilityTests) {
  name: 'availability-tests'
  params: {
    location: location
    tags: allTags
    applicationInsightsId: applicationInsights.outputs.id
    actionGroupId: enableAlerts ? resourceId('Microsoft.Insights/actionGroups', names.actionGroup) : ''
    tests: [
      {
        name: '${prefix}-api-test-${region}'
        url: 'https://${apiHost}/health'
      }
      {
        name: '${prefix}-adminapi-test-${region}'
        url: 'https://${adminApiHost}/health'
      }
      {
        name: '${prefix}-pwa-test-${region}'
        url: 'https://${staticWebAppHost}/'
      }
    ]
  }
  dependsOn: [
    actionGroup
  ]
}

module dashboard 'modules/dashboard.bicep' = if (deployDashboard) {
  name: 'dashboard'
  params: {
    name: names.dashboard
    location: location
    tags: allTags
    title: 'Mystira ${environment}'
    applicationInsightsId: applicationInsights.outputs.id
  }
}

module budget 'modules/budget.bicep' = if (deployBudget) {
  name: 'budget'
  params: {
    name: names.budget
    amount: monthlyBudget
    startDate: budgetStartDate
    contactEmails: map(alertEmailReceivers, receiver => receiver.emailAddress)
    contactGroups: enableAlerts ? [
      resourceId('Microsoft.Insights/actionGroups', names.actionGroup)
    ] : []
  }
  dependsOn: [
    actionGroup
  ]
}

module dns 'modules/dns.bicep' = if (enableCustomDomain && makesApps && deployStaticWebApp) {
  name: 'dns-${environment}'
  scope: resourceGroup(dnsZoneResourceGroup)
  params: {
    zoneName: dnsZoneName
    aliases: concat(empty(customDomainSubdomain) ? [] : [
      {
        name: customDomainSubdomain
        target: staticWebApp.outputs.defaultHostname
      }
    ], enableApiCustomDomain ? [
      {
        name: '${apiSubdomainPrefix}${recordSuffix}'
        target: api.outputs.defaultHostName
      }
      {
        name: '${adminApiSubdomainPrefix}${recordSuffix}'
        target: adminApi.outputs.defaultHostName
      }
    ] : [])
    ownership: enableApiCustomDomain ? [
      {
        name: 'asuid.${apiSubdomainPrefix}${recordSuffix}'
        value: api.outputs.customDomainVerificationId
      }
      {
        name: 'asuid.${adminApiSubdomainPrefix}${recordSuffix}'
        value: adminApi.outputs.customDomainVerificationId
      }
    ] : []
    apexTargetId: empty(customDomainSubdomain) ? staticWebApp.outputs.id : ''
  }
}

// --- outputs: what others need to find these things, and nothing secret

output organization string = org
output environmentName string = environment
output projectName string = project
output primaryRegion string = location
output primaryRegionCode string = region

output logAnalyticsWorkspaceId string = logAnalytics.outputs.id
output applicationInsightsName string = applicationInsights.outputs.name

output keyVaultName string = keyVault.outputs.name
output keyVaultUri string = keyVault.outputs.uri

output storageAccountName string = makesStorage ? storage.outputs.name : existingStorageAccountName
output cosmosAccountName string = makesCosmos ? cosmosDb.outputs.name : existingCosmosAccountName
output communicationServiceName string = makesMail ? communicationServices.outputs.name : ''

output apiAppServiceName string = makesApps ? api.outputs.name : existingApiAppServiceName
output apiAppServiceDefaultHostName string = makesApps ? api.outputs.defaultHostName : ''
output apiAppServiceUrl string = makesApps ? 'https://${api.outputs.defaultHostName}' : ''
output apiCustomDomainUrl string = enableApiCustomDomain ? 'https://${apiHost}' : ''
output adminApiAppServiceName string = makesApps ? adminApi.outputs.name : existingAdminApiAppServiceName
output adminApiAppServiceDefaultHostName string = makesApps ? adminApi.outputs.defaultHostName : ''
output adminApiAppServiceUrl string = makesApps ? 'https://${adminApi.outputs.defaultHostName}' : ''
output adminApiCustomDomainUrl string = enableApiCustomDomain ? 'https://${adminApiHost}' : ''

@description('The text of the asuid records: the same for every app of a subscription.')
output customDomainVerificationId string = makesApps ? api.outputs.customDomainVerificationId : ''

@description('True where both apps have a slot named staging.')
output slotsEnabled bool = slotsEnabled

output staticWebAppName string = deployStaticWebApp ? staticWebApp.outputs.name : ''
output staticWebAppId string = deployStaticWebApp ? staticWebApp.outputs.id : ''
output staticWebAppDefaultHostname string = deployStaticWebApp ? staticWebApp.outputs.defaultHostname : ''
output staticWebAppUrl string = deployStaticWebApp ? 'https://${staticWebApp.outputs.defaultHostname}' : ''
output staticWebAppCustomDomain string = enableCustomDomain ? staticWebAppHost : ''
output staticWebAppCustomDomainUrl string = enableCustomDomain ? 'https://${staticWebAppHost}' : ''
output staticWebAppFallbackRegion string = fallbackRegion

output botId string = makesBot ? azureBot.outputs.id : ''
output botName string = makesBot ? azureBot.outputs.name : ''
output botEndpoint string = makesBot ? azureBot.outputs.endpoint : ''

output actionGroupId string = enableAlerts ? actionGroup.outputs.id : ''
output alertsEnabled bool = enableAlerts
output availabilityTestsEnabled bool = enableAvailabilityTests
output customDomainEnabled bool = enableCustomDomain
output managedCertificateEnabled bool = enableManagedCert
