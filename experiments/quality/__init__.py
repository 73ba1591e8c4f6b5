"""Quality experiments: the losses of trained models, over their sizes and over the energy of a token."""
