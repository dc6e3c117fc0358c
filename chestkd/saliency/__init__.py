"""Saliency maps of one finding; `chestkd.saliency.methods` makes any of them by name."""
