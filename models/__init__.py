"""Networks, their losses and their training."""
