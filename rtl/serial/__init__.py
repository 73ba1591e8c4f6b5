"""The accelerator behind a UART: for boards whose pins do not hold its streams."""
