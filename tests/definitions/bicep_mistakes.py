"""Mistakes put into Bicep as others lay it out, and what only looks like one."""

WHOLE = "\x00"
"""Instead of the old text: the new one is a file of its own."""
MAIN, PARAMETERS, WEB, VAULT = (
    f"azd/infra/{each}" for each in ("main.bicep", "main.parameters.json", "app/web.bicep", "core/vault.bicep")
)
LANDING_MAIN, SERVER, TYPES, NAMES = (
    f"landing/{each}.bicep" for each in ("main", "modules/server", "shared/types", "shared/names")
)
BASE, DEV, PROD = (f"landing/environments/{each}.bicepparam" for each in ("base", "dev", "prod"))
ALONE = "alone/main.bicep"
COSMOS = """\
resource account 'Microsoft.DocumentDB/databaseAccounts@2024-05-15' = {
  name: 'cosmos-shop'
  location: resourceGroup().location
  properties: {
    databaseAccountOfferType: 'Standard'
    locations: [{ locationName: resourceGroup().location }]
    capabilities: [{ name: 'EnableServerless' }]
  }

  resource database 'sqlDatabases' = {
    name: 'shop'
    properties: {
      resource: { id: 'shop' }
      options: { throughput: 400 }
    }
  }
}
"""
ALERTS = """\
var shops = ['shop', 'storefront']

resource groups 'Microsoft.Insights/actionGroups@2023-01-01' = [
  for shop in shops: {
    name: 'ag-${shop}'
    location: 'global'
    properties: { enabled: true, groupShortName: '${shop}-ops' }
  }
]
"""
STORE = """\
resource store 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: 'stshop'
  location: resourceGroup().location
  sku: { name: 'Standard_LRS' }
  kind: 'StorageV2'
}
"""
APP = """\
resource app 'Microsoft.App/containerApps@2024-03-01' = {
  name: 'shop'
  location: resourceGroup().location
  properties: {}
}
"""

# what is wrong · file · old text · new text · rule · text, or file and text, where it is found · words of the finding
SEEDS = [
    ("a value without a sign", DEV, "param label = 'shop'", "param label 'shop'", "syntax", "param label", '"="'),
    ("a text of lines without an end", LANDING_MAIN, "stay.\n'''", "stay.\n''", "syntax", "$'''", "not terminated"),
    (
        "a type without a brace",
        LANDING_MAIN,
        "  range: string\n}\n\n@description('The net",
        "  range: string\n\n@description('The net",
        "syntax",
        "type Network",
        "location",
    ),
    (
        "values without a template",
        BASE,
        "using none",
        "// using none",
        "syntax",
        "// using none",
        "using",
    ),
    (
        "a test",
        SERVER,
        "output host",
        "test smoke '../main.bicep' = {\n  params: {}\n}\n\noutput host",
        "not-read",
        "test smoke",
        "test",
    ),
    (
        "a resource as a parameter",
        VAULT,
        "param principalId string",
        "param principalId string\nparam network resource 'Microsoft.Network/virtualNetworks@2024-01-01'",
        "not-read",
        "param network",
        "resources",
    ),
    (
        "values for a template of a registry",
        "alone/test.bicepparam",
        WHOLE,
        "using 'br:shop.azurecr.io/bicep/main:1.2.0'\n\nparam label = 'shop'\n",
        "not-read",
        "using",
        "br:shop.azurecr.io/bicep/main:1.2.0 registry",
    ),
    (
        "values for a template in JSON",
        "azd/infra/other.bicepparam",
        WHOLE,
        "using 'azuredeploy.json'\n\nparam siteName = 'shop'\n",
        "not-read",
        "using",
        "azuredeploy.json no Bicep",
    ),
    (
        "a value is given twice",
        DEV,
        "param copies = 2",
        "param copies = 2\nparam label = 'other'",
        "declared-twice",
        "param label = 'other'",
        "label dev.bicepparam",
    ),
    (
        "a type has the name of a variable",
        LANDING_MAIN,
        "var script",
        "type greeting = string\nvar script",
        "declared-twice",
        "var greeting",
        "greeting main.bicep",
    ),
    (
        "an import has the name of a parameter",
        SERVER,
        "import { Plan }",
        "import { Plan, numbered as name }",
        "declared-twice",
        "param name",
        "name",
    ),
    ("a type is misspelt", LANDING_MAIN, "param sku Sku", "param sku Skuu", ("undeclared", "unused"), "Skuu", "Skuu"),
    (
        "what is imported is not given out",
        NAMES,
        "@export()\ntype Region",
        "type Region",
        "unused",
        "type Region",
        "Region",
    ),
    (
        "an import is misspelt",
        LANDING_MAIN,
        "Source, numbered,",
        "Source, numberd as numbered,",
        "undeclared",
        "import { Label",
        "numberd types.bicep",
    ),
    (
        "a function of one's own is misspelt",
        LANDING_MAIN,
        "suffixed(label, index)",
        "suffxed(label, index)",
        ("undeclared", "unused"),
        "suffxed",
        "suffxed()",
    ),
    (
        "a variable of a parameter file is misspelt",
        PROD,
        "'${range}.0.0/16'",
        "'${Range}.0.0/16'",
        "undeclared",
        "${Range}",
        "Range range",
    ),
    (
        "a decorator of a member is misspelt",
        TYPES,
        "@maxValue(10)",
        "@maximum(10)",
        "undeclared",
        "@maximum",
        "@maximum",
    ),
    (
        "an import is used nowhere",
        SERVER,
        "import { Plan }",
        "import { Plan, retention }",
        "unused",
        "import { Plan",
        "import retention",
    ),
    (
        "a type is used nowhere",
        VAULT,
        "var reader",
        "type Access = 'read' | 'write'\n\nvar reader",
        "unused",
        "type Access",
        "type Access",
    ),
    (
        "a variable of a parameter file is used nowhere",
        DEV,
        "param copies",
        "var half = 1\nparam copies",
        "unused",
        "var half",
        "variable half",
    ),
    (
        "a path of an import is wrong",
        LANDING_MAIN,
        "'shared/names.bicep'",
        "'shared/name.bicep'",
        "module-missing",
        "import * as names",
        "names shared/name.bicep",
    ),
    (
        "values are for a template that is gone",
        PROD,
        "using '../main.bicep'",
        "using '../platform.bicep'",
        "module-missing",
        "using",
        "../platform.bicep",
    ),
    (
        "a file extends what is gone",
        DEV,
        "extends 'base.bicepparam'",
        "extends 'bases.bicepparam'",
        ("module-missing", "parameter-missing", "parameter-parity"),
        "extends",
        "bases.bicepparam",
    ),
    (
        "a module lacks a number",
        MAIN,
        "    replicas: replicas\n",
        "    // replicas: replicas\n",
        ("module-parameter", "unused"),
        "module web ",
        "web replicas web.bicep",
    ),
    (
        "a module is given a text for an imported type",
        LANDING_MAIN,
        "    plan: plan\n",
        "    plan: 'B1ms'\n",
        ("module-parameter", "unused"),
        "    plan: 'B1ms'",
        "plan object string",
    ),
    (
        "an output of a module of another folder is misspelt",
        MAIN,
        "web.outputs.uri",
        "web.outputs.url",
        "module-output",
        "web.outputs.url",
        "url web.bicep",
    ),
    (
        "an output that may be null is misspelt",
        LANDING_MAIN,
        "server.?outputs.?host",
        "server.?outputs.?hostName",
        "module-output",
        "server.?outputs",
        "hostName server.bicep",
    ),
    (
        "the CLI's file has an unknown name",
        PARAMETERS,
        '"createRole"',
        '"createRoles"',
        "parameter-unknown",
        '"createRoles"',
        "createRoles main.bicep",
    ),
    (
        "a parameter file in Bicep has an unknown name",
        PROD,
        "param copies = 3",
        "param copies = 3\nparam Sku = 'Standard_ZRS'",
        "parameter-unknown",
        "param Sku",
        "Sku sku",
    ),
    (
        "the CLI's file lacks the environment",
        PARAMETERS,
        '    "environmentName": {\n      "value": "${AZURE_ENV_NAME}"\n    },\n',
        "",
        "parameter-missing",
        "",
        "environmentName",
    ),
    (
        "neither a file nor the script has a value",
        "folders/deploy.sh",
        " --parameters stage=",
        " --tags stages=",
        "parameter-missing",
        ("folders/values/dev/main.parameters.json", ""),
        "stage folders/main.bicep",
    ),
    (
        "no file of a chain has a value",
        BASE,
        "param region = 'westeurope'\n",
        "",
        "parameter-missing",
        (DEV, ""),
        "region main.bicep",
    ),
    (
        "the CLI's file names a region that is not allowed",
        PARAMETERS,
        "${AZURE_LOCATION}",
        "eastus",
        "parameter-value",
        '"location"',
        "'eastus' eastus2",
    ),
    (
        "an object lacks what its type wants",
        DEV,
        "  capacity: 1\n",
        "",
        "parameter-value",
        "param plan",
        "plan capacity",
    ),
    (
        "an object in an array lacks what its type wants",
        DEV,
        "{ name: 'apps', range: '10.1.0.0/24' }",
        "{ name: 'apps', ranges: ['10.1.0.0/24'] }",
        "parameter-value",
        "param network",
        "subnets item 0 range",
    ),
    (
        "a text in an object is shorter than its type allows",
        DEV,
        "range: '10.1.0.0/24'",
        "range: '10.1/24'",
        "parameter-value",
        "param network",
        "subnets 7 9",
    ),
    (
        "an item of an array has the wrong type",
        PROD,
        "zones: [1, 2]",
        "zones: [1, '2']",
        "parameter-value",
        "param plan",
        "zones item 1 int string",
    ),
    (
        "a text is longer than its imported type allows",
        PROD,
        "param label = 'shop'",
        "param label = 'storefronts1'",
        "parameter-value",
        "param label",
        "12 11",
    ),
    (
        "an optional value stands in one file of a chain",
        DEV,
        "param copies = 2\n",
        "",
        "parameter-parity",
        "",
        "copies prod.bicepparam",
    ),
    (
        "a folder for each environment, and one leaves a value out",
        "folders/values/prod/main.parameters.json",
        '"value": "shop"\n    },\n    "size": {\n      "value": 2\n    }',
        '"value": "shop"\n    }',
        "parameter-parity",
        "",
        "size folders/values/dev/main.parameters.json",
    ),
    (
        "a secret stands in a file of the CLI",
        PARAMETERS,
        "${API_KEY}",
        "k3y-of-the-shop",
        "secret-in-clear",
        '"apiKey"',
        "apiKey",
    ),
    (
        "a secret is what an environment variable falls back to",
        DEV,
        "readEnvironmentVariable('ADMIN_PASSWORD', '')",
        "readEnvironmentVariable('ADMIN_PASSWORD', 'Winter2026!')",
        "secret-in-clear",
        "param adminPassword",
        "adminPassword",
    ),
    (
        "a password is written into a resource",
        SERVER,
        "'${password}${token}'",
        "'Winter2026!'",
        ("secret-in-clear", "unused"),
        "administratorLoginPassword",
        "administratorLoginPassword server",
    ),
    (
        "an output hands a parameter on",
        WEB,
        "output keyId",
        "output settings object = { url: vaultName, key: '${apiKey}' }\noutput keyId",
        "secret-output",
        "output settings object",
        "apiKey",
    ),
    (
        "an output lists keys in a loop",
        LANDING_MAIN,
        "[for index in range(0, copies): accounts[index].id]",
        "[for index in range(0, copies): accounts[index].listKeys().keys[0].value]",
        "secret-output",
        "output accountIds",
        "listKeys()",
    ),
    (
        "a secret of a module is not marked",
        WEB,
        "@secure()\nparam apiKey",
        "param apiKey",
        "secure-missing",
        "param apiKey",
        "apiKey",
    ),
    (
        "an object of credentials is not marked",
        VAULT,
        "param principalId string",
        "param principalId string\nparam registryCredentials object = {}\n"
        "output told bool = empty(registryCredentials)",
        "secure-missing",
        "param registryCredentials",
        "registryCredentials",
    ),
    (
        "roles are switched off by a value",
        VAULT,
        "    enableRbacAuthorization: true\n",
        "    enableRbacAuthorization: length(principalId) > 100 && false\n",
        "vault-access-policies",
        "resource vault ",
        "enableRbacAuthorization",
    ),
    (
        "a nested resource adds a policy",
        VAULT,
        "    sku: { family: 'A', name: 'standard' }\n  }\n",
        "    sku: { family: 'A', name: 'standard' }\n  }\n\n  resource more 'accessPolicies' = {\n    name: 'add'\n"
        "    properties: {\n      accessPolicies: []\n    }\n  }\n",
        "vault-access-policies",
        "resource more",
        "more policies",
    ),
    (
        "a name is made by a function",
        LANDING_MAIN,
        "  name: 'st${label}${environment}'",
        "  name: suffixed('st${label}', 1)",
        "name",
        "  name: suffixed",
        "stshop-1",
    ),
    (
        "a plan's name is too long",
        WEB,
        "name: 'plan-${name}'",
        "name: 'plan-of-the-shop-that-sells-all-that-anybody-could-ever-wish-for'",
        "name",
        "name: 'plan-of",
        "60",
    ),
    (
        "a name is illegal with the values of one environment, in a template that a test uses, too",
        "folders/values/prod/main.parameters.json",
        '"value": "shop"',
        '"value": "Shop"',
        "name",
        ("folders/main.bicep", "name: 'st"),
        "stShop2",
    ),
    (
        "the configuration tells of what is idle, too",
        "folders/tests/bicepconfig.json",
        '"off"',
        '"warning"',
        "unused",
        ("folders/tests/main.test.bicep", "param later"),
        "parameter later",
    ),
    (
        "a variable after the part that the compiler is told to pass over",
        VAULT,
        "var reader",
        "#disable-diagnostics no-unused-vars\nvar old = 1\n#restore-diagnostics no-unused-vars\n"
        "var older = 2\nvar reader",
        "unused",
        "var older",
        "variable older",
    ),
    (
        "a short name of a loop is too long",
        ALONE,
        WHOLE,
        ALERTS,
        "short-name",
        "resource groups",
        "storefront-ops 14 12",
    ),
    (
        "a nested database has throughput",
        ALONE,
        WHOLE,
        COSMOS,
        "cosmos-throughput",
        "  resource database",
        "throughput serverless",
    ),
    (
        "a nested record stands beside an app",
        ALONE,
        WHOLE,
        APP + "\nresource zone 'Microsoft.Network/dnsZones@2018-05-01' = {\n  name: 'shop.example'\n"
        "  location: 'global'\n\n  resource www 'CNAME' = {\n    name: 'www'\n    properties: {\n      TTL: 300\n"
        "      CNAMERecord: { cname: app.properties.configuration.ingress.fqdn }\n    }\n  }\n}\n",
        "dns-in-base",
        "  resource www",
        "www CNAME",
    ),
    (
        "nested resources in two versions",
        LANDING_MAIN,
        "    resource media 'containers' = {",
        "    resource old 'containers@2021-09-01' = {\n      name: 'old'\n    }\n\n    resource media 'containers' = {",
        "api-version",
        "resource old",
        "2021-09-01 2023-05-01 blobServices/containers",
    ),
]

# The rule it comes near to · what is right · file · old text · new text
NEAR = [
    (
        "dns-in-base",
        "a record inside a zone that is never made",
        ALONE,
        WHOLE,
        APP + "\nresource zone 'Microsoft.Network/dnsZones@2018-05-01' = if (1 > 2) {\n  name: 'shop.example'\n"
        "  location: 'global'\n\n  resource www 'CNAME' = {\n    name: 'www'\n    properties: { TTL: 300 }\n  }\n}\n",
    ),
    (
        "parameter-value",
        "a type that is made of itself",
        LANDING_MAIN,
        "type Subnet = {",
        "type Subnet = {\n  within: Subnet?\n  beside: Subnet[]?",
    ),
    (
        "syntax",
        "comments after values and over lines",
        PARAMETERS,
        '"value": "${AZURE_LOCATION}"',
        '"value": "${AZURE_LOCATION}" // where\n      /* and "not\n      elsewhere */',
    ),
    (
        "secure-missing",
        "what makes names unique",
        WEB,
        "param vaultName string",
        "param vaultName string\nparam resourceToken string = uniqueString(vaultName)\n"
        "output token string = resourceToken",
    ),
    (
        "secret-in-clear",
        "a password that is made for each deployment",
        PARAMETERS,
        "${API_KEY}",
        "GEN-PASSWORD",
    ),
    (
        "parameter-missing",
        "a value that a script of PowerShell passes",
        "folders/deploy.sh",
        WHOLE,
        "New-AzResourceGroupDeployment -TemplateFile main.bicep -TemplateParameterFile $file -stage $stage\n",
    ),
    (
        "unused",
        "a parameter that the compiler is told to pass over",
        VAULT,
        "param principalId",
        "#disable-next-line no-unused-params // kept for callers\nparam old string = ''\nparam principalId",
    ),
    (
        "unused",
        "variables that the compiler is told to pass over",
        VAULT,
        "var reader",
        "#disable-diagnostics no-unused-vars\nvar old = 1\nvar older = 2\n"
        "#restore-diagnostics no-unused-vars\nvar reader",
    ),
    (
        "unused",
        "a rule that the configuration switches off",
        "folders/tests/main.test.bicep",
        "module tested",
        "param seldom bool = false\n\nmodule tested",
    ),
    ("syntax", "a text of lines holds braces and quotes", LANDING_MAIN, "stay.\n", "stay: }} ' '' ${label}\n"),
    ("syntax", "two dollars before a text of lines", LANDING_MAIN, "$'''\nHello ${env", "$$'''\nHello ${x} $${env"),
    ("syntax", "diagnostics are switched off for a part", WEB, "param name", "#disable-diagnostics BCP081\nparam name"),
    (
        "not-read",
        "what came to the language later",
        NAMES,
        "var separator",
        "import 'kubernetes@1.0.0' with { namespace: 'shop', kubeConfig: '' } as cluster\nprovider graph\n"
        "@export()\ntype Made = resourceInput<'Microsoft.Web/sites@2023-12-01'>.properties?\n"
        "@export()\ntype Answer = (true | null)[] | { *: -1 }\nassert isThere = separator == '-'\nvar separator",
    ),
    ("not-read", "values that are for no template", "alone/none.bicepparam", WHOLE, "using none\nparam size = 1\n"),
    ("declared-twice", "an assertion with the name of a type", LANDING_MAIN, "assert hasRoom", "assert Network"),
    (
        "declared-twice",
        "a local with the name of a variable",
        PROD,
        "for number in [0, 1]: { name: 'net${number}', range: '${range}.${number}.0/24' }",
        "for first in [0, 1]: { name: 'net${first}', range: '${range}.${first}.0/24' }",
    ),
    (
        "undeclared",
        "a name under another",
        SERVER,
        "import { Plan } from '../shared/types.bicep'",
        "import {\n  Plan\n  'retention' as days\n} from '../shared/types.bicep'\n\noutput kept int = days",
    ),
    (
        "undeclared",
        "a resource by its short name inside its parent",
        WEB,
        "API_KEY:",
        "URI: vault::key.id\n      API_KEY:",
    ),
    (
        "unused",
        "a type that another type is made of",
        TYPES,
        "@export()\n@discriminator",
        "type Git = { kind: 'git' }\n\n@export()\ntype Other = Git?\n\n@export()\n@discriminator",
    ),
    ("unused", "a variable in a text of lines", LANDING_MAIN, "Hello ${env", "Hello ${daysKept}${env"),
    (
        "module-missing",
        "a template of a spec",
        MAIN,
        "'br/public:avm/ptn/azd/monitoring:0.1.0'",
        "'ts/shop:monitoring:1'",
    ),
    (
        "module-missing",
        "a module in JSON",
        MAIN,
        "output WEB_URI",
        "module group2 './../infra/main.json' = {\n  name: 'x'\n}\n\noutput WEB_URI",
    ),
    (
        "module-parameter",
        "a parameter that may be null",
        SERVER,
        "param region",
        "param more Plan?\nparam zone string?\noutput told string = '${zone}${more.?name}'\nparam region",
    ),
    (
        "module-output",
        "an output of one of many",
        MAIN,
        "output WEB_URI",
        "output more array = [for n in [1]: web.outputs.uri]\noutput WEB_URI",
    ),
    (
        "parameter-unknown",
        "values for a template in JSON beside",
        "azd/infra/azuredeploy.parameters.json",
        WHOLE,
        '{"$schema": "https://x/deploymentParameters.json#", "parameters": {"siteName": {"value": "x"}}}',
    ),
    (
        "parameter-missing",
        "a value that another file gives",
        DEV,
        "param copies = 2",
        "param copies = 2\nparam region = 'northeurope'",
    ),
    ("parameter-missing", "a secret that the pipeline passes", DEV, "param adminPassword", "// param adminPassword"),
    ("parameter-value", "more than the type of an object names", PROD, "  subnets:", "  peer: 'hub'\n  subnets:"),
    ("parameter-value", "the pipeline's own way to fill in", PARAMETERS, "${CREATE_ROLE=true}", "#{createRole}#"),
    (
        "parameter-parity",
        "a value that all take from the file they extend",
        BASE,
        "param region",
        "param sku = 'Standard_ZRS'\nparam region",
    ),
    ("parameter-parity", "a value that one gives anew", DEV, "param copies = 2", "param copies = 2\nparam tags = {}"),
    ("secret-in-clear", "a secret that is made anew", WEB, "param apiKey string", "param apiKey string = newGuid()"),
    (
        "secret-in-clear",
        "a password that refers to another place",
        SERVER,
        "'${password}${token}'",
        "concat(password, token)",
    ),
    (
        "secret-output",
        "a function of one's own whose name begins like those of Azure",
        LANDING_MAIN,
        "assert hasRoom",
        "func listed(text string) string => 'x-${text}'\noutput shown string = listed(label)\n\nassert hasRoom",
    ),
    (
        "secret-output",
        "whether there is a secret",
        WEB,
        "output keyId",
        "output hasKey bool = !empty(apiKey)\noutput keyId",
    ),
    (
        "secure-missing",
        "a type of one's own that is secure",
        VAULT,
        "param principalId string",
        "@secure()\ntype Hidden = string\n\nparam principalId string\nparam adminPassword Hidden = ''\n"
        "output told bool = empty(adminPassword)",
    ),
    (
        "secure-missing",
        "the name of a secret",
        WEB,
        "param vaultName string",
        "param vaultName string\nparam secretName string = 'k'\noutput named string = secretName",
    ),
    ("vault-access-policies", "an empty list beside roles", VAULT, "    sku: {", "    accessPolicies: []\n    sku: {"),
    (
        "vault-access-policies",
        "a version with roles by default",
        "alone/main.bicep",
        WHOLE,
        "resource vault 'Microsoft.KeyVault/vaults@2026-02-01' = {\n"
        "  name: 'kv-shop'\n  location: 'westeurope'\n  properties: {}\n}\n",
    ),
    (
        "name",
        "a name of just as many characters",
        WEB,
        "name: 'plan-${name}'",
        "name: 'plan-of-the-shop-that-sells-all-that-anybody-could-ever-wish'",
    ),
    (
        "name",
        "a name of what is never made, and one with a parent's name before it",
        ALONE,
        WHOLE,
        STORE.replace("' = {", "' = if (1 > 2) {", 1).replace("stshop", "st-shop")
        + "\nresource blobs 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' = {\n"
        "  name: 'stshop/default'\n}\n",
    ),
    ("short-name", "a short name of just as many characters", ALONE, WHOLE, ALERTS.replace("storefront", "storefr0")),
    (
        "cosmos-throughput",
        "another account beside a serverless one",
        ALONE,
        WHOLE,
        COSMOS.replace("options: { throughput: 400 }", "options: {}")
        + COSMOS.replace("resource account", "resource big")
        .replace("[{ name: 'EnableServerless' }]", "[]")
        .replace("cosmos-shop", "cosmos-big"),
    ),
    (
        "dns-in-base",
        "a zone beside an app, without a record",
        ALONE,
        WHOLE,
        APP + "\nresource zone 'Microsoft.Network/dnsZones@2018-05-01' = {\n  name: 'shop.example'\n"
        "  location: 'global'\n}\n",
    ),
    (
        "dns-in-base",
        "a private record beside an app",
        ALONE,
        WHOLE,
        APP + "\nresource record 'Microsoft.Network/privateDnsZones/A@2020-06-01' = {\n"
        "  name: 'shop.internal/db'\n  properties: { ttl: 300 }\n}\n",
    ),
    (
        "api-version",
        "nested resources of two parents",
        ALONE,
        WHOLE,
        STORE + "\nresource blobs 'Microsoft.Storage/storageAccounts/blobServices@2023-01-01' = {\n"
        "  parent: store\n  name: 'default'\n}\n",
    ),
]
