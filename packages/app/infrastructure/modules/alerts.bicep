// What somebody must hear of: the apps, their plan, the database, and who is turned away. Only metrics that exist.

@description('Beginning of every name, as mys-dev-mystira.')
param namePrefix string

param location string
param tags object

@description('Id of the action group that hears of it.')
param actionGroupId string

@description('Id of the Log Analytics workspace.')
param workspaceId string

@description('Web apps: objects with name and id.')
param sites array

@description('Id of the plan; empty when it is not ours.')
param planId string

@description('Id of the database account; empty when it is not ours.')
param cosmosAccountId string

var siteMetrics = [
  {
    name: 'errors'
    metric: 'Http5xx'
    aggregation: 'Total'
    threshold: 10
    severity: 1
    about: 'More than 10 answers with a server error in 5 minutes.'
  }
  {
    name: 'slow'
    metric: 'HttpResponseTime'
    aggregation: 'Average'
    threshold: 5
    severity: 2
    about: 'Answers take more than 5 seconds on average.'
  }
]
var siteAlerts = flatten(map(sites, site => map(siteMetrics, each => {
  name: '${site.name}-${each.name}'
  id: site.id
  metric: each.metric
  aggregation: each.aggregation
  threshold: each.threshold
  severity: each.severity
  about: each.about
})))
var planMetrics = empty(planId) ? [] : [
  {
    name: 'cpu'
    metric: 'CpuPercentage'
  }
  {
    name: 'memory'
    metric: 'MemoryPercentage'
  }
]
var queries = [
  {
    name: 'exceptions'
    about: 'More than 20 exceptions in 15 minutes.'
    query: 'AppExceptions | where SeverityLevel >= 3'
    threshold: 20
    severity: 2
  }
  {
    name: 'refused'
    about: 'More than 50 requests without permission in 15 minutes.'
    query: 'AppRequests | where ResultCode in ("401", "403")'
    threshold: 50
    severity: 2
  }
  {
    name: 'vault-refused'
    about: 'The vault refused somebody more than 5 times in 15 minutes.'
    query: 'AzureDiagnostics | where ResourceProvider == "MICROSOFT.KEYVAULT" and httpStatusCode_d == 403'
    threshold: 5
    severity: 1
  }
]

resource siteAlert 'Microsoft.Insights/metricAlerts@2018-03-01' = [for alert in siteAlerts: {
  name: alert.name
  location: 'global'
  tags: tags
  properties: {
    description: alert.about
    severity: alert.severity
    enabled: true
    scopes: [
      alert.id
    ]
    evaluationFrequency: 'PT1M'
    windowSize: 'PT5M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: alert.metric
          metricName: alert.metric
          operator: 'GreaterThan'
          threshold: alert.threshold
          timeAggregation: alert.aggregation
          criterionType: 'StaticThresholdCriterion'
        }
      ]
    }
    actions: [
      {
        actionGroupId: actionGroupId
      }
    ]
  }
}]

resource planAlert 'Microsoft.Insights/metricAlerts@2018-03-01' = [for alert in planMetrics: {
  name: '${namePrefix}-plan-${alert.name}'
  location: 'global'
  tags: tags
  properties: {
    description: 'The plan uses more than 85 percent for 15 minutes.'
    severity: 2
    enabled: true
    scopes: [
      planId
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: alert.metric
          metricName: alert.metric
          operator: 'GreaterThan'
          threshold: 85
          timeAggregation: 'Average'
          criterionType: 'StaticThresholdCriterion'
        }
      ]
    }
    actions: [
      {
        actionGroupId: actionGroupId
      }
    ]
  }
}]

resource cosmosThrottled 'Microsoft.Insights/metricAlerts@2018-03-01' = if (!empty(cosmosAccountId)) {
  name: '${namePrefix}-cosmos-throttled'
  location: 'global'
  tags: tags
  properties: {
    description: 'The database turned away more than 100 requests in 5 minutes (429).'
    severity: 2
    enabled: true
    scopes: [
      cosmosAccountId
    ]
    evaluationFrequency: 'PT1M'
    windowSize: 'PT5M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: 'throttled'
          metricNamespace: 'Microsoft.DocumentDB/databaseAccounts'
          metricName: 'TotalRequests'
          operator: 'GreaterThan'
          threshold: 100
          timeAggregation: 'Count'
          criterionType: 'StaticThresholdCriterion'
          dimensions: [
            {
              name: 'StatusCode'
              operator: 'Include'
              values: [
                '429'
              ]
            }
          ]
        }
      ]
    }
    actions: [
      {
        actionGroupId: actionGroupId
      }
    ]
  }
}

resource queryAlert 'Microsoft.Insights/scheduledQueryRules@2023-03-15-preview' = [for alert in queries: {
  name: '${namePrefix}-${alert.name}'
  location: location
  tags: tags
  properties: {
    displayName: '${namePrefix}-${alert.name}'
    description: alert.about
    severity: alert.severity
    enabled: true
    scopes: [
      workspaceId
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    skipQueryValidation: true
    autoMitigate: true
    criteria: {
      allOf: [
        {
          query: alert.query
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: alert.threshold
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: [
        actionGroupId
      ]
    }
  }
}]
