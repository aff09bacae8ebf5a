"""A company and a day in, lines of the audit log of its EKS cluster out: controllers, nodes, operators, people."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any

from bench.routine.company import PRODUCTION, Company
from trailkeep.demo.world import uuid

Json = Any
_CONTROLLER = "system:serviceaccount:kube-system:{}-controller"
# (weight, user, verb, resource, subresource, namespace, API group)
_EVERYDAY: tuple[tuple[int, str, str, str, str, str, str], ...] = (
    (300, "system:node", "update", "leases", "", "kube-node-lease", "coordination.k8s.io"),
    (120, "system:kube-controller-manager", "update", "leases", "", "kube-system", "coordination.k8s.io"),
    (80, "system:node", "patch", "nodes", "status", "", ""),
    (80, "system:node", "patch", "pods", "status", "shop", ""),
    (60, "system:node", "get", "secrets", "", "shop", ""),
    (60, "system:node", "get", "configmaps", "", "shop", ""),
    (40, "system:node", "create", "serviceaccounts", "token", "shop", ""),
    (40, "system:kube-scheduler", "create", "pods", "binding", "shop", ""),
    (40, _CONTROLLER.format("replicaset"), "create", "pods", "", "shop", ""),
    (30, _CONTROLLER.format("deployment"), "update", "replicasets", "", "shop", "apps"),
    (30, _CONTROLLER.format("endpointslice"), "update", "endpointslices", "", "shop", "discovery.k8s.io"),
    (20, _CONTROLLER.format("cronjob"), "create", "jobs", "", "shop", "batch"),
    (20, _CONTROLLER.format("generic-garbage"), "delete", "pods", "", "shop", ""),
    (20, _CONTROLLER.format("horizontal-pod-autoscaler"), "update", "deployments", "scale", "shop", "apps"),
    (60, "system:serviceaccount:monitoring:prometheus", "list", "pods", "", "", ""),
    (40, "system:serviceaccount:monitoring:prometheus", "get", "nodes", "metrics", "", ""),
    (40, "system:serviceaccount:argocd:argocd-application-controller", "patch", "deployments", "", "shop", "apps"),
    (20, "system:serviceaccount:argocd:argocd-application-controller", "patch", "cronjobs", "", "shop", "batch"),
    (8, "system:serviceaccount:argocd:argocd-server", "list", "secrets", "", "argocd", ""),
    (10, "system:serviceaccount:cert-manager:cert-manager", "list", "secrets", "", "", ""),
    (10, "system:serviceaccount:external-secrets:external-secrets", "update", "secrets", "", "shop", ""),
    (10, "system:serviceaccount:kube-system:karpenter", "patch", "nodes", "", "", ""),
    (2, "eks:certificate-controller", "update", "certificatesigningrequests", "approval", "", "certificates.k8s.io"),
    (2, "system:serviceaccount:cert-manager:cert-manager-cainjector", "patch", "validatingwebhookconfigurations", "",
     "", "admissionregistration.k8s.io"),
    (1, "system:anonymous", "get", "", "", "", ""),
    (15, "person", "list", "pods", "", "shop", ""),
    (10, "person", "get", "pods", "log", "shop", ""),
    (5, "person", "create", "selfsubjectaccessreviews", "", "", "authorization.k8s.io"),
    (4, "person", "get", "deployments", "", "shop", "apps"),
    (1, "pipeline", "patch", "deployments", "", "shop", "apps"),
    (1, "pipeline", "list", "secrets", "", "shop", ""),
)  # fmt: skip
_AGENTS: tuple[Json, ...] = (
    {"hostNetwork": True, "containers": [{"name": "aws-node", "image": "amazon-k8s-cni:v1.20"}],
     "initContainers": [{"name": "init", "securityContext": {"privileged": True}}]},
    {"hostNetwork": True, "containers": [{"name": "kube-proxy", "securityContext": {"privileged": True}}]},
    {"hostNetwork": True, "hostPID": True, "containers": [{"name": "node-exporter"}],
     "volumes": [{"name": "root", "hostPath": {"path": "/"}}]},
    {"containers": [{"name": "fluent-bit"}], "volumes": [{"name": "log", "hostPath": {"path": "/var/log"}}]},
    {"containers": [{"name": "ebs-plugin", "securityContext": {"privileged": True}}],
     "volumes": [{"name": "kubelet", "hostPath": {"path": "/var/lib/kubelet"}}]},
)  # fmt: skip


def audit_events(company: Company, midnight: int, count: int, rng: Random) -> Iterator[str]:
    """`count` events of a day: one in a hundred starts an agent on a new node, one in 2,000 is a shell of a person."""
    for number in range(count):
        when = midnight + rng.randrange(86_400)
        if rng.random() < 0.01:
            spec = {"spec": rng.choice(_AGENTS)}
            yield _event(
                company,
                rng,
                when,
                _CONTROLLER.format("daemon-set"),
                "create",
                "pods",
                namespace="kube-system",
                sent=spec,
            )
        elif number < count // 2000:
            yield _event(company, rng, when, "person", "create", "pods", "exec", "shop", code=101)
        else:
            _, *what = rng.choices(_EVERYDAY, [each[0] for each in _EVERYDAY])[0]
            yield _event(company, rng, when, *what, code=403 if rng.random() < 0.003 else 200)


def _event(
    company: Company, rng: Random, when: int, user: str, verb: str, resource: str, subresource: str = "",
    namespace: str = "", group: str = "", *, code: int = 201, sent: Json = None,
) -> str:  # fmt: skip
    moment = datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{rng.randrange(10**6):06d}Z"
    place = f"/namespaces/{namespace}" if namespace else ""
    record: dict[str, Json] = {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse" if sent else "Metadata",
        "auditID": uuid(rng), "stage": "ResponseComplete", "verb": verb,
        "requestURI": f"/{'apis/' + group if group else 'api'}/v1{place}/{resource}" if resource else "/livez",
        "user": _user(company, rng, user), "sourceIPs": [f"10.20.1.{rng.randrange(10, 250)}"],
        "userAgent": "kubectl/v1.33.1 (linux/amd64)" if user == "person" else "Go-http-client/2.0",
        "responseStatus": {"metadata": {}, "code": code}, "requestReceivedTimestamp": moment, "stageTimestamp": moment,
        "annotations": {"authorization.k8s.io/decision": "forbid" if code == 403 else "allow"},
    }  # fmt: skip
    if resource:
        about = {"resource": resource, "namespace": namespace, "apiGroup": group, "subresource": subresource}
        record["objectRef"] = {"apiVersion": "v1", **{key: value for key, value in about.items() if value}}
    if sent:
        record["requestObject"] = {"kind": "Pod", "apiVersion": "v1", **sent}
    return json.dumps(record, separators=(",", ":"))


def _user(company: Company, rng: Random, user: str) -> Json:
    if user == "system:node":
        return {"username": f"system:node:ip-10-20-1-{rng.randrange(10, 250)}.ec2.internal", "groups": ["system:nodes"]}
    if user in ("person", "pipeline"):
        name = rng.choice(company.people) if user == "person" else "GitHubActions"
        role = "developer" if user == "person" else "github-deploy"
        arn = f"arn:aws:sts::{PRODUCTION}:assumed-role/{role}/{name}"
        return {"username": f"{role}:{name}", "groups": ["developers"], "extra": {"arn": [arn], "sessionName": [name]}}
    return {"username": user, "groups": ["system:authenticated"]}
