"""Narrascope audits and reweighs how a pretraining corpus portrays AI."""

__version__ = "0.1.0"
