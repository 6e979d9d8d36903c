"""Encoders: what turns a graph into embeddings. They know no loss, no sampler and no metric."""
