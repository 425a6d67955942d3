"""The tables of a recipe: what each key means, and which values it may have."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tumorscope.imaging import Preprocessing

Task = Literal["tumour", "tumour-type"]
Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Rate = Annotated[float, Field(gt=0.0, le=1.0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Part(BaseModel):
    """A table of a recipe: never changed, and nothing unknown in it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True)


class Data(Part):
    """How a cohort is split where it has no split yet, and what is remembered of it."""

    fractions: tuple[Rate, Rate, Rate] = (0.7, 0.15, 0.15)
    """Shares of training, tuning and internal testing; they sum to 1."""
    remember: bool = True
    """Whether the run and its model file keep what tells copies of training and tuning images. If
    not, nobody can tell from the model that it was not trained on an image."""

    @model_validator(mode="after")
    def _sum_to_one(self) -> Data:
        if abs(sum(self.fractions) - 1.0) > 1e-6:
            raise ValueError(f"fractions sum to {sum(self.fractions):g}; expected 1")
        return self


class Input(Part):
    """From a slice to the numbers that the network sees."""

    size: Annotated[int, Field(ge=32, le=1024)] = 224
    crop: Literal["none", "head"] = "none"
    fit: Literal["stretch", "pad"] = "stretch"
    intensity: Literal["none", "percentile"] = "none"
    scaling: Literal["unit", "symmetric", "imagenet", "caffe"] = "unit"
    """"unit" is x/255; "symmetric" is x/127.5 − 1, what MobileNetV2 was pretrained on; "imagenet"
    and "caffe" are what other backbones were, see `tumorscope.networks.scaling.SCALINGS`."""

    @property
    def preprocessing(self) -> Preprocessing:
        """The part that `tumorscope.imaging.prepare` does."""
        return Preprocessing(size=self.size, crop=self.crop, fit=self.fit, intensity=self.intensity)


class Sampling(Part):
    """Which images an epoch of training shows."""

    by: Literal["image", "source"] = "image"
    """"image": every image once per epoch. "source": images are drawn, first the label, then a
    source, then a group, then an image of it, so that big sources and big groups do not drown the
    others."""
    images_per_epoch: Annotated[int, Field(ge=0)] = 0
    """Images drawn per epoch; 0 draws as many as there are."""
    tumour_share: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5
    """Share of draws that show a tumour (before lesions are drawn into the others)."""
    power: Share = 0.3
    """A source with n images is drawn in proportion to n^power: 1 as often as its images, 0 all
    sources alike."""
    weights: dict[str, Annotated[float, Field(ge=0.0)]] = {}
    """Source → factor on how often it is drawn; 1 where a source is not named."""


class Augmentation(Part):
    """Random changes of training images; each range is symmetric about no change."""

    rotation: Annotated[float, Field(ge=0.0, le=180.0)] = 0.0
    """Largest rotation in degrees."""
    width_shift: Fraction = 0.0
    """Largest shift to the sides, as a fraction of the width."""
    height_shift: Fraction = 0.0
    """Largest shift up and down, as a fraction of the height."""
    shear: Annotated[float, Field(ge=0.0, le=60.0)] = 0.0
    """Largest shear angle in degrees."""
    zoom: Fraction = 0.0
    """Scale factors are drawn from 1 − zoom to 1 + zoom, for each axis by itself."""
    horizontal_flip: bool = False
    vertical_flip: Share = 0.0
    """Share of images that are turned upside down."""
    quarter_turns: Share = 0.0
    """Share of images that are turned by 90, 180 or 270 degrees."""
    fill: Literal["nearest", "black"] = "nearest"
    variants: Annotated[int, Field(ge=0, le=1000)] = 0
    """Distinct augmented versions of each image, used in turn; 0 draws a new one every epoch.
    Frozen layers see each version once, however often it is used."""
    lesions: Share = 0.0
    """Share of tumour-free draws into which a made-up lesion is drawn; they count as tumour. See
    `tumorscope.synthetic.lesions`."""
    strip_skull: Share = 0.0
    """Share of images whose skull is removed, where `tumorscope.imaging.brain` finds a brain."""
    draw_skull: Share = 0.0
    """Share of the other images that get a skull drawn around them."""
    acquisition: Share = 0.0
    """Share of images that are put through another scanner: resolution, blur, bias field, ghosts,
    contrast, noise, compression. See `tumorscope.synthetic.acquisition`."""
    prepare_again: Share = 0.0
    """Share of changed images that are cropped and windowed again, as a file that looked like that
    would be."""

    @property
    def redraws(self) -> bool:
        """Whether more than the affine map changes."""
        shares = (self.lesions, self.strip_skull, self.draw_skull, self.acquisition)
        return any((*shares, self.vertical_flip, self.quarter_turns, self.prepare_again))


class Network(Part):
    """Backbone and head."""

    backbone: str = "mobilenet_v2"
    head: Literal["flatten", "pooled", "dense"] = "flatten"
    """"flatten" is the paper's: every place has its own weights, through a hidden layer of `units`.
    "pooled" averages over places first and has one weight per channel. "dense" has a logit for
    every place of a finer map, and pools them; see `tumorscope.networks.dense_head`."""
    units: Annotated[int, Field(ge=1, le=4096)] = 128
    dropout: Fraction = 0.5
    channels: Annotated[int, Field(ge=1, le=4096)] = 96
    """Of the map that the dense head makes its local logits from."""
    temperature: Annotated[float, Field(ge=0.01, le=100.0)] = 1.0
    """Of the dense head's pooling by log-sum-exp: the larger, the nearer to a maximum. Below the
    least, which is a mean already, float32 loses the logit."""


class Frozen(Part):
    """Phase one: the backbone does not change."""

    epochs: Annotated[int, Field(ge=0, le=10_000)] = 20
    learning_rate: Rate = 1e-4


class FineTuning(Part):
    """Phase two: the backbone's last layers, or all of it, train too."""

    epochs: Annotated[int, Field(ge=0, le=10_000)] = 10
    learning_rate: Rate = 1e-5
    from_layer: str = "input"
    """First layer of the backbone that trains; "input" trains all of it."""
    batch_norm: Literal["frozen", "training"] = "frozen"
    """"frozen": the backbone's batch normalisation keeps the means, variances, scales and offsets
    it came with. "training": it normalises by each batch, updates the means and variances, and
    trains the scales and offsets."""
    size: Annotated[int, Field(ge=0, le=1024)] = 0
    """Edge of the pictures that train, in pixels; 0 is ``input.size``. Smaller ones train faster,
    and a network meets larger details when it is used (Touvron et al. 2019, arXiv:1906.06423).
    Needs the pooled or the dense head, all of the backbone training, and multiples of 32."""


class Finishing(Part):
    """Phase three: what phase two trained goes on with pictures of the full input size."""

    epochs: Annotated[int, Field(ge=0, le=10_000)] = 0
    learning_rate: Rate = 1e-5


class Quantised(Part):
    """Phase four: the whole network goes on while its backbone rounds to 8 bits.

    What it then is in 8 bits decides more nearly as it does in float32; see
    `tumorscope.networks.fake_quantised`.
    """

    epochs: Annotated[int, Field(ge=0, le=10_000)] = 0
    learning_rate: Rate = 3e-5


class Optimisation(Part):
    """Adam on the cross-entropy."""

    optimizer: Literal["adam", "adamw"] = "adam"
    """"adamw" adds decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101)."""
    weight_decay: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """Of "adamw"; kernels only."""
    schedule: Literal["plateau", "cosine"] = "plateau"
    """"plateau" reduces the learning rate when the tuning loss stops falling; "cosine" warms up,
    then lets it fall to 1 % along half a cosine, step by step."""
    warmup: Fraction = 0.1
    """Share of a phase's steps in which "cosine" raises the learning rate from 0."""
    label_smoothing: Fraction = 0.0
    """Labels are drawn this share of the way to one half."""
    places: Annotated[float, Field(ge=0.0, le=100.0)] = 0.0
    """Weight of the loss on places beside that on the image: where masks show the lesion, where
    one was drawn, and nowhere in tumour-free images. Needs the dense head."""
    ema: Fraction = 0.0
    """The weights kept are an exponential moving average over steps with this momentum; 0 keeps
    the last ones."""

    batch_size: Annotated[int, Field(ge=1, le=4096)] = 32
    clip_norm: Annotated[float, Field(gt=0.0)] = 1.0
    """Each variable's gradient is scaled down to this L2 norm."""
    class_weights: Literal["balanced", "none"] = "balanced"
    """"balanced" weighs classes by the inverse of their share of the training images. Where
    sampling.by is "source", which shows classes as often as it is told, the default is "none"."""
    plateau_patience: Annotated[int, Field(ge=1)] = 3
    """Epochs without a lower tuning loss before the learning rate is reduced."""
    plateau_factor: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5
    minimum_learning_rate: Annotated[float, Field(ge=0.0)] = 1e-7
