"""Backbones by name: what each is, what its ImageNet weights expect, and how to build it."""

from tumorscope.networks.backbones import applications, plain
from tumorscope.networks.backbones.registry import Backbone, build_backbone, lookup, names

__all__ = ["Backbone", "applications", "build_backbone", "lookup", "names", "plain"]
