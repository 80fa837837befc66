"""The model as a graph that ONNX Runtime computes on the CPU, without torch."""
