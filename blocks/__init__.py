"""Prefect blocks: with which keys and at which addresses a promotion works."""
