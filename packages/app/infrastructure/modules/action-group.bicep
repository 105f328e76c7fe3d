// Who hears of an alert.

@minLength(1)
@maxLength(260)
param name string

@description('Shown in mails and text messages; Azure allows 12 characters.')
@minLength(1)
@maxLength(12)
param shortName string

param tags object

@description('Receivers by mail: objects with name and emailAddress.')
param emailReceivers array

@description('Receivers by web hook: objects with name and serviceUri.')
param webhookReceivers array

resource actionGroup 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: name
  location: 'global'
  tags: tags
  properties: {
    groupShortName: shortName
    enabled: true
    emailReceivers: [for receiver in emailReceivers: {
      name: receiver.name
      emailAddress: receiver.emailAddress
      useCommonAlertSchema: true
    }]
    webhookReceivers: [for receiver in webhookReceivers: {
      name: receiver.name
      serviceUri: receiver.serviceUri
      useCommonAlertSchema: true
    }]
  }
}

output id string = actionGroup.id
