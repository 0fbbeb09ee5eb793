"""The model that Resonance ships: from nothing to weights, ONNX files and the numbers on its card."""
