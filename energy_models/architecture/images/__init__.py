"""Models of images: convolutions as matmuls, convolutional networks, vision transformers."""
