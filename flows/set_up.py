"""What a new Prefect server needs to serve this project: work pools, and the rule that ends runs that went silent.

python -m flows.set_up      # for the server that PREFECT_API_URL names; a second time it changes nothing
"""

import asyncio
from datetime import timedelta

from flows.environment import HEARTBEAT_S

# isort: split
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

POOLS = ("cpu", "gpu")
SILENCE_S = 3 * HEARTBEAT_S  # that many signs of life did not come
RULE = "a silent run has crashed"


async def set_up_server() -> None:
    """Make what is missing: the pools, which take one run at a time, and the rule."""
    async with get_client() as client:
        known = {pool.name for pool in await client.read_work_pools()}
        for name in sorted(set(POOLS) - known):
            await client.create_work_pool(WorkPoolCreate(name=name, type="process", concurrency_limit=1))
        if not await client.find_automation(RULE):
            await client.create_automation(make_rule())


def make_rule() -> AutomationCore:
    """A run whose process was killed says nothing any more: it is told Crashed, and does not stay Running for ever.

    By force: else one that somebody cancelled in vain would be Cancelling for ever, and hold its place in the pool.
    """
    begins = _name_events("Pending", "Running", "heartbeat")  # one can be killed before its first heartbeat
    ends = _name_events("Completed", "Failed", "Cancelled", "Crashed")
    message = f"no sign of it for {SILENCE_S} s"
    return AutomationCore(
        name=RULE,
        trigger=EventTrigger(
            after=begins,
            expect=begins | ends,
            match={"prefect.resource.id": ["prefect.flow-run.*"]},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=SILENCE_S),
        ),
        actions=[ChangeFlowRunState(name="Crashed", state=StateType.CRASHED, message=message, force=True)],
    )


def _name_events(*names: str) -> set[str]:
    return {f"prefect.flow-run.{name}" for name in names}


if __name__ == "__main__":
    asyncio.run(set_up_server())
