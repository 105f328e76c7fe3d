"""The whole vocabulary of failure.

WorkspaceError
    Refused     the request is wrong; nothing was touched; asking again changes nothing
    Unsettled   not ready yet; asking again later may succeed
    Broken      the other side said no, or its answer makes no sense; a person must look

The message is one sentence: what, where, what the other side said, what to do. It never holds a secret.
"""


class WorkspaceError(Exception):
    """A sentence a person on call can act on."""


class Refused(WorkspaceError):
    """The request is wrong and nothing was touched."""


class Unsettled(WorkspaceError):
    """The thing asked for is not ready yet; the same request may succeed later."""


class Broken(WorkspaceError):
    """The other side refused or failed; repeating the request will not help."""
