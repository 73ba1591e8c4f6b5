"""Models of images: a request is a batch of them, and what is a token elsewhere is an image."""

from bitjoule.energy_models.architecture.images.convolutional import ConvolutionalShape
from bitjoule.energy_models.architecture.images.vision_transformer import VisionTransformerShape

VisionShape = ConvolutionalShape | VisionTransformerShape
VISION_SHAPES: dict[str, type[VisionShape]] = {
    "convolutional": ConvolutionalShape,
    "vision_transformer": VisionTransformerShape,
}
