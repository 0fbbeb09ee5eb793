"""Evaluation of embeddings and rankings: tasks, folds, metrics, bootstrap statistics, comparisons, reports.

In go embeddings and metadata as numpy arrays, out come numbers and tables; nothing here decodes audio or loads torch.
"""
