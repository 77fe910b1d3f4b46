"""Consent, label and publication."""
