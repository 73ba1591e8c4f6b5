"""Small language models, trained in the number formats whose energy is compared (extra ``train``).

``bitjoule train`` is `config` and `ladder` (what is asked), `corpora`, `paragraphs` and `texts` (the text), `decoder`,
`quantisers` and `operations` (the model), `trainer` (the loop), `folder` and `results` (what is written), and
`shipped`.
"""
