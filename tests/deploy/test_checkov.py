"""checkov over everything that is deployed: nothing but what has a reason here."""

from __future__ import annotations

import msgspec
import pytest
from tools import ran, tool

from processes import CHECKOUT

ACCEPTED = {
    "CKV_AWS_91": "access logs are a parameter, since they need a bucket of the reader's",
    "CKV_AWS_149": "the key signs session ids of this service alone; AWS's own key encrypts it",
    "CKV_AWS_158": "log groups are encrypted with AWS's own key; the log holds no arguments, answers or secrets",
    "CKV_K8S_21": "the namespace is given to kubectl and helm, not written into the files",
    "CKV_K8S_11": "a CPU limit slows a busy worker down for nothing; memory has one",
    "CKV_K8S_43": "images are named by version; whoever deploys may pin a digest",
    "CKV_K8S_35": "secrets are variables, so that any setting may be one; NAME_FILE is there for files",
    "CKV_K8S_15": "a version is not overwritten, so a node need not ask for it again",
    "CKV_K8S_40": "101 is nginx in the public image; the worker has 10001",
    "CKV_AWS_76": "access logs need an account-wide role; docs/deploy/api-gateway.md says how to turn them on",
    "CKV_DOCKER_7": "the version is that of an argument of the build, which checkov does not read",
    "CKV_AWS_120": "a cache between clients and calls would answer one caller with another's result",
}
"""Checks that these files fail on purpose, each with the reason."""
FILES = {
    "cloudformation": sorted(CHECKOUT.glob("deploy/*/template.yaml")),
    "kubernetes": sorted(CHECKOUT.glob("deploy/kubernetes/*/all.yaml")),
    "dockerfile": [CHECKOUT / "Dockerfile", CHECKOUT / "proxy" / "Dockerfile"],
}


@pytest.mark.parametrize("framework", FILES)
def test_checkov_finds_what_has_a_reason(framework):
    files = [word for path in FILES[framework] for word in ("-f", str(path))]
    done = ran(tool("checkov"), *files, "--framework", framework, "--skip-download", "--output", "json", "--quiet")
    report = msgspec.json.decode(done.stdout)
    failed = report.get("results", {}).get("failed_checks", [])
    assert report.get("summary", report)["passed"] > 0
    found = {f"{each['check_id']} {each['check_name']}: {each['resource']}" for each in failed}
    assert {each for each in found if each.split()[0] not in ACCEPTED} == set()
