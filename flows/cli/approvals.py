"""`understudy approve`: agree that a challenger may answer callers."""

from typing import Annotated

import typer

from flows.cli.office import opened_registry
from flows.cli.options import Actor, AsOf, Json, Model, Reason, example, moment
from flows.cli.screen import print_json, say
from flows.errors import ConfigError


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=example('understudy approve churn --role ml_lead --reason "read the report"'))(approve)


def approve(
    model: Model,
    *,
    role: Annotated[str, typer.Option(help="ml_lead or business_owner; each needs another person.")],
    reason: Reason,
    actor: Actor,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Agree to the decision behind the active rollout of a model."""
    from flows.rollout.approval import ROLES, approval_digest, missing_roles
    from flows.rollout.approval import approve as agree
    from registry.errors import NotFound

    if role not in ROLES:
        raise ConfigError("Nothing was approved.", f"{role!r} is no role that approves.", f"Use {' or '.join(ROLES)}.")
    with opened_registry(model) as registry:
        rollout = registry.active_rollout(model)
        if rollout is None:
            raise NotFound(
                "Nothing was approved.", f"{model!r} has no active rollout.", "See `understudy rollout status`."
            )
        complete = agree(registry, rollout.id, actor=actor, role=role, reason=reason, at=moment(as_of))
        missing = missing_roles(registry.approvals(rollout.id), approval_digest(registry, rollout))
    if as_json:
        return print_json({"rollout": rollout.id, "approved": complete, "missing": missing})
    rest = "it goes on with the next tick" if complete else f"still missing: {', '.join(missing) or 'another person'}"
    return say(f"{actor} agreed to {rollout.id} as {role}; {rest}.")
