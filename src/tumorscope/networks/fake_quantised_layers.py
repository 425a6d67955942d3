"""The layers of a backbone that rounds; `load_keras` comes before importing this module."""

from __future__ import annotations

import keras
import numpy as np

ops = keras.ops


def straight_through(value: keras.KerasTensor, rounded: keras.KerasTensor) -> keras.KerasTensor:
    """Return `rounded`, with the gradient of `value`."""
    return value + ops.stop_gradient(rounded - value)


class Rounded(keras.layers.Layer):  # type: ignore[misc]
    """Rounds to the 256 values of an unsigned byte with a scale and a zero point.

    Beyond its range it clips, and lets no gradient pass.
    """

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self.low = self.add_weight(shape=(), initializer="zeros", trainable=False, name="low")
        self.scale = self.add_weight(shape=(), initializer="ones", trainable=False, name="scale")

    def set_range(self, low: float, high: float) -> None:
        """Set the least and greatest value; 0 is always among those that are kept exactly."""
        low, high = min(float(low), 0.0), max(float(high), 0.0)
        scale = (high - low) / 255 or 1.0
        self.scale.assign(scale)
        self.low.assign(np.rint(low / scale) * scale)

    def call(self, values: keras.KerasTensor) -> keras.KerasTensor:
        """Round; the shape stays."""
        # JAX's clip takes no variables.
        low, scale = ops.convert_to_tensor(self.low), ops.convert_to_tensor(self.scale)
        clipped = ops.clip(values, low, low + 255 * scale)
        return straight_through(clipped, ops.round(clipped / scale) * scale)


class FoldedConvolution(keras.layers.Layer):  # type: ignore[misc]
    """A convolution with its normalisation folded in, and its kernel rounded to 8 bits.

    Parameters
    ----------
    convolution : keras.layers.Conv2D or keras.layers.DepthwiseConv2D
        Whose variables it shares.
    normalisation : keras.layers.BatchNormalization or None
        The same; its means and variances stay.
    grey : bool
        Whether the channels of the picture are equal: it then takes one, by the summed kernel.
    """

    def __init__(
        self,
        convolution: keras.layers.Layer,
        normalisation: keras.layers.Layer | None,
        *,
        grey: bool,
        **options: object,
    ) -> None:
        super().__init__(**options)
        self.convolution, self.normalisation, self.grey = convolution, normalisation, grey
        self.by_channel = isinstance(convolution, keras.layers.DepthwiseConv2D)
        self.has_bias = normalisation is not None or convolution.use_bias
        channels = convolution.output.shape[-1]
        self.shift = self.add_weight(
            shape=(channels,), initializer="zeros", trainable=False, name="shift"
        )

    def call(self, picture: keras.KerasTensor) -> keras.KerasTensor:
        """Convolve (n, h, w, channels); `shift` is taken off, as a conversion does."""
        kernel, bias = self._folded()
        made = self._convolved(picture, straight_through(kernel, self._rounded(kernel)))
        if bias is not None:
            made = made + (bias - self.shift)
        return self.convolution.activation(made)

    def mean_error(self, picture: keras.KerasTensor) -> keras.KerasTensor:
        """Return what rounding the kernel adds to each channel, on average over places."""
        kernel, _ = self._folded()
        return ops.mean(self._convolved(picture, self._rounded(kernel) - kernel), axis=(0, 1, 2))

    def settle(self) -> None:
        """Give the variables the values that rounding makes of them, `shift` included.

        The convolution then computes in float32 what it did rounded, and rounding it again changes
        nothing.
        """
        kernel, _ = self._folded()
        change = (self._rounded(kernel) - kernel) / self._factor()
        layer, normal = self.convolution, self.normalisation
        # Equal channels share what changes their sum.
        layer.kernel.assign(
            layer.kernel + (change / layer.kernel.shape[2] if self.grey else change)
        )
        if normal is not None and normal.beta is not None:
            normal.beta.assign(normal.beta - self.shift)
        elif layer.use_bias:
            factor = ops.reshape(self._factor(), (-1,))
            layer.bias.assign(layer.bias - self.shift / factor)
        self.shift.assign(ops.zeros(self.shift.shape))

    def _rounded(self, kernel: keras.KerasTensor) -> keras.KerasTensor:
        axes = (0, 1) if self.by_channel else (0, 1, 2)
        most = ops.stop_gradient(ops.max(ops.abs(kernel), axis=axes, keepdims=True))
        scale = ops.maximum(most, 1e-12) / 127
        return ops.round(kernel / scale) * scale

    def _convolved(
        self, picture: keras.KerasTensor, kernel: keras.KerasTensor
    ) -> keras.KerasTensor:
        layer = self.convolution
        convolve = ops.depthwise_conv if self.by_channel else ops.conv
        return convolve(
            picture[..., :1] if self.grey else picture,
            kernel,
            strides=layer.strides,
            padding=layer.padding,
            dilation_rate=layer.dilation_rate,
        )

    def _factor(self) -> keras.KerasTensor:
        """Return what the normalisation multiplies each output channel of the kernel by."""
        normal, kernel = self.normalisation, self.convolution.kernel
        if normal is None:
            return ops.ones((1,))
        factor = 1.0 / ops.sqrt(normal.moving_variance + normal.epsilon)
        if normal.gamma is not None:
            # A channel that is multiplied by 0 is so all the same, and can be divided by it.
            gamma = ops.convert_to_tensor(normal.gamma)  # JAX's where takes no variables
            factor = factor * ops.where(gamma == 0.0, 1e-12, gamma)
        # (h, w, channels, multiplier) of a depthwise kernel
        return ops.reshape(factor, kernel.shape[2:]) if self.by_channel else factor

    def _folded(self) -> tuple[keras.KerasTensor, keras.KerasTensor | None]:
        layer, normal, factor = self.convolution, self.normalisation, self._factor()
        kernel, bias = layer.kernel, layer.bias if layer.use_bias else None
        if self.grey:
            kernel = ops.sum(kernel, axis=2, keepdims=True)
        if normal is not None:
            shift = -normal.moving_mean if bias is None else bias - normal.moving_mean
            bias = shift * ops.reshape(factor, (-1,))
            if normal.beta is not None:
                bias = bias + normal.beta
        return kernel * factor, bias


class MeanError(keras.layers.Layer):  # type: ignore[misc]
    """What rounding a kernel adds to the mean of each channel; see `FoldedConvolution`."""

    def __init__(self, folded: FoldedConvolution, **options: object) -> None:
        super().__init__(**options)
        self.folded = folded

    def call(self, picture: keras.KerasTensor) -> keras.KerasTensor:
        """Return a number for each channel of a map (n, h, w, channels)."""
        return self.folded.mean_error(picture)
