// Mail of the App. A domain of one's own sends nothing before its DNS records are there and Azure has verified it, so
// linking it and its sender waits for that.

@minLength(1)
@maxLength(63)
param name string

@minLength(1)
@maxLength(63)
param emailServiceName string

param tags object

@description('Domain that mail comes from, managed by us.')
param domainName string

@description('True once Azure has verified the domain.')
param domainVerified bool

@description('Part of the sender address before the at sign.')
param senderUsername string

@description('Vault that receives the connection string.')
param keyVaultName string

resource emailService 'Microsoft.Communication/emailServices@2023-04-01' = {
  name: emailServiceName
  location: 'global'
  tags: tags
  properties: {
    dataLocation: 'Europe'
  }
}

resource domain 'Microsoft.Communication/emailServices/domains@2023-04-01' = {
  parent: emailService
  name: domainName
  location: 'global'
  tags: tags
  properties: {
    domainManagement: 'CustomerManaged'
    userEngagementTracking: 'Disabled'
  }
}

resource sender 'Microsoft.Communication/emailServices/domains/senderUsernames@2023-04-01' = if (domainVerified) {
  parent: domain
  name: senderUsername
  properties: {
    username: senderUsername
    displayName: 'Mystira'
  }
}

resource communicationService 'Microsoft.Communication/communicationServices@2023-04-01' = {
  name: name
  location: 'global'
  tags: tags
  properties: {
    dataLocation: 'Europe'
    linkedDomains: domainVerified ? [
      domain.id
    ] : []
  }
}

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' existing = {
  name: keyVaultName
}

resource connectionString 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = {
  parent: vault
  name: 'AzureCommunicationServices--ConnectionString'
  properties: {
    value: communicationService.listKeys().primaryConnectionString
  }
}

output id string = communicationService.id
output name string = communicationService.name
