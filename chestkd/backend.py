"""The one place that knows which backend Keras runs on."""

import keras


def name() -> str:
    """ "tensorflow" or "jax"; set KERAS_BACKEND before Python starts to choose."""
    backend = keras.backend.backend()
    if backend not in ("tensorflow", "jax"):
        raise RuntimeError(f"KERAS_BACKEND is {backend!r}; allowed: tensorflow, jax")
    return backend


def devices() -> list[str]:
    """The devices that the backend computes on, such as ["cpu"] or ["NVIDIA H200"]."""
    if name() == "jax":
        import jax

        return [device.device_kind for device in jax.devices()]
    import tensorflow

    accelerators = tensorflow.config.list_physical_devices("GPU")
    if not accelerators:
        return ["cpu"]
    details = map(tensorflow.config.experimental.get_device_details, accelerators)
    return [detail.get("device_name", "GPU") for detail in details]
