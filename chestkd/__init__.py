"""A reproducible companion to Ho & Gwak (2020), knowledge distillation for chest radiographs."""

__version__ = "0.1.0"
