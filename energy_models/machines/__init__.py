"""Machines that people run and measured: rows of measurements, the names in them, predictions and fits."""
