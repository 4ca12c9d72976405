"""Processes: built in order, served, drained, closed in reverse; one worker or several under a supervisor."""
