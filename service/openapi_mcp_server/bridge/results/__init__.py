"""Results of tools: made of answers and of failures, within a budget."""
