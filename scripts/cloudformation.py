"""Resolves a CloudFormation template for given parameters, as far as those of this repository use its functions.

What only AWS knows (ARNs and names of what it would create) becomes a readable stand-in, so that the result can be held
against the shapes of AWS's own API models.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackName": "openapi-mcp-server",
    "AWS::URLSuffix": "amazonaws.com",
}
Json = Any
"""Text, numbers, lists and objects, as they stand in a template."""
NOTHING: Any = object()
"""The value of ``AWS::NoValue``: whatever holds it leaves it out."""
ARNS = {
    "AWS::IAM::Role": "arn:aws:iam::{account}:role/{stack}-{name}",
    "AWS::Logs::LogGroup": "arn:aws:logs:{region}:{account}:log-group:{name}:*",
}
NAMES = {"AWS::Logs::LogGroup": "LogGroupName"}
"""Where a reference is the name that the template gives."""
STAND_INS: dict[tuple[str, str], str] = {
    ("AWS::ElasticLoadBalancingV2::LoadBalancer", "LoadBalancerFullName"): "app/{stack}/0123456789abcdef",
    ("AWS::ElasticLoadBalancingV2::TargetGroup", "TargetGroupFullName"): "targetgroup/{stack}/0123456789abcdef",
    ("AWS::ElasticLoadBalancingV2::LoadBalancer", "DNSName"): "{stack}-1.{region}.elb.amazonaws.com",
    ("AWS::ECS::Service", "Name"): "{stack}-{name}",
}
REFERENCES = {
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/app/a/0",
    "AWS::ElasticLoadBalancingV2::TargetGroup": "arn:aws:elasticloadbalancing:{region}:{account}:targetgroup/{stack}/0",
    "AWS::SecretsManager::Secret": "arn:aws:secretsmanager:{region}:{account}:secret:{name}-a1b2c3",
    "AWS::ECS::TaskDefinition": "arn:aws:ecs:{region}:{account}:task-definition/{stack}:1",
    "AWS::ECS::Service": "arn:aws:ecs:{region}:{account}:service/{stack}/{stack}-{name}",
    "AWS::EC2::SecurityGroup": "sg-{name}",
}


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Reads ``!Ref x`` as ``{"Ref": x}`` and every other short form as ``{"Fn::…": …}``."""


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)


@cache
def read(path: Path) -> dict[str, Any]:
    template: dict[str, Any] = yaml.load(path.read_text("utf-8"), _Loader)
    return template


class Resolver:
    """One template with one set of parameters."""

    def __init__(self, template: Mapping[str, Any], parameters: Mapping[str, str]) -> None:
        self._template = template
        self._parameters = {
            name: parameters.get(name, declared.get("Default", ""))
            for name, declared in template.get("Parameters", {}).items()
        }
        unknown = set(parameters) - set(self._parameters)
        if unknown:
            raise ValueError(f"parameters that the template does not have: {', '.join(sorted(unknown))}")

    def resources(self) -> dict[str, dict[str, Any]]:
        """All whose condition holds, with their functions carried out."""
        return {
            name: self.value(resource)
            for name, resource in self._template["Resources"].items()
            if "Condition" not in resource or self.holds(resource["Condition"])
        }

    def broken_rules(self) -> list[str]:
        """Sentences of the template's Rules that the parameters break."""
        return [
            assertion["AssertDescription"]
            for rule in self._template.get("Rules", {}).values()
            if self._boolean(rule["RuleCondition"])
            for assertion in rule["Assertions"]
            if not self._boolean(assertion["Assert"])
        ]

    def holds(self, condition: str) -> bool:
        return self._boolean(self._template["Conditions"][condition])

    def _boolean(self, expression: dict[str, Any]) -> bool:
        ((function, given),) = expression.items()
        if function == "Fn::Equals":
            return str(self.value(given[0])) == str(self.value(given[1]))
        if function == "Fn::Not":
            return not self._boolean(given[0])
        if function == "Fn::Or":
            return any(self._boolean(each) for each in given)
        if function == "Condition":
            return self.holds(given)
        raise ValueError(f"{function} is not known as a condition")

    def value(self, node: Json) -> Json:
        if isinstance(node, list):
            return [value for value in map(self.value, node) if value is not NOTHING]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((name, given),) = node.items()
            function = self._functions().get(name)
            if function is not None:
                return function(given)
        values = {name: self.value(each) for name, each in node.items()}
        return {name: value for name, value in values.items() if value is not NOTHING}

    def _functions(self) -> dict[str, Callable[[Any], Any]]:
        return {
            "Ref": self._reference,
            "Fn::GetAtt": self._attribute,
            "Fn::Sub": self._substituted,
            "Fn::If": lambda given: self.value(given[1 if self.holds(given[0]) else 2]),
            "Fn::FindInMap": self._found,
        }

    def _found(self, given: list[Json]) -> Json:
        mapping, first, second = map(self.value, given)
        return self._template["Mappings"][mapping][first][second]

    def _reference(self, name: str) -> Json:
        if name == "AWS::NoValue":
            return NOTHING
        if name in PSEUDO:
            return PSEUDO[name]
        if name in self._parameters:
            value = self._parameters[name]
            return value.split(",") if self._template["Parameters"][name]["Type"].startswith("List<") else value
        return self._given_name(name) or self._filled(REFERENCES.get(self._type(name), "{stack}-{name}"), name)

    def _given_name(self, name: str) -> str:
        """The name in the template itself, empty where AWS makes one up."""
        named = NAMES.get(self._type(name))
        return str(self.value(self._template["Resources"][name]["Properties"][named])) if named else ""

    def _attribute(self, given: list[str]) -> str:
        name, attribute = given
        kind = self._type(name)
        form = ARNS.get(kind, "arn:{name}") if attribute == "Arn" else STAND_INS.get((kind, attribute), "{name}")
        return self._filled(form, self._given_name(name) or name)

    def _type(self, name: str) -> str:
        return str(self._template["Resources"][name]["Type"])

    @staticmethod
    def _filled(form: str, name: str) -> str:
        return form.format(
            account=PSEUDO["AWS::AccountId"], region=PSEUDO["AWS::Region"], stack=PSEUDO["AWS::StackName"], name=name
        )

    def _substituted(self, given: Json) -> str:
        text, own = (given, {}) if isinstance(given, str) else given

        def value(found: re.Match[str]) -> str:
            name = found[1]
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in own:
                return str(self.value(own[name]))
            return str(self._attribute(name.split(".", 1)) if "." in name else self._reference(name))

        return re.sub(r"\$\{([^}]+)\}", value, text)
