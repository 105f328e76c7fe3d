// Says when this resource group spends more than planned. It stops nothing.

@minLength(1)
@maxLength(63)
param name string

@description('Amount per month, in the currency of the subscription.')
@minValue(1)
param amount int

@description('First day of a month, as 2026-11-01.')
param startDate string

param contactEmails array

@description('Ids of action groups to tell.')
param contactGroups array

resource budget 'Microsoft.Consumption/budgets@2023-05-01' = {
  name: name
  properties: {
    category: 'Cost'
    amount: amount
    timeGrain: 'Monthly'
    timePeriod: {
      startDate: startDate
    }
    notifications: {
      actual80: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 80
        thresholdType: 'Actual'
        contactEmails: contactEmails
        contactGroups: contactGroups
      }
      actual100: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 100
        thresholdType: 'Actual'
        contactEmails: contactEmails
        contactGroups: contactGroups
      }
      forecast100: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 100
        thresholdType: 'Forecasted'
        contactEmails: contactEmails
        contactGroups: contactGroups
      }
    }
  }
}

output id string = budget.id
