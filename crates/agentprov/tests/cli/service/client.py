"""Drives the API as clients of the existing review service do: post, poll, decision, bundle, SARIF, analytics."""
import base64
import hashlib
import json
import sys
import time

import httpx
from cryptography.hazmat.primitives.serialization import load_pem_public_key


class Client:
    """What the existing client offers, over the same routes and fields."""

    def __init__(self, base_url, token):
        self.http = httpx.Client(base_url=base_url, timeout=10.0, headers={"Authorization": f"Bearer {token}"})

    def get(self, path, **query):
        response = self.http.get(path, params={name: value for name, value in query.items() if value is not None})
        response.raise_for_status()
        return response.json()

    def submit_analysis(self, request):
        response = self.http.post("/analysis", json=request)
        assert response.status_code == 202, response.text
        return response.json()

    def wait(self, accepted, seconds=60.0):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            response = self.http.get(accepted["status_url"])
            status = response.raise_for_status().json()
            if status["status"] in ("completed", "failed"):
                return status
            time.sleep(0.05)
        raise TimeoutError(accepted)

    def get_analytics_summary(self, metric, time_window="7d", group_by=None, category=None, agent_id=None):
        return self.get("/analytics/summary", metric=metric, time_window=time_window, group_by=group_by,
                        category=category, agent_id=agent_id)["result"]

    def get_agent_behavior(self, time_window="7d", agent_id=None, top_categories=3):
        return self.get("/analytics/agents/behavior", time_window=time_window, agent_id=agent_id,
                        top_categories=top_categories)["report"]


def line(path, number, content, agent, kind="added"):
    return {
        "file_path": path, "line_number": number, "change_type": kind, "content": content, "language": "python",
        "timestamp": "2024-06-01T12:00:00+00:00",
        "content_sha256": hashlib.sha256(content.encode()).hexdigest(),
        "attribution": {"agent_id": agent, "agent_session_id": "s-1", "commit_sha": None, "provenance_marker": None},
    }


def pae(kind, payload):
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def main(address, token):
    client = Client(f"http://{address}/v1", token)
    assert httpx.get(f"http://{address}/healthz").json() == {"status": "ok"}
    assert httpx.get(f"http://{address}/v1/keys").status_code == 401
    request = {
        "repo": "org/name", "pr_number": "17", "base_sha": "a" * 40, "head_sha": "b" * 40, "branch": "feature",
        "provenance_data": {
            "metadata": {"pipeline": "ci"},
            "changed_lines": [
                line("src/a.py", 1, "import pickle", "codex"),
                line("src/a.py", 2, "value = 1", "codex", "modified"),
                line("src/b.py", 5, "total = 2", ""),
                line("src/b.py", 9, "gone = 3", "claude", "deleted"),
            ],
        },
    }
    accepted = client.submit_analysis(request)
    assert accepted["analysis_id"].startswith("an_") and accepted["status"] in ("received", "in_progress"), accepted
    assert accepted["status_url"] == f"http://{address}/v1/analysis/{accepted['analysis_id']}"
    status = client.wait(accepted)
    one = f"/analysis/{accepted['analysis_id']}"
    assert (status["status"], status["findings_total"], status["error"]) == ("completed", 1, None), status
    assert status["decision"]["repo_id"] == "org/name" and status["decision"]["pr_number"] == "17", status

    decision = client.get(f"{one}/decision")
    assert decision["decision"] == status["decision"]["outcome"] == "allow", decision
    assert decision["provenance_status"] == "75.00% lines attributed", decision
    coverage = decision["risk_summary"]["coverage"]
    assert coverage == {"total_lines": 4, "attributed_lines": 3, "unknown_line_count": 1, "coverage_percent": 75.0}
    assert decision["risk_summary"]["findings_by_category"] == {"python_insecure_import": 1}, decision

    bundle = client.get(f"{one}/bundle")["bundle"]
    payload = base64.b64decode(bundle["payload"])
    assert bundle["payloadType"] == "application/provenance.decision+json"
    assert bundle["payloadSha256"] == hashlib.sha256(payload).hexdigest()
    keys = {key["keyid"]: load_pem_public_key(key["pem"].encode()) for key in client.get("/keys")["keys"]}
    assert bundle["signatures"], bundle
    for signature in bundle["signatures"]:
        kind = bundle["payloadType"].encode()
        keys[signature["keyid"]].verify(base64.b64decode(signature["sig"]), pae(kind, payload))
    signed = json.loads(payload)
    expected = {"analysis_id": accepted["analysis_id"], "outcome": "allow", "line_count": 4, "finding_count": 1,
                "thresholds": {"warn": {}, "block": {}}, "decided_at": decision["decided_at"].replace("Z", "+00:00")}
    assert {name: signed[name] for name in expected} == expected, signed

    run = client.get(f"{one}/sarif")["runs"][0]
    result = run["results"][0]
    place = result["locations"][0]["physicalLocation"]
    assert (result["ruleId"], result["level"]) == ("PY001", "warning"), result
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("src/a.py", 1), place
    assert result["properties"]["analysis_id"] == accepted["analysis_id"], result
    assert result["properties"]["repo_id"] == "org/name" and result["properties"]["pr_number"] == "17", result

    volume = {point["agent_id"]: point["value"] for point in client.get_analytics_summary("code_volume")["data"]}
    assert volume == {"codex": 2, "claude": 1, "unknown": 1}, volume
    risk = client.get_analytics_summary("risk_rate", category="python_insecure_import", agent_id="codex")["data"]
    assert [(point["value"], point["numerator"], point["denominator"]) for point in risk] == [(500.0, 1, 2)], risk
    [codex] = client.get_agent_behavior(agent_id="codex")["snapshots"]
    assert (codex["code_volume"], codex["churn_rate"]) == (2, 0.5), codex
    for route in ("review-alerts", "review-load", "review-load/teams", "review-load/teams/alerts",
                  "ci-failure-heatmap", "review-drift"):
        assert "request_id" in client.get(f"/analytics/{route}", time_window="7d"), route
    engines = [engine["name"] for engine in client.get("/detectors/capabilities")["capabilities"]]
    assert engines, engines

    # What the service refuses it refuses as the client expects: with the place of the field, and nothing is kept.
    for field, value in (("line_number", 12.5), ("change_type", "ADDED"), ("content_sha256", "0" * 64)):
        bad = json.loads(json.dumps(request))
        bad["provenance_data"]["changed_lines"][0][field] = value
        refused = client.http.post("/analysis", json=bad)
        assert refused.status_code == 422 and field in refused.json()["detail"][0]["loc"], refused.text
    for path in ("/analysis/an_0", "/analysis/an_0/decision", "/analysis/an_0/bundle"):
        missing = client.http.get(path)
        assert missing.status_code == 404 and isinstance(missing.json()["detail"], str), missing.text
    print("done")


main(*sys.argv[1:])
