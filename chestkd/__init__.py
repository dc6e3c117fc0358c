"""A reproducible companion to Ho & Gwak (2020), knowledge distillation for chest radiographs."""

import os

__version__ = "0.1.0"

# TensorFlow reads it at import. By itself it uses oneDNN's kernels only on processors that have
# instructions for neural networks; on one with AVX2 alone they train two to four times as fast, and
# so every processor computes with the same ones.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
