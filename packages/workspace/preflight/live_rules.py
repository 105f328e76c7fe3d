"""The rules about a target: what is asked of Azure, the cluster, the registry, DNS and this machine."""

from workspace.preflight.finding import Rule, Severity

LIVE = "live"
"""The first word of their ids."""

_E, _R = Severity.ERROR, Severity.RISK

NOT_ASKED = Rule(
    "live/not-asked",
    _R,
    "A question to the target that was not answered, or could not be put.",
    "What was not looked at may be wrong, and silence would look like a clean bill.",
    "Mend what the sentence names, or look at it by hand, and check again.",
)
NO_CREDENTIAL = Rule(
    "live/no-credential",
    _E,
    "No credential that Azure accepts.",
    "Every step that speaks to Azure would fail, the first of them after the lock was taken and plans were made.",
    "Sign in (az login), or name the identity file in the addresses and make sure that its secret is right.",
)
EXPIRED = Rule(
    "live/credential-expired",
    _E,
    "A credential that has expired or was revoked.",
    "A client secret ends after at most two years, and the promotion that meets that day fails at its first step.",
    "Make a new secret for the identity and put it into the identity file, or sign in again.",
)
WRONG_TENANT = Rule(
    "live/wrong-tenant",
    _E,
    "A credential of another tenant than the target's.",
    "Azure answers as if nothing of ours existed, and tools would make everything anew where they may.",
    "Sign in to the tenant of the addresses, or correct `tenant` there.",
)
WRONG_SUBSCRIPTION = Rule(
    "live/wrong-subscription",
    _E,
    "A subscription that we cannot see, or that is not enabled.",
    "Nothing can be read or made in it; a disabled one refuses writes only, in the middle of a promotion.",
    "Correct `subscription` in the addresses, give the identity a role in it, or have it enabled again.",
)
ROLE = Rule(
    "live/role-missing",
    _E,
    "Something that the plan does and that we may not do where it would do it.",
    "Azure refuses (AuthorizationFailed) when the resource is due, with half of the environment made.",
    "Give the identity the role that is named, at the scope that is named.",
)
DATA_ROLE = Rule(
    "live/data-role-missing",
    _E,
    "Data that the plan reads or writes and that our roles do not open.",
    "Being owner of a vault or an account does not open what is in it: that takes a role of its own.",
    "Give the identity the role that is named, on the resource that is named; it takes some minutes to be known. "
    "A vault that access policies open wants one for the identity instead, or enableRbacAuthorization.",
)
PROVIDER = Rule(
    "live/provider-not-registered",
    _E,
    "A resource provider that the definitions use and that is not registered in the subscription.",
    "Azure refuses the first resource of its kind (MissingSubscriptionRegistration).",
    "Register it: az provider register --namespace NAME; it takes some minutes.",
)
QUOTA = Rule(
    "live/quota",
    _E,
    "Fewer cores left in a region than the definitions ask for at least.",
    "Making the cluster or a node pool fails (QuotaExceeded) after a quarter of an hour.",
    "Ask for more quota of that family in that region, or choose another size or fewer nodes.",
)
GROWTH = Rule(
    "live/quota-for-growth",
    _R,
    "Fewer cores left in a region than node pools may grow to.",
    "It is made, and under load pods stay pending because the autoscaler gets no more nodes.",
    "Ask for more quota of that family in that region, or lower max_count.",
)
TAKEN = Rule(
    "live/name-taken",
    _E,
    "A name that the whole world shares and that somebody else has.",
    "Creation fails (StorageAccountAlreadyTaken, VaultAlreadyExists …) when the resource is due.",
    "Choose another name in the definitions; or sign in to the subscription that has it, if it is ours.",
)
SOFT_DELETED = Rule(
    "live/name-soft-deleted",
    _E,
    "A name that something deleted and not purged still holds.",
    "Creation fails (ConflictError) for as long as it is kept, up to 90 days.",
    "Recover it, or purge it where it is not protected.",
)
DELEGATION = Rule(
    "live/not-delegated",
    _E,
    "A zone that the public does not find at its own name servers.",
    "Records are written that nobody sees: bindings, certificates and checks wait for them until their deadline.",
    "Enter the zone's name servers at the registrar.",
)
REGISTRY = Rule(
    "live/registry-unreachable",
    _E,
    "A container registry that does not let us in.",
    "Nothing can be pushed or carried, and the images of a release cannot be checked.",
    "Look at its address in the addresses, its firewall, and the role AcrPush of the identity.",
)
FEED = Rule(
    "live/feed-unreachable",
    _R,
    "A registry of base images that does not answer from here.",
    "A build stops in the middle, at the first base image that this machine has not kept.",
    "Look at the network and the proxy of the machine that builds, or use a mirror.",
)
PART = Rule(
    "live/part-missing",
    _E,
    "A part of the release that is to be carried and cannot be had any more.",
    "A cleaned registry is noticed when the rollout pulls the image, hours after the approval.",
    "Bring it back, promote an earlier release, or build a new one.",
)
TOOL = Rule(
    "live/tool-missing",
    _E,
    "A program that the plan needs and that does not run on this machine.",
    "The first step that needs it fails.",
    "Install it, or name the folder with it as `programs` in the addresses.",
)
VERSION = Rule(
    "live/tool-version",
    _E,
    "A Terraform that the definitions refuse.",
    "Terraform ends at once with `Unsupported Terraform Core version`, for each stack that says so.",
    "Install a version that fits required_version, or correct it.",
)
CLUSTER = Rule(
    "live/cluster-unready",
    _E,
    "A cluster that is stopped, failed, or does not answer us.",
    "Workloads can be neither compared nor rolled out.",
    "Start or mend it, or give the identity access to it.",
)
CLUSTER_VERSION = Rule(
    "live/cluster-version",
    _E,
    "A cluster whose version cannot become the one that the definitions say.",
    "AKS goes up one minor version at a time and never down, and refuses when the stack is applied.",
    "Write a version from the cluster's own to one minor above it.",
)
STATE = Rule(
    "live/state-unreachable",
    _E,
    "A store of Terraform's states that cannot be read.",
    "Terraform can plan nothing; a wrong store would plan to make everything anew.",
    "Correct `terraform_backend` in the addresses, or give the identity Storage Blob Data Contributor on it.",
)
LOCKED = Rule(
    "live/state-locked",
    _E,
    "A state of Terraform that somebody holds the lock of.",
    "The stack waits for the lock and then fails with an unknown outcome.",
    "Wait for whom it names; if that process is gone for certain, release the lock with terraform force-unlock.",
)

RULES = (
    NOT_ASKED, NO_CREDENTIAL, EXPIRED, WRONG_TENANT, WRONG_SUBSCRIPTION, ROLE, DATA_ROLE, PROVIDER, QUOTA, GROWTH,
    TAKEN, SOFT_DELETED, DELEGATION, REGISTRY, FEED, PART, TOOL, VERSION, CLUSTER, CLUSTER_VERSION, STATE, LOCKED,
)  # fmt: skip
