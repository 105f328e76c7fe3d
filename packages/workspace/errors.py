"""The whole vocabulary of failure.

WorkspaceError
    Refused     the request is wrong; nothing was touched; asking again changes nothing
    Unsettled   not ready yet; asking again later may succeed
    Overdue     not ready when its time was over; it was waited for, so nobody tries again in this run
    Broken      the other side said no, or its answer makes no sense; a person must look

The message is one sentence: what, where, what the other side said, what to do. It never holds a secret.
"""


class WorkspaceError(Exception):
    """A sentence a person on call can act on."""


class Refused(WorkspaceError):
    """The request is wrong and nothing was touched."""


class Unsettled(WorkspaceError):
    """The thing asked for is not ready yet; the same request may succeed later.

    `after` is how many seconds the other side asks us to wait, 0 where it does not say.
    """

    after: float = 0.0


class Overdue(Unsettled):
    """Still not ready at the end of its own deadline; what came of it is unknown."""


class Broken(WorkspaceError):
    """The other side refused or failed; repeating the request will not help."""
