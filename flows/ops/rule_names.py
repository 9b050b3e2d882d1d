"""Names by which the rules of Prefect's server are found again; Prefect itself is not needed to read them."""

PREFIX = "understudy: "
ZOMBIES = f"{PREFIX}a run without heartbeat has crashed"
STALLED = f"{PREFIX}a run that nobody executes has crashed"
AGAIN = f"{PREFIX}a crashed run is taken up again"
HEAR_OF_CRASHES = f"{PREFIX}people hear of crashed runs"
HEAR_OF_FAILURES = f"{PREFIX}people hear of failed runs"
HEAR_OF_DELAYS = f"{PREFIX}people hear of late runs"
NAMES = (ZOMBIES, STALLED, AGAIN, HEAR_OF_CRASHES, HEAR_OF_FAILURES, HEAR_OF_DELAYS)
