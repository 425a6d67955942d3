"""Backbones by name: what each is, what its ImageNet weights expect, and how to build it."""

from tumorscope.training.backbones import applications, plain
from tumorscope.training.backbones.registry import Backbone, build_backbone, lookup, names

__all__ = ["Backbone", "applications", "build_backbone", "lookup", "names", "plain"]
