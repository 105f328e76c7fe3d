"""Whose certificates are believed. The world's authorities are read once in a process: each reading takes a while."""

import functools
import os
import ssl

import httpx

_NAMING = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def context(verify: bool | str = True, *, trust_env: bool = True) -> ssl.SSLContext | bool:
    """What an httpx client is to `verify` with: True is the world's authorities, a path the file of others.

    With `trust_env` the world's are those that SSL_CERT_FILE or SSL_CERT_DIR name, where one of them does.
    """
    if isinstance(verify, str):
        return ssl.create_default_context(cafile=verify)
    return verify and _world(tuple(os.environ.get(each, "") for each in _NAMING) if trust_env else None)


@functools.cache
def _world(named: tuple[str, ...] | None) -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=named is not None)
