"""Preflight: read a workspace's definitions and find what would fail, before anything is touched.

A family of rules is a module with `RULES` and `check(checkout) -> Report`; it knows files only: no cloud, no server.
"""
