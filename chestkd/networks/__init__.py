"""The paper's networks as Keras models, and the one module that depends on the backend."""
