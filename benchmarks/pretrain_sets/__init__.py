"""Measurements of pretraining that need more than one domain."""
