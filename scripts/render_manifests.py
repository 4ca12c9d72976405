"""Writes what the Helm chart becomes into deploy/kubernetes, for those who use kubectl or kustomize alone. Before that
it copies the proxy's configuration, the alerts and the dashboard into the chart, which may not reach outside itself. It
needs `helm` on the PATH, its path in HELM, or that scripts/deploy-test has run.

With ``--check`` nothing is written and helm is not needed: it says whether the chart is the one that was rendered last.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "deploy" / "helm" / "openapi-mcp-server"
RENDERED = ROOT / "deploy" / "kubernetes"
CONFIGURATION = ROOT / "proxy" / "nginx.conf"
COPIES = {
    CHART / "files" / "nginx.conf": CONFIGURATION,
    CHART / "files" / "keep-connections.sh": ROOT / "proxy" / "keep-connections.sh",
    CHART / "files" / "alerts.yml": ROOT / "deploy" / "prometheus" / "alerts.yml",
    CHART / "files" / "dashboard.json": ROOT / "deploy" / "grafana" / "dashboards" / "openapi-mcp-server.json",
}
"""What the chart has of other folders."""
SETS = ("base", "alb", "gateway")
KUSTOMIZATION = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [all.yaml]
"""


def sources() -> list[Path]:
    return sorted(path for path in CHART.rglob("*") if path.is_file())


def digest() -> str:
    """One number for everything in the chart."""
    whole = hashlib.sha256()
    for path in sources():
        whole.update(f"{path.relative_to(CHART)}\0".encode() + path.read_bytes() + b"\0")
    return whole.hexdigest()


def head() -> str:
    return f"# Made by scripts/render_manifests.py from the chart {digest()}. Change the values, not this file.\n"


def helm() -> str | None:
    """Where scripts/deploy-test puts it, too."""
    places = os.pathsep.join([os.environ.get("PATH", ""), str(ROOT / "build" / "deploy-tools" / "bin")])
    return os.environ.get("HELM") or shutil.which("helm", path=places)


def rendered(program: str, name: str) -> str:
    """One set as helm makes it, for the namespace of docs/deploy/eks.md: the Service's own names have it."""
    values = CHART / "ci" / f"{name}-values.yaml"
    argv: list[str | Path] = [program, "template", "openapi-mcp-server", CHART, "--namespace", "mcp", "-f", values]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"render_manifests: helm: {done.stderr.strip()}")
    lines = [line.rstrip() for line in done.stdout.splitlines() if not line.startswith("# Source: ")]
    return "\n".join(lines) + "\n"


def write(program: str) -> None:
    for copy, original in COPIES.items():
        shutil.copyfile(original, copy)
    for name in SETS:
        folder = RENDERED / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "all.yaml").write_text(head() + rendered(program, name), "utf-8")
        (folder / "kustomization.yaml").write_text(KUSTOMIZATION, "utf-8")


def is_same(copy: Path, original: Path) -> bool:
    return copy.exists() and copy.read_bytes() == original.read_bytes()


def stale() -> list[str]:
    """Names of files that would be written differently now, as far as that can be seen without helm."""
    found = [f"the chart's {copy.name}" for copy, original in COPIES.items() if not is_same(copy, original)]
    return found + [
        f"deploy/kubernetes/{name}"
        for name in SETS
        if not (RENDERED / name / "all.yaml").read_text("utf-8").startswith(head())
    ]


def main() -> int:
    if "--check" in sys.argv:
        for what in stale():
            print(f"{what} is not current; run scripts/render_manifests.py", file=sys.stderr)
        return 1 if stale() else 0
    program = helm()
    if program is None:
        print("render_manifests: helm is not on the PATH, nor its path in HELM", file=sys.stderr)
        return 1
    write(program)
    return 0


if __name__ == "__main__":
    sys.exit(main())
