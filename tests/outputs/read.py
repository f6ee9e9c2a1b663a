"""Reads what `check` wrote: the JSON document by its schema, the JUnit report by junitparser; both must report the same."""

import json
import sys
from pathlib import Path

import jsonschema
from junitparser import JUnitXml

work = Path(sys.argv[1])
document = json.loads((work / "sweep.json").read_text())
schema = json.loads((work / "schema.json").read_text())
jsonschema.Draft202012Validator.check_schema(schema)
jsonschema.validate(document, schema)

# A schema that takes anything proves nothing.
for spoil in (
    lambda d: d.pop("summary"),
    lambda d: d.update(format="bailiwick.sweep/2"),
    lambda d: d["targets"][0].update(standing="fine"),
    lambda d: d["targets"][0]["result"]["runs"][0].pop("version"),
    lambda d: d["targets"][0]["result"]["runs"][0]["outcome"].update(kind="shrug"),
):
    spoiled = json.loads(json.dumps(document))
    spoil(spoiled)
    try:
        jsonschema.validate(spoiled, schema)
    except jsonschema.ValidationError:
        continue
    sys.exit("the schema takes a document that is none")

report = JUnitXml.fromfile(str(work / "sweep.xml"))
found = document["summary"]["findings"]
failures = found["warning"] + found["critical"]
if report.failures != failures:
    sys.exit(f"JUnit has {report.failures} failures, JSON {failures} findings")
if [suite.name for suite in report] != [target["target"] for target in document["targets"]]:
    sys.exit("JUnit has other targets than JSON")
