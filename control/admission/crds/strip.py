"""Reads CRDs (YAML) from folders and files, and writes them to the last one as JSON, without what validation does not need."""

import json
import pathlib
import sys

import yaml

KINDS = {
    "GatewayClass", "Gateway", "ListenerSet", "HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute",
    "BackendTLSPolicy", "ReferenceGrant", "XBackend", "GatewayParameters", "EgressPolicy",
}
ANNOTATIONS = {"gateway.networking.k8s.io/bundle-version", "gateway.networking.k8s.io/channel"}


def strip(schema):
    """Drops the keyword `description`, and keeps properties that are called so."""
    kept = {}
    for keyword, value in schema.items():
        if keyword == "description":
            continue
        if keyword == "properties":
            value = {name: strip(child) for name, child in value.items()}
        elif keyword in ("items", "additionalProperties", "not") and isinstance(value, dict):
            value = strip(value)
        elif keyword in ("allOf", "anyOf", "oneOf"):
            value = [strip(child) for child in value]
        kept[keyword] = value
    return kept


def reduce(crd):
    spec = crd["spec"]
    versions = [
        {
            "name": version["name"],
            "served": version["served"],
            "storage": version["storage"],
            "schema": {"openAPIV3Schema": strip(version["schema"]["openAPIV3Schema"])},
        }
        for version in spec["versions"]
    ]
    annotations = {key: value for key, value in crd["metadata"].get("annotations", {}).items() if key in ANNOTATIONS}
    return {
        "apiVersion": crd["apiVersion"],
        "kind": crd["kind"],
        "metadata": {"name": crd["metadata"]["name"], "annotations": annotations},
        "spec": {
            "group": spec["group"],
            "names": {key: spec["names"][key] for key in ("kind", "listKind", "plural", "singular")},
            "scope": spec["scope"],
            "versions": versions,
        },
    }


def files(source):
    path = pathlib.Path(source)
    return sorted(path.glob("*.yaml")) if path.is_dir() else [path]


def main(*places):
    *sources, target = places
    found = set()
    for path in (path for source in sources for path in files(source)):
        for document in yaml.safe_load_all(path.read_text()):
            if not document or document.get("kind") != "CustomResourceDefinition":
                continue
            names = document["spec"]["names"]
            if names["kind"] not in KINDS:
                continue
            found.add(names["kind"])
            text = json.dumps(reduce(document), indent=1, sort_keys=True)
            pathlib.Path(target, names["plural"] + ".json").write_text(text + "\n")
    if found != KINDS:
        sys.exit(f"no CRD for {', '.join(sorted(KINDS - found))} in {', '.join(sources)}")


main(*sys.argv[1:])
