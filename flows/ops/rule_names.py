"""Names by which the rules of Prefect's server are found again; Prefect itself is not needed to read them."""

ZOMBIES = "understudy: a run without heartbeat has crashed"
STALLED = "understudy: a run that nobody executes has crashed"
AGAIN = "understudy: a crashed run is taken up again"
HEAR_OF_CRASHES = "understudy: people hear of crashed runs"
HEAR_OF_FAILURES = "understudy: people hear of failed runs"
HEAR_OF_DELAYS = "understudy: people hear of late runs"
NAMES = (ZOMBIES, STALLED, AGAIN, HEAR_OF_CRASHES, HEAR_OF_FAILURES, HEAR_OF_DELAYS)
