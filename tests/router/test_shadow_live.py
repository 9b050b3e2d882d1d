"""Router, shadow and control as real processes: what a shadow said is what the metrics tell."""

from router_live import plan_after, wait_for

from registry.records.plan import Arm, Slice


def test_the_champion_beside_itself_shows_no_noise_and_a_challenger_shows_its_difference(live, settings, registry):
    alone = {
        "slices": (Slice(variant="champion", weight=1_000_000),),
        "arms": (Arm(variant="champion", version="v1.0.0"),),
        "shadows": ("v1.0.0", "v1.1.0"),
    }
    plan = registry.publish_plan(plan_after(registry, 0, **alone))
    live.start("router", "shadow", "control")
    live.wait_for_epoch(plan.epoch)
    live.predict([{"key": f"k{n}", "features": {"x": n / 10, "c": "ab"[n % 2]}} for n in range(1, 51)])

    def phase():
        live.sync()
        return live.admin.get("/v1/models/m/metrics").json()["phases"][-1]["shadows"]

    wait_for(lambda: all(seen["scored"] == 50 for seen in phase().values()) and len(phase()) == 2, "all copies")
    said = "understudy_shadow_copies_total"
    wait_for(lambda: live.http.get("/metrics").text.count(said + "{") == 2, "the copies in the metrics")
    for version in ("v1.0.0", "v1.1.0"):
        assert f'{said}{{model="m",outcome="scored",version="{version}"}} 50.0' in live.http.get("/metrics").text
    noise, challenger = phase()["v1.0.0"], phase()["v1.1.0"]

    assert (noise["difference"]["mean"], noise["difference"]["m2"], noise["flips"]) == (0, 0, 0)
    assert challenger["difference"]["mean"] > 0
    assert (noise["dropped"], noise["errors"], challenger["dropped"], challenger["errors"]) == ({}, {}, {}, {})
