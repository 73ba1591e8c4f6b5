"""How the shipped language models were trained: `python -m bitjoule.sim.training.train`, with the extra ``train``."""
