"""What plots share: style, axes, labels, panels, number formatting."""
