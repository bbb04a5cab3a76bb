"""Hypothesis strategies for slices as readers meet them."""

from hypothesis import strategies as st

from strategies import Json, slice_of


@st.composite
def readable(draw: st.DrawFn) -> list[Json]:
    """Slices of two Services, with duplicates, unset conditions and several spellings."""
    slices = []
    for index in range(draw(st.integers(0, 4))):
        held = []
        for _ in range(draw(st.integers(0, 5))):
            number = draw(st.integers(1, 4))
            endpoint: Json = {"addresses": [draw(st.sampled_from([f"10.0.0.{number}", f"10.0.0.00{number}"]))]}
            given = {name: draw(st.sampled_from([None, True, False])) for name in ("ready", "serving", "terminating")}
            endpoint["conditions"] = draw(st.sampled_from([None, given]))
            choices: Json = {
                "hostname": ["a", ""],
                "nodeName": ["n", "m"],
                "zone": ["z", None],
                "weight": [1, 2],
            }
            for name, values in choices.items():
                if draw(st.integers(0, 2)) == 0:
                    endpoint[name] = draw(st.sampled_from(values))
            if draw(st.booleans()):
                uid = draw(st.sampled_from(["u1", "u2", ""]))
                endpoint["targetRef"] = {
                    "name": f"pod-{number}",
                    "namespace": "shop",
                    "uid": uid,
                    "resourceVersion": "1",
                }
            if draw(st.integers(0, 3)) == 0:
                endpoint["hints"] = draw(st.sampled_from([{}, {"forZones": [{"name": "z"}]}, {"forZones": []}]))
                endpoint["hints"] = endpoint["hints"] if endpoint["hints"].get("forZones") else None
            if draw(st.integers(0, 5)) == 0:
                endpoint["addresses"].append("10.0.1.1")
            held.append(endpoint)
        slice_ = slice_of(f"web-{index}", held, label=draw(st.sampled_from("xxy")))
        slice_["metadata"]["labels"]["kubernetes.io/service-name"] = draw(st.sampled_from(["web", "web", "db"]))
        second = draw(st.integers(0, 2))
        slice_["metadata"]["annotations"] = {
            "endpoints.kubernetes.io/last-change-trigger-time": f"2026-01-01T00:00:0{second}Z",
        }
        http: Json = {"name": "http", "port": draw(st.sampled_from([80, 81]))}
        slice_["ports"] = draw(
            st.sampled_from([None, [], [http], [http, {"name": "any", "port": None, "appProtocol": "x"}]])
        )
        slices.append(slice_)
    return slices
