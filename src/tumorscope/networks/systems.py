"""The systems that can be compared: a backbone with a head, or frozen features and a classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tumorscope.common.errors import UsageError
from tumorscope.networks.backbones import lookup as lookup_backbone
from tumorscope.networks.backbones import names as backbone_names
from tumorscope.recipes.recipe import Recipe

Classifier = Literal["logistic", "svm"]


@dataclass(frozen=True, slots=True)
class System:
    """One row of a comparison.

    Attributes
    ----------
    name : str
        On the command line.
    title : str
        For people.
    citation : str
        Where it was published.
    backbones : tuple of str
        Networks that see the image; several only where their features are joined.
    head : {"recipe", "flatten", "pooled"}
        Of a network that is trained; "recipe" is what the recipe says.
    classifier : {"logistic", "svm"} or None
        On frozen, pooled features; None trains the network as the recipe says.
    parts : bool
        Take the features of several depths, `Backbone.parts`, instead of the last alone.
    remark : str
        Where ours differs from what was published.
    """

    name: str
    title: str
    citation: str
    backbones: tuple[str, ...]
    head: Literal["recipe", "flatten", "pooled"] = "recipe"
    classifier: Classifier | None = None
    parts: bool = False
    remark: str = ""


COMBINED = (
    System(
        name="mobilenet_v2-flatten",
        title="MobileNetV2, the paper's head",
        citation="Brain Tumour Detection Using MobileNetV2; Sandler et al. 2018, arXiv:1801.04381",
        backbones=("mobilenet_v2",),
        head="flatten",
        remark="Fed with what its ImageNet weights expect, where the paper feeds x/255.",
    ),
    System(
        name="mobilenet_v2-pooled",
        title="MobileNetV2, pooled head",
        citation="Sandler et al. 2018, arXiv:1801.04381",
        backbones=("mobilenet_v2",),
        head="pooled",
    ),
    System(
        name="mobilenet_v2-logistic",
        title="MobileNetV2 features + logistic regression",
        citation="Sandler et al. 2018, arXiv:1801.04381",
        backbones=("mobilenet_v2",),
        classifier="logistic",
    ),
    System(
        name="resnet18-svm",
        title="ResNet-18 features + SVM",
        citation="Senan et al. 2022, doi:10.1155/2022/8330833",
        backbones=("resnet18",),
        classifier="svm",
        remark="Published for four classes, on images enhanced by an average filter, which is left "
        "out here. Radial kernel; Platt's probabilities.",
    ),
    System(
        name="inception_v3-densenet201",
        title="Inception-v3 + DenseNet-201 features, concatenated",
        citation="Noreen et al. 2020, doi:10.1109/ACCESS.2020.2978629",
        backbones=("inception_v3", "densenet201"),
        classifier="logistic",
        parts=True,
        remark="Published as two networks, each with the features of several of its blocks "
        "concatenated; here those of both are. Softmax of two classes is logistic regression.",
    ),
)

DEFAULT = (
    "mobilenet_v2-flatten",
    "mobilenet_v2-pooled",
    "mobilenet_v2-logistic",
    "vgg16",
    "resnet18",
    "resnet18-svm",
    "resnet50",
    "alexnet",
    "inception_v3",
    "densenet201",
    "inception_v3-densenet201",
    "mobilenet_v3_large",
    "efficientnet_v2_b0",
)
"""What is compared if nothing else is asked for: what the paper names, and two newer networks."""


def names() -> tuple[str, ...]:
    """Return the names of all systems: every backbone, and the combinations."""
    return (*backbone_names(), *(system.name for system in COMBINED))


def lookup(name: str) -> System:
    """Return a system by name.

    Raises
    ------
    UsageError
        If there is none.

    Examples
    --------
    >>> lookup("inception_v3-densenet201").backbones
    ('inception_v3', 'densenet201')
    >>> lookup("resnet50").title  # every backbone is a system too
    'ResNet-50'
    """
    for system in COMBINED:
        if system.name == name:
            return system
    if name not in backbone_names():
        raise UsageError(
            f"There is no system {name!r}. Expected some of {', '.join(names())}, with commas "
            "between them."
        )
    backbone = lookup_backbone(name)
    remark = ""
    if name == "alexnet":
        remark = "Its convolutions with the recipe's head in the place of its dense layers."
    return System(name, backbone.title, backbone.citation, (name,), remark=remark)


def recipe_for(system: System, recipe: Recipe, backbone: str) -> Recipe:
    """Return the recipe as one backbone of a system follows it.

    What differs: the backbone, the input scaling that its ImageNet weights expect, the input size
    in proportion to the one it was published for, and where fine-tuning starts if that is inside
    the network. Training on smaller pictures first needs sizes that are multiples of 32 and a
    pooled or dense head; elsewhere it happens at full size. A loss on places needs the dense head.

    Examples
    --------
    >>> followed = recipe_for(lookup("inception_v3"), Recipe.load("paper"), "inception_v3")
    >>> followed.input.size, followed.input.scaling, followed.network.backbone
    (299, 'symmetric', 'inception_v3')
    """
    known = lookup_backbone(backbone)
    size = known.size_for(recipe.input.size)
    head = recipe.network.head if system.head == "recipe" else system.head
    tuned = recipe.fine_tuning
    inside = tuned.from_layer != "input" and backbone != recipe.network.backbone
    small = tuned.size if head != "flatten" and size % 32 == 0 else 0
    changes: dict[str, dict[str, object]] = {
        "input": {"size": size, "scaling": known.scaling},
        "network": {"backbone": backbone, "head": head},
        "optimisation": {"places": recipe.optimisation.places if head == "dense" else 0.0},
        "fine_tuning": {"from_layer": known.cut if inside else tuned.from_layer, "size": small},
    }
    document = recipe.model_dump()
    for part, values in changes.items():
        document[part] |= values
    return Recipe.parse({**document, "name": f"{system.name}-{recipe.name}"})
