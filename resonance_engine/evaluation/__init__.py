"""Evaluation of embeddings and rankings: tasks, folds, retrieval metrics, bootstrap statistics and reports.

In go embeddings and metadata as numpy arrays, out come numbers and tables; nothing here decodes audio or loads torch.
"""
