#!/usr/bin/env python3
"""What a schema cannot know of `deploy/kubernetes`: that its files fit together.

    kubernetes-validate --strict FILES && python3 tests/deploy/manifests.py

Needs PyYAML. Exits 1 when something does not fit.
"""

import pathlib
import re
import sys

import yaml

FOLDER = pathlib.Path(__file__).resolve().parent.parent.parent / "deploy" / "kubernetes"


def main():
    files = {file.name: yaml.safe_load(file.read_text()) for file in FOLDER.glob("*.yaml")}
    kustomization = files.pop("kustomization.yaml")
    one = {manifest["kind"]: manifest for manifest in files.values()}
    wrong = [fact for fact, holds in facts(files, kustomization, one) if not holds]
    for fact in wrong:
        print(f"WRONG: it does not hold that {fact}")
    return 1 if wrong else 0


def facts(files, kustomization, one):
    deployment = one["Deployment"]
    pod = deployment["spec"]["template"]
    container = pod["spec"]["containers"][0]
    labels, ports = pod["metadata"]["labels"], {port["name"]: port["containerPort"] for port in container["ports"]}
    limits, named = container["securityContext"], set()
    for variable in container["env"]:
        named.add(variable["name"])
        yield f"{variable['name']} comes from the secret", "secretKeyRef" in variable.get("valueFrom", {})
    yield "every file is applied", sorted(files) == sorted(kustomization["resources"])
    yield "the image is the one that is renamed", container["image"] == kustomization["images"][0]["name"]
    for kind, selector in [
        ("Deployment", deployment["spec"]["selector"]["matchLabels"]),
        ("Service", one["Service"]["spec"]["selector"]),
        ("PodDisruptionBudget", one["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"]),
        ("NetworkPolicy", one["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"]),
    ]:
        yield f"the {kind} means these pods", selector.items() <= labels.items()
    target = one["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    yield "the autoscaler means this deployment", target == {
        "apiVersion": deployment["apiVersion"], "kind": "Deployment", "name": deployment["metadata"]["name"]}
    yield "the autoscaler alone says how many replicas there are", "replicas" not in deployment["spec"]
    yield "a disruption leaves a replica", one["HorizontalPodAutoscaler"]["spec"]["minReplicas"] > 1
    account = one["ServiceAccount"]["metadata"]["name"]
    yield "the pod has the account without rights", pod["spec"]["serviceAccountName"] == account
    yield "the service leads to the gateway, not to the admin listener", [
        port["targetPort"] for port in one["Service"]["spec"]["ports"]] == ["gateway"]
    yield "Prometheus is told the admin port", pod["metadata"]["annotations"]["prometheus.io/port"] == str(ports["admin"])
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        yield f"the {probe} asks the admin listener", container[probe]["httpGet"]["port"] == "admin"
    for rule in one["NetworkPolicy"]["spec"]["ingress"]:
        yield "a policy for clients names a port of the pod", all(port["port"] in ports for port in rule["ports"])
    mounted = {volume["configMap"]["name"] for volume in pod["spec"]["volumes"]}
    yield "the configuration is the generated one", mounted == {kustomization["configMapGenerator"][0]["name"]}
    configured = set(re.findall(r'^env = "(\w+)"', (FOLDER / "promptgate.toml").read_text(), re.MULTILINE))
    shipped = (FOLDER.parent.parent / "conf" / "promptgate.toml").read_text()
    keys = set(re.findall(r'^(?:api_key_env|key_env) = "(\w+)"', shipped, re.MULTILINE))
    yield "every variable the configuration names is set", configured | keys == named
    yield "the pod has no rights it does not need", (
        limits["capabilities"]["drop"] == ["ALL"] and limits["readOnlyRootFilesystem"]
        and not limits["allowPrivilegeEscalation"] and pod["spec"]["securityContext"]["runAsNonRoot"])


if __name__ == "__main__":
    sys.exit(main())
