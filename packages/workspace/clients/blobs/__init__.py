"""Azure Blob Storage: a container as the store of ledgers and leases, and as a place for files by content."""

from workspace.clients.blobs.container import Container
from workspace.clients.blobs.files import BlobContents
from workspace.clients.blobs.records import BlobStore

__all__ = ["BlobContents", "BlobStore", "Container"]
