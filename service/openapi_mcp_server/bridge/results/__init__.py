"""Results of tools, made from answers and failures, within a budget."""
