"""The model file: one self-describing ONNX, what its metadata holds, how it is read and written."""
