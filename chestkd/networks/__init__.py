"""The paper's networks as Keras models, and the one place that knows the backend."""
