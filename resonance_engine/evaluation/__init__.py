"""Evaluation of embeddings and rankings: tasks, folds, metrics, bootstrap statistics, reports.

In go embeddings and metadata as numpy arrays, out come numbers and tables; nothing here decodes audio or loads torch.
"""
