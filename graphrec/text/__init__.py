"""Texts as vectors: of a frozen sentence encoder where one is at hand, else of their words.

read.py           texts in, vectors out; finds the language model
words.py          bags of words, and what counts as a word
_transformers.py  BERT-like encoders, layer by layer
"""
