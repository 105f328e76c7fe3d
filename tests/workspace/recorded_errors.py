"""What we make of each recorded error: verdict, innermost code, and why where the recording itself does not say.

A recording says status and code. That a status like 404 is for a person and not for another try is our decision, so
each group gives its reason; the ids are those of `errors.jsonl`.
"""

from workspace.diagnosis import Verdict

BROKEN, REFUSED, UNSETTLED = Verdict.BROKEN, Verdict.REFUSED, Verdict.UNSETTLED

ABSENT = "what was asked for is not there; whether that is what the caller hoped for is the caller's to say"
NO_ROLE = "who asks may not; asking again changes nothing"
NO_SIGN_IN = "a token that is not accepted once is not accepted twice"
WRONG = "the request is wrong and nothing was touched"
TAKEN = "something is there already and was not made by this request: a person must look whose it is"
NOT_NOW = "something that must be changed first stands in the way"
BUSY = "the other side says that it failed by itself"
RACE = "somebody changed it since it was read: read again, decide again"

EXPECTED: tuple[tuple[Verdict, str, str, str], ...] = (
    # 400 and its kind
    (REFUSED, "AddressPrefixStringCannotBeNullOrEmpty", WRONG + "; as JSON inside the message", "41956ce5d1"),
    (REFUSED, "BadRequest", WRONG, "11fdbd4b54 d86a3f6556 c7e6e84e0e"),
    (REFUSED, "INVALID_RECORDS", WRONG + "; in the entities behind App Service's error", "214185971d"),
    (REFUSED, "InvalidParameter", WRONG, "36c81ae8b2"),
    (REFUSED, "InvalidTemplate", WRONG, "6e0cc336d7"),
    (REFUSED, "NetworkWatcherCountLimitReached", WRONG + ": there may be one", "232196ffd8"),
    (REFUSED, "PrivateIPAddressNotInAnySubnet", WRONG, "10e7a63d14"),
    (REFUSED, "Request_BadRequest", WRONG, "d1139db473 779c950453"),
    (REFUSED, "", WRONG + "; only a sentence was given", "179d317091 c8dfacf1ad"),
    (UNSETTLED, "PrincipalNotFound", "a fresh identity is not known everywhere yet", "6300af2259 eca3a87631"),
    # 401, 403
    (BROKEN, "", NO_SIGN_IN + "; the vault gave no body", "08efc83c71"),
    (BROKEN, "Unauthorized", NO_SIGN_IN, "03d6a5d736 2d3b48f731 39fd12ca21 c2cb9c90b3 e2e4d53f67"),
    (BROKEN, "AuthorizationFailed", NO_ROLE, "3b3bc68158"),
    (BROKEN, "Authorization_RequestDenied", NO_ROLE, "27295512f2 bf0b35305a"),
    (BROKEN, "LinkedAuthorizationFailed", NO_ROLE, "7677266523"),
    # 404
    (BROKEN, "AccountNotFound", ABSENT, "78e0d7b50f e4b5b1b4c2"),
    (BROKEN, "NotFound", ABSENT, "3bf7bf8d03 45cf824c89 a1bdbd7383 eff993b6a7"),
    (BROKEN, "Request_ResourceNotFound", ABSENT, "16b8700c2d dcb4295e55"),
    (
        BROKEN,
        "ResourceGroupNotFound",
        ABSENT,
        "037d3f4879 0dbc13c6e8 2777388fbf 3f067b392e 6834852b5b b71cba5b08 ceb15966f3 faaa38314a",
    ),
    (
        BROKEN,
        "ResourceNotFound",
        ABSENT,
        "0266dcae51 06643b9c3c 07bb331376 1538c52c93 1ccb475ff4 2109c6c598 41e2fe500d 4921fdb713 55bbc9e48e 57eb89cf39 "
        "60e21ec99f 61d379b728 631cf090f4 7123aed1ed 8ac6e6c822 8eb431eaaa 912fa2ecc2 932cf269cb a18b3bc78c aa8e3f2e7a "
        "b3bcca28e7 bb59831485 bfba1c17be c814b5a24b d167a2ca92 d58ffff30f d899d2a64f dc5ce58c36 e331c797bb ebce347cea "
        "f11922a6ff f1b742177b f4d9c149ad f6d69ae2df fe6fc33ea3",
    ),
    (BROKEN, "ResourceTypeNotSupported", ABSENT, "6b468dca0c"),
    (BROKEN, "SubscriptionTagNameNotFound", ABSENT, "94a3262070"),
    # 409: only some of them mean that something exists
    (BROKEN, "ContainerAlreadyExists", TAKEN, "5fcd6467cc"),
    (BROKEN, "ResourceAlreadyExists", TAKEN, "c0945ae73f"),
    (BROKEN, "RoleAssignmentExists", TAKEN, "2218d4e0dc"),
    (BROKEN, "ReceiverAlreadyEnabled", TAKEN, "1ab6b5ed4b 1eccd810ab"),
    (BROKEN, "InUseSubnetCannotBeDeleted", NOT_NOW + "; two levels inside ResourceGroupDeletionBlocked", "c7cd7ede82"),
    (BROKEN, "OperationNotAllowed", NOT_NOW, "427ea40801 01eed4e864"),
    (BROKEN, "PropertyChangeNotAllowed", NOT_NOW, "a1ac78d158"),
    (BROKEN, "MissingSubscriptionRegistration", NOT_NOW, "3cb4bf8313"),
    # 412
    (BROKEN, "PreconditionFailed", TAKEN, "25f9659f20 4f5f4d592a 7bcf922c8e c322904c5a f43eb9adae"),
    (UNSETTLED, "PreconditionFailed", RACE, "00b8bd5e1b 17b12e44bf 6d4ddee09a fcedd621e6"),
    # 429, 5xx
    (UNSETTLED, "429", "the site is locked by another operation; App Service repeats the status as code", "99ce9bc98b"),
    (UNSETTLED, "GatewayTimeout", BUSY, "7d4bb567e1"),
    (UNSETTLED, "InternalServerError", BUSY, "2c0d5e0417 8ba1195c5c dc15758c79"),
    (UNSETTLED, "ResourceReadFailed", BUSY + ": a policy could not read what it judges", "07d9cbb9f0"),
    (UNSETTLED, "", BUSY + "; a Kudu that starts gives no body, a proxy a text", "30aa1dd6a0 7303f30965 e55436a576"),
)

BY_ID: dict[str, tuple[Verdict, str]] = {
    identifier: (verdict, code) for verdict, code, _, ids in EXPECTED for identifier in ids.split()
}

# azd's rules name codes and words, with no recording behind them. By the rule's code, else by its first word: what we
# make of it, what we advise (a part of it), and an example where the words are a pattern. A failed deployment has no
# status of its own, and neither has a text: 409 and 0 stand for them, as in our clients.
Rule = tuple[Verdict, str, str]
SOFT = "recover or purge it"
RULES: dict[str, Rule] = {
    "FlagMustBeSetForRestore": (BROKEN, SOFT, ""),
    "ConflictError": (BROKEN, SOFT, "A vault with the same name already exists in deleted state"),
    "Conflict (?i)soft.?delete": (BROKEN, SOFT, "The name is held by a soft-deleted resource; purge it"),
    "RequestConflict (?i)soft.?delete": (BROKEN, SOFT, "The name is held by a deleted vault; recover or purge"),
    "InsufficientQuota": (BROKEN, "Ask for more quota", ""),
    "SubscriptionIsOverQuotaForSku": (BROKEN, "Ask for more quota", ""),
    "LocationNotAvailableForResourceType": (BROKEN, "Choose a region that offers it", ""),
    "InvalidResourceGroupLocation": (BROKEN, "A group cannot move", ""),
    "AuthorizationFailed": (
        BROKEN,
        "a role with Microsoft.Web/sites/write on /s/1",
        "The client does not have authorization to perform action 'Microsoft.Web/sites/write' over scope '/s/1'.",
    ),
    "Unauthorized": (BROKEN, "", ""),
    "Forbidden": (BROKEN, "", ""),
    "RequestDisallowedByPolicy": (BROKEN, "Change the definition to satisfy the policy", ""),
    "RoleAssignmentExists": (BROKEN, "", ""),
    "PrincipalNotFound": (UNSETTLED, "A new identity needs some minutes", ""),
    "NoRegisteredProviderFound": (BROKEN, "Register the resource provider", ""),
    "InvalidTemplateDeployment container app": (BROKEN, "", ""),
    "Operation preview": (BROKEN, "", ""),
    "InvalidTemplate": (BROKEN, "", ""),
    "ValidationError": (BROKEN, "", ""),
    "ResourceNotFound": (BROKEN, "", ""),
    "Conflict": (BROKEN, "", ""),
    "ContainerAppSecretInvalid": (BROKEN, "", ""),
    "ContainerAppOperationError image": (BROKEN, "", ""),
    "ContainerAppOperationError": (BROKEN, "", ""),
    "InvalidParameterValueInContainerTemplate": (BROKEN, "", ""),
    "ContainerAppInvalidName": (BROKEN, "", ""),
    "ManagedEnvironmentNotReadyForAppCreation": (BROKEN, "", ""),
    "ManagedEnvironmentInvalidName": (BROKEN, "", ""),
    "InvalidEnvironmentId": (BROKEN, "", ""),
    "MaxNumberOfEnvsExceeded": (BROKEN, "", ""),
    "InvalidAuthenticationToken": (BROKEN, "Sign in again", ""),
    "BCP\\d{3}": (BROKEN, "", "main.bicep(1,9) : Error BCP057: The name b does not exist"),
    "AADSTS700082": (BROKEN, "", ""),
    "AADSTS": (BROKEN, "", ""),
    "QuotaExceeded": (BROKEN, "Ask for more quota", ""),
}
# What azd says about the machine it runs on; nothing of it comes from Azure. Its words must still come out whole.
ABOUT_AZD = "azd's own hooks, files and tools"
RULES_ABOUT_AZD = {
    "Import-Module": "The term Import-Module was not loaded",
    "(?i)Az\\.\\S+.*is not recognized": "Az.Accounts is not recognized as a name",
    "UnauthorizedAccess": "",
    "ErrorActionPreference": "",
    "Connect-AzAccount": "",
    "(?i)login.*expired|expired.*login": "your login has expired",
    "python 3 is required to run this hook": "",
    "creating python virtual environment": "",
    "installing python requirements": "",
    "inline scripts are not supported for": "",
    "no subscriptions found": "",
    "is not running": "",
    "Docker": "",
    "parsing project file": "",
    "ErrUnsupportedRegistrySchema": "",
}
