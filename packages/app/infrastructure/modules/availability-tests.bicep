// Asks the public addresses from outside Azure's region, every five minutes, and tells when two places get no answer.

param location string
param tags object

@description('Id of the Application Insights component that keeps the results.')
param applicationInsightsId string

@description('Id of the action group; empty when nobody is to be told.')
param actionGroupId string

@description('Tests: objects with name and url.')
param tests array

var places = [
  'emea-nl-ams-azr'
  'emea-gb-db3-azr'
  'us-va-ash-azr'
  'us-tx-sn1-azr'
  'apac-sg-sin-azr'
]

resource webTest 'Microsoft.Insights/webtests@2022-06-15' = [for test in tests: {
  name: test.name
  location: location
  tags: union(tags, {
    'hidden-link:${applicationInsightsId}': 'Resource'
  })
  kind: 'standard'
  properties: {
    SyntheticMonitorId: test.name
    Name: test.name
    Enabled: true
    Frequency: 300
    Timeout: 30
    Kind: 'standard'
    RetryEnabled: true
    Locations: [for place in places: {
      Id: place
    }]
    Request: {
      RequestUrl: test.url
      HttpVerb: 'GET'
      ParseDependentRequests: false
    }
    ValidationRules: {
      ExpectedHttpStatusCode: 200
      SSLCheck: true
      SSLCertRemainingLifetimeCheck: 14
    }
  }
}]

resource unavailable 'Microsoft.Insights/metricAlerts@2018-03-01' = [for (test, index) in tests: if (!empty(actionGroupId)) {
  name: '${test.name}-unavailable'
  location: 'global'
  tags: tags
  properties: {
    description: 'Two or more places get no answer from ${test.url}.'
    severity: 1
    enabled: true
    scopes: [
      webTest[index].id
      applicationInsightsId
    ]
    evaluationFrequency: 'PT1M'
    windowSize: 'PT5M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.WebtestLocationAvailabilityCriteria'
      webTestId: webTest[index].id
      componentId: applicationInsightsId
      failedLocationCount: 2
    }
    actions: [
      {
        actionGroupId: actionGroupId
      }
    ]
  }
}]
