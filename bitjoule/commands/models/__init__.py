"""Commands on models: training them, and counting what their weights and activations hold."""
