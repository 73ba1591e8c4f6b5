"""The host of an accelerator behind a UART."""
