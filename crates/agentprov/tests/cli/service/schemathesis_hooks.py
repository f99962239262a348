"""Values that a schema can't relate to each other."""
import hashlib
import schemathesis

DIFF = "--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a\n+import pickle\n"


@schemathesis.hook
def before_call(context, case, kwargs):
    """Gives positive cases hashes of their content, no line twice, a diff that is one, and no evidence."""
    if case.meta is None or not case.meta.generation.mode.is_positive or not isinstance(case.body, dict):
        return
    case.body.pop("evidence", None)
    if case.body.get("diff") is not None:
        case.body["diff"] = DIFF
        case.body.pop("provenance_data", None)
    data = case.body.get("provenance_data")
    if not isinstance(data, dict):
        return
    lines = {}
    for line in data.get("changed_lines", []):
        if line.get("content") and line.get("content_sha256"):
            line["content_sha256"] = hashlib.sha256(line["content"].encode()).hexdigest()
        lines[line["file_path"], line["line_number"], line["change_type"] == "deleted"] = line
    if "changed_lines" in data:
        data["changed_lines"] = list(lines.values())
