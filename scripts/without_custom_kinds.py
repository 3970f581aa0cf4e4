"""Prints the documents of a YAML file whose kinds Kubernetes itself defines.

Usage: without_custom_kinds.py FILE. Of the others (ServiceMonitor, PrometheusRule, Certificate) it checks that they are the ones that the
chart is known to make.
"""

import sys

import yaml

KNOWN = {"monitoring.coreos.com/v1": {"ServiceMonitor", "PrometheusRule"}, "cert-manager.io/v1": {"Certificate"}}

documents = [document for document in yaml.safe_load_all(open(sys.argv[1])) if document]
ours = []
for document in documents:
    group, kind = document["apiVersion"], document["kind"]
    if "." in group.split("/")[0] and not group.split("/")[0].endswith("k8s.io"):
        assert kind in KNOWN.get(group, ()), f"{group} {kind} is of no group that this chart uses"
    else:
        ours.append(document)
print(yaml.safe_dump_all(ours, sort_keys=False))
