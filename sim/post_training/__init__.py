"""Post-training quantisation of float models, in NumPy: the reference that trained low-bit models are held against.

Weights are (K, N) = (in_features, out_features), as everywhere in `bitjoule.sim`. A method returns the floats that the
quantised weights stand for, so that any of them runs in the same float model and is evaluated the same way.
"""
