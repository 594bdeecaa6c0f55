"""What the tests of `deploy/` look at: its files, parsed, and put together as kustomize does."""

from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parents[2]
DEPLOY = PROJECT / "deploy"
CADDYFILE = DEPLOY / "caddy" / "Caddyfile"
KUBERNETES = DEPLOY / "k8s"
OVERLAYS = sorted(path.parent for path in KUBERNETES.glob("overlays/*/kustomization.yaml"))
COMPONENTS = sorted(path.parent for path in KUBERNETES.glob("components/*/kustomization.yaml"))

Tree = dict[str, Any]


def read(path: Path) -> str:
    """Return the text of a file."""
    return path.read_text(encoding="utf-8")


def load_all(path: Path) -> list[Tree]:
    """Return the documents of a YAML file."""
    return [document for document in yaml.safe_load_all(read(path)) if document]


def load(path: Path) -> Tree:
    """Return the only document of a YAML file."""
    (document,) = load_all(path)
    return document


def list_deploy_files() -> list[Path]:
    """Return every text file of the folder; an operator's own `.env` is none of ours."""
    return sorted(p for p in DEPLOY.rglob("*") if p.is_file() and not p.name.startswith(".env"))


def build(folder: Path) -> list[Tree]:
    """Return what `kubectl kustomize` makes of a folder, for the few features that ours use."""
    plan = load(folder / "kustomization.yaml")
    documents = _resources(folder, plan)
    for name in plan.get("components", []):
        component = folder / name
        extra = load(component / "kustomization.yaml")
        documents += _resources(component, extra)
        _patch_all(documents, extra)
    _patch_all(documents, plan)
    return documents


def find(documents: list[Tree], kind: str, name: str) -> Tree:
    """Return one object by kind and name."""
    (found,) = (
        document
        for document in documents
        if (document["kind"], document["metadata"]["name"]) == (kind, name)
    )
    return found


def by_kind(documents: list[Tree], kind: str) -> list[Tree]:
    """Return the objects of one kind."""
    return [document for document in documents if document["kind"] == kind]


def pod_of(workload: Tree) -> Tree:
    """Return the pod's specification of a Deployment or Job."""
    pod: Tree = workload["spec"]["template"]["spec"]
    return pod


def _resources(folder: Path, plan: Tree) -> list[Tree]:
    documents: list[Tree] = []
    for name in plan.get("resources", []):
        path = folder / name
        documents += build(path) if path.is_dir() else load_all(path)
    return documents


def _patch_all(documents: list[Tree], plan: Tree) -> None:
    for entry in plan.get("patches", []):
        patch = yaml.safe_load(entry["patch"])
        for document in documents:
            if _is_meant(document, entry.get("target"), patch):
                names = document["metadata"]["name"]
                _merge(document, patch)
                document["metadata"]["name"] = names


def _is_meant(document: Tree, target: Tree | None, patch: Tree) -> bool:
    if target is None:
        named = (patch["kind"], patch["metadata"]["name"])
        return bool((document["kind"], document["metadata"]["name"]) == named)
    label, _, value = target["labelSelector"].partition("=")
    labels = document["metadata"].get("labels", {})
    return bool(document["kind"] == target["kind"] and labels.get(label) == value)


def _merge(target: Tree, patch: Tree) -> None:
    """Merge as Kubernetes does: objects by key, lists of named things by name, the rest anew."""
    for key, value in patch.items():
        present = target.get(key)
        if isinstance(value, dict) and isinstance(present, dict):
            _merge(present, value)
        elif isinstance(value, list) and isinstance(present, list):
            _merge_lists(present, value)
        else:
            target[key] = value


def _merge_lists(target: list[Any], patch: list[Any]) -> None:
    for item in patch:
        same = [old for old in target if isinstance(old, dict) and old.get("name") == item["name"]]
        if same:
            _merge(same[0], item)
        else:
            target.append(item)
