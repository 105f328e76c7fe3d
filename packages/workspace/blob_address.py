"""The address of a container in Azure Blob Storage, or of a folder in one, taken apart."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_ACCOUNT_HOST = re.compile(r"[a-z0-9]{3,24}\.blob\.[a-z0-9.-]+")
_CONTAINER = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class BlobAddress:
    """`account` is a URL, `container` a name, `prefix` the beginning of every blob's name: empty or ending in `/`."""

    account: str
    container: str
    prefix: str = ""

    @property
    def account_name(self) -> str:
        """The account's name alone: the first word of its host, or the path where an emulator has it."""
        told = urlsplit(self.account)
        return told.path.strip("/") or (told.hostname or "").partition(".")[0]


def is_blob_address(text: str) -> bool:
    """True for what is meant as a URL, and not as a folder of this machine."""
    return "://" in text


def parse(url: str) -> BlobAddress:
    """`https://ACCOUNT.blob.core.windows.net/CONTAINER[/FOLDER…]`, or an emulator's on loopback with its account as the
    first part of the path. Raises ValueError with a sentence for anything else; a URL with a signature is not shown.
    """
    told = urlsplit(url)
    if told.username or told.password or told.query or told.fragment:
        raise ValueError(
            f"the container's address at {told.hostname} holds more than its URL: signatures and keys are not used "
            f"here, sign in with Microsoft Entra; write https://ACCOUNT.blob.core.windows.net/CONTAINER alone"
        )
    host, parts = told.hostname or "", [each for each in told.path.split("/") if each]
    local = is_loopback(host)
    if told.scheme != "https":
        raise ValueError(f"{url} is no https address, and sign-in tokens are sent over https alone")
    if not local and not _ACCOUNT_HOST.fullmatch(host):
        raise ValueError(f"{url} names no storage account: https://ACCOUNT.blob.core.windows.net/CONTAINER does")
    account = f"{told.scheme}://{told.netloc}"
    if local and parts:
        account, parts = f"{account}/{parts[0]}", parts[1:]
    if not parts or not _CONTAINER.fullmatch(parts[0]):
        raise ValueError(
            f"{url} names no container: 3 to 63 small letters, digits and single hyphens after the account do"
        )
    if wrong := [each for each in parts[1:] if not _PART.fullmatch(each)]:
        raise ValueError(f"{url} has {wrong[0]!r} in its path: letters, digits, '_', '-' and '.' make a folder's name")
    return BlobAddress(account, parts[0], "".join(f"{each}/" for each in parts[1:]))


def is_loopback(host: str) -> bool:
    """True for localhost and the addresses that never leave a machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
