"""One module per kind of node: `preview`, `apply`, `verify`, and `undo` where the kind can be taken back."""

from collections.abc import Mapping

from workspace.kinds import (
    app,
    binding,
    certificate,
    check,
    image,
    package,
    pause,
    record,
    secret,
    site,
    stack,
    template,
    workload,
)
from workspace.node import Kind
from workspace.work import KindModule

TABLE: Mapping[Kind, KindModule] = {
    Kind.STACK: stack,
    Kind.TEMPLATE: template,
    Kind.IMAGE: image,
    Kind.PACKAGE: package,
    Kind.WORKLOAD: workload,
    Kind.SECRET: secret,
    Kind.APP: app,
    Kind.SITE: site,
    Kind.RECORD: record,
    Kind.BINDING: binding,
    Kind.CERTIFICATE: certificate,
    Kind.CHECK: check,
    Kind.PAUSE: pause,
}
